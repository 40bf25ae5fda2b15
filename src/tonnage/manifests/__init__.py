"""Kubernetes objects of a ``ModelService``: one file per kind, pure, the same bytes every time.

They are built from typed models, so that a field that Kubernetes does not have is found by the type checker.
``render`` makes a service's objects, ``metrics_api`` those that the cluster needs once for all services, and
``files`` and ``chart`` lay them out for kustomize and Helm.
"""

from __future__ import annotations

from tonnage.manifests.release import Release
from tonnage.manifests.render import render, render_text

__all__ = ["Release", "render", "render_text"]
