"""Training that may hang for ever.

What it finds:
    A training of several GPU pods without activeDeadlineSeconds.
Why it matters:
    When a worker is lost without a word, or the rendezvous never completes, the others wait in a collective
    operation. They run, use no GPU, and hold them until somebody looks.
    Source: kubernetes.io/docs/concepts/workloads/controllers/job, job termination and cleanup.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Worker:
          replicas: 2
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 8}}
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      runPolicy: {activeDeadlineSeconds: 172800}
      pytorchReplicaSpecs:
        Worker:
          replicas: 2
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 8}}
How to fix:
    Set activeDeadlineSeconds to about twice the time that it should take; it does not count while suspended.
Limits:
    Time-outs of the program are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule
from tonnage.kube.paths import Path


def _check(training: Training) -> Iterator[Hit]:
    if not training.meets or not training.gpus:
        return
    paths: list[Path] = [("spec", "activeDeadlineSeconds")]
    if training.is_kubeflow:
        paths.insert(0, ("spec", "runPolicy", "activeDeadlineSeconds"))
    paths += [(*role.path, "template", "spec", "activeDeadlineSeconds") for role in training.roles]
    paths += [(*role.path, "activeDeadlineSeconds") for role in training.roles]
    if all(training.item.at(*path) is None for path in paths):
        yield Hit(paths[0], f"{training.pods} pods with GPUs wait for each other without a bound")


RULE = Rule("TNG107", "info", "training", _check, __doc__)
