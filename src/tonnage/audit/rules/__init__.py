"""One file per rule, named by code and bad pattern; rules do not know each other."""
