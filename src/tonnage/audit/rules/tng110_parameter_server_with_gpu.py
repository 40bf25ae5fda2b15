"""Parameter server with a GPU.

What it finds:
    A parameter server of a TFJob, or a launcher of an MPIJob beside workers, that asks for a GPU.
Why it matters:
    A parameter server keeps and adds variables in memory, a launcher starts processes elsewhere: the GPU is
    held and not used.
    Source: tensorflow.org/guide/distributed_training, parameter server strategy;
    kubeflow.org, MPIJob, launcher.
Bad:
    apiVersion: kubeflow.org/v1
    kind: TFJob
    metadata: {name: ranker}
    spec:
      tfReplicaSpecs:
        PS:
          template:
            spec: {containers: [{name: tensorflow, resources: {limits: {nvidia.com/gpu: 1}}}]}
        Worker:
          template:
            spec: {containers: [{name: tensorflow, resources: {limits: {nvidia.com/gpu: 1}}}]}
Good:
    apiVersion: kubeflow.org/v1
    kind: TFJob
    metadata: {name: ranker}
    spec:
      tfReplicaSpecs:
        PS:
          template:
            spec: {containers: [{name: tensorflow, resources: {limits: {cpu: 4, memory: 16Gi}}}]}
        Worker:
          template:
            spec: {containers: [{name: tensorflow, resources: {limits: {nvidia.com/gpu: 1}}}]}
How to fix:
    Give it CPUs and memory only.
Limits:
    A launcher that works too (runLauncherAsWorker) is passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    names = {"TFJob": "PS", "MPIJob": "Launcher"}
    role = training.role(names[training.kind]) if training.is_kubeflow and training.kind in names else None
    works = training.item.at("spec", "runLauncherAsWorker") is True
    if role is None or works or len(training.roles) < 2:
        return
    for one in role.pod.container_views:
        if one.gpus:
            count = sum(one.gpus.values())
            yield Hit((*one.path, "resources"), f"each {role.name} holds {count} GPUs and uses none")


RULE = Rule("TNG110", "warning", "training", _check, __doc__)
