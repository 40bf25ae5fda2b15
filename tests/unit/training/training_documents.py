"""Documents that the tests of training jobs share."""

from __future__ import annotations

from typing import Any

from tonnage.spec.training import TrainingJob
from tonnage.training import Rendering

CHECKPOINTS = {"type": "claim", "name": "checkpoints", "claim": "c", "mountPath": "/checkpoints"}
RESTARTABLE = {"volumes": [CHECKPOINTS], "checkpoint": {"path": "/checkpoints"}}


def job(name: str = "t", **spec: Any) -> TrainingJob:
    """A PyTorch training with two workers and what is given."""
    return TrainingJob.model_validate(
        {
            "apiVersion": "tonnage.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name},
            "spec": {
                "framework": "pytorch",
                "image": "t:v1",
                "command": ["python", "train.py"],
                "workers": 2,
                **spec,
            },
        }
    )


def only(rendering: Rendering, kind: str) -> dict[str, Any]:
    """The one object of a kind."""
    (found,) = [one for one in rendering.objects if one["kind"] == kind]
    return found


def variables(template: dict[str, Any]) -> dict[str, Any]:
    """Variables of a pod's one container: values, or where they come from."""
    (container,) = template["spec"]["containers"]
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}
