"""Kubernetes objects as values: quantities, references, loading and dumping; never a client."""
