"""Master without the workers' GPU.

What it finds:
    A PyTorchJob whose workers have GPUs and whose master has none, or the other way round.
Why it matters:
    The master is the worker of rank 0, and takes part in every collective operation. With NCCL it fails at
    the first of them, and the others with it.
    Source: kubeflow/training-operator v1.9.3 pkg/controller.v1/pytorch/master.go, envvar.go (rank 0);
    docs.pytorch.org, torch.distributed, NCCL backend.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master:
          template: {spec: {containers: [{name: pytorch}]}}
        Worker:
          replicas: 3
          template: {spec: {containers: [{name: pytorch, resources: {limits: {nvidia.com/gpu: 1}}}]}}
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master:
          template: {spec: {containers: [{name: pytorch, resources: {limits: {nvidia.com/gpu: 1}}}]}}
        Worker:
          replicas: 3
          template: {spec: {containers: [{name: pytorch, resources: {limits: {nvidia.com/gpu: 1}}}]}}
How to fix:
    Give both the same devices.
Limits:
    A program that uses gloo for rank 0 only would work; few do.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    master, worker = training.role("Master"), training.role("Worker")
    if training.kind != "PyTorchJob" or master is None or worker is None or not worker.replicas:
        return
    if bool(master.pod.gpus) != bool(worker.pod.gpus):
        role, other = (master, worker) if worker.pod.gpus else (worker, master)
        message = f"{role.name} has no GPU and {other.name} has, though they are ranks of one group"
        yield Hit((*role.pod.path, "containers"), message)


RULE = Rule("TNG119", "error", "training", _check, __doc__)
