"""Container without the operator's name.

What it finds:
    A role of a PyTorchJob, TFJob, JAXJob, XGBoostJob or PaddleJob none of whose containers has the name that
    the operator looks for.
Why it matters:
    The operator's webhook refuses the job; without the webhook it never learns that a pod is done.
    Source: kubeflow/training-operator v1.9.3 pkg/webhooks/pytorch/pytorchjob_webhook.go and its siblings.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master: {template: {spec: {containers: [{name: train}]}}}
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master: {template: {spec: {containers: [{name: pytorch}]}}}
How to fix:
    Call the container that trains pytorch, tensorflow, jax, xgboost or paddle.
Limits:
    MPIJobs may call theirs as they like.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule

_NAMES: Final = {
    "PyTorchJob": "pytorch",
    "TFJob": "tensorflow",
    "JAXJob": "jax",
    "XGBoostJob": "xgboost",
    "PaddleJob": "paddle",
}


def _check(training: Training) -> Iterator[Hit]:
    wanted = _NAMES.get(training.kind) if training.is_kubeflow else None
    for role in training.roles if wanted is not None else ():
        containers = role.pod.container_views
        if containers and wanted not in {one.name for one in containers}:
            names = ", ".join(one.name for one in containers)
            yield Hit((*containers[0].path, "name"), f"no container is called {wanted}, only {names}")


RULE = Rule("TNG118", "error", "training", _check, __doc__)
