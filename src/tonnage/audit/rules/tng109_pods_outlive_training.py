"""Pods that outlive their training.

What it finds:
    A TFJob with parameter servers, or an MPIJob with workers, whose cleanPodPolicy is None, which is the
    default.
Why it matters:
    Parameter servers and MPI's workers serve until they are ended. When the training is done nobody ends
    them, and they hold what they asked for, GPUs too, until the job is deleted.
    Source: kubeflow/training-operator v1.9.3 pkg/apis/kubeflow.org/v1/tensorflow_defaults.go;
    kubeflow/mpi-operator v0.8.2 pkg/apis/kubeflow/v2beta1/default.go.
Bad:
    apiVersion: kubeflow.org/v2beta1
    kind: MPIJob
    metadata: {name: ranker}
    spec:
      mpiReplicaSpecs:
        Launcher: {replicas: 1, template: {spec: {containers: [{name: mpi}]}}}
        Worker: {replicas: 2, template: {spec: {containers: [{name: mpi}]}}}
Good:
    apiVersion: kubeflow.org/v2beta1
    kind: MPIJob
    metadata: {name: ranker}
    spec:
      runPolicy: {cleanPodPolicy: Running}
      mpiReplicaSpecs:
        Launcher: {replicas: 1, template: {spec: {containers: [{name: mpi}]}}}
        Worker: {replicas: 2, template: {spec: {containers: [{name: mpi}]}}}
How to fix:
    Set cleanPodPolicy to Running.
Limits:
    A ttlSecondsAfterFinished deletes the job with its pods, so that it is passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    names = {"TFJob": "PS", "MPIJob": "Worker"}
    role = training.role(names[training.kind]) if training.is_kubeflow and training.kind in names else None
    path = ("spec", "runPolicy", "cleanPodPolicy")
    said = training.item.at(*path) or training.item.at("spec", "cleanPodPolicy")
    ttl = training.item.at("spec", "runPolicy", "ttlSecondsAfterFinished")
    if role is not None and role.replicas and said in (None, "None") and ttl is None:
        message = f"{role.replicas} pods of {role.name} run on when the training is done"
        yield Hit(path, message, (Change(path, "Running"),))


RULE = Rule("TNG109", "warning", "training", _check, __doc__)
