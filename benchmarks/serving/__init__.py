"""Tonnage's model server measured side by side with its peers, on one machine, in one run."""
