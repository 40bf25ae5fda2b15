"""Tonnage: model serving on Kubernetes, sized to its load and proven before it is deployed."""

__version__ = "0.1.0"
