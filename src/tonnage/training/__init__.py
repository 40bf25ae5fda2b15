"""Training jobs on several workers as Kubernetes objects, whichever operator the cluster has.

Pure: ``choose`` picks a back end from what an API server offers, ``render`` makes its objects, ``pods_of``
says what must be placed together, and ``status_of`` reads a job's state out of what a cluster holds.
"""

from __future__ import annotations

from tonnage.training.choice import choose, choose_unseen
from tonnage.training.planned import pods_of
from tonnage.training.render import render
from tonnage.training.status import status_of
from tonnage.training.values import (
    Choice,
    PlannedPod,
    Rendering,
    Served,
    TrainingStatus,
    WorkerStatus,
)

__all__ = [
    "Choice",
    "PlannedPod",
    "Rendering",
    "Served",
    "TrainingStatus",
    "WorkerStatus",
    "choose",
    "choose_unseen",
    "pods_of",
    "render",
    "status_of",
]
