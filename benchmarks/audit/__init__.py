"""Auditors side by side: which one finds which fault."""
