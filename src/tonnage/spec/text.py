"""The reader of YAML and JSON text, which lives with the Kubernetes objects; its names for this room's users."""

from __future__ import annotations

from tonnage.kube.text import Document, Place, read_text

__all__ = ["Document", "Place", "read_text"]
