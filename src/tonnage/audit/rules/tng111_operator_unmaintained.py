"""Operator that nobody maintains.

What it finds:
    A training of the Training Operator v1: PyTorchJob, TFJob, JAXJob, XGBoostJob, PaddleJob, and its MPIJob.
Why it matters:
    Upstream works on Trainer v2 only, and Kueue has deprecated these kinds: faults of the operator stay, and
    a cluster's upgrade may be its end.
    Source: kubeflow/trainer README (migration); kueue#12620.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master: {template: {spec: {containers: [{name: pytorch}]}}}
Good:
    apiVersion: trainer.kubeflow.org/v1alpha1
    kind: TrainJob
    metadata: {name: ranker}
    spec:
      runtimeRef: {name: torch-distributed}
How to fix:
    Move to a TrainJob, a JobSet or an Indexed Job; tonnage train render --backend writes each of them.
Limits:
    TFJob's parameter servers have no successor in Trainer v2; a JobSet can run them.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    if training.item.reference.api_version == "kubeflow.org/v1":
        message = f"{training.kind} is of the Training Operator v1, which nobody maintains any more"
        yield Hit(("kind",), message)


RULE = Rule("TNG111", "info", "training", _check, __doc__)
