"""What a cluster's objects say about a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.training.values import Phase, TrainingStatus


def status_of(
    name: str,
    objects: Sequence[Mapping[str, Any]],
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]] = (),
) -> TrainingStatus:
    """Reads a job's state.

    Args:
        name: The job's name.
        objects: Its objects as the cluster holds them, of any kind, pods left out.
        pods: Its pods, old ones included.
        events: Events about its objects and pods.
    """
    phase: Phase = "Pending"
    for one in objects:
        for condition in one.get("status", {}).get("conditions", ()):
            if condition.get("status") == "True" and condition["type"] in ("Complete", "Failed"):
                phase = "Succeeded" if condition["type"] == "Complete" else "Failed"
    return TrainingStatus(name, phase, ())
