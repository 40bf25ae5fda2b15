"""Kubernetes objects of a ``ModelService``: one file per kind, pure, the same bytes every time.

They are built from typed models, so that a field that Kubernetes does not have is found by the type checker.
Today: Service, Deployment, HorizontalPodAutoscaler.
"""

from __future__ import annotations

from tonnage.manifests.render import render, render_text

__all__ = ["render", "render_text"]
