"""How fast the twin's request kernel is, and what it says beside other simulators."""
