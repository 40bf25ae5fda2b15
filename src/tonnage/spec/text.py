"""The reader of YAML and JSON text, which lives with the Kubernetes objects, by its names."""

from __future__ import annotations

from tonnage.kube.text import Document, Place, read_text

__all__ = ["Document", "Place", "read_text"]
