"""GPU count that leaves some over.

What it finds:
    A training whose pods take a number of GPUs that does not divide those of a node.
Why it matters:
    The rest of each node is of no use to the training, and often to nobody: pods of 3 leave 2 of 8. A pod of
    more GPUs than a node has is placed nowhere.
    Source: k8s.io/kubernetes v1.37.2 pkg/scheduler/framework/plugins/noderesources/fit.go.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Worker:
          replicas: 4
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 3}}
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Worker:
          replicas: 3
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 4}}
How to fix:
    Take 1, 2, 4 or all GPUs of a node for each pod, and more or fewer pods.
Limits:
    Without --nodes a node is taken to have 8, and the finding is for information. MIG slices are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule

_USUAL: Final = 8
_USUAL_MOST: Final = 16


def _check(training: Training) -> Iterator[Hit]:
    for name, count in training.gpus.items():
        amounts = [dict(node.allocatable.scalars).get(name, 0) for node in training.context.nodes]
        sizes = sorted({amount for amount in amounts if amount})
        if "/mig-" in name or training.pods < 2:
            continue
        if sizes and all(size % count for size in sizes):
            having = " or ".join(map(str, sizes))
            yield Hit(_path(training), f"pods of {count} {name} do not divide the {having} of a node")
        elif not sizes and _USUAL % count and count < _USUAL_MOST:
            message = f"pods of {count} {name} leave {_USUAL % count} of {_USUAL} over on a node"
            message = message if count < _USUAL else f"few nodes have {count} {name}"
            yield Hit(_path(training), message, severity="info")


def _path(training: Training) -> tuple[str | int, ...]:
    most = max(training.roles, key=lambda role: sum(role.pod.gpus.values()), default=None)
    return most.pod.path if most is not None else ("spec", "trainer", "resourcesPerNode")


RULE = Rule("TNG102", "warning", "training", _check, __doc__)
