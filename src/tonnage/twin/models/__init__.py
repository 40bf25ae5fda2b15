"""One file per imitated controller: step functions over values, with their sources and deviations."""
