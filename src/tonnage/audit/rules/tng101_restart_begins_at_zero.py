"""Restart that begins at zero.

What it finds:
    A training on GPUs that is started again after a failure, with no volume, store or variable that could
    keep a checkpoint.
Why it matters:
    What the pod wrote is gone with it. Each restart begins with the first step, and a training that is longer
    than the time between two failures never ends.
    Source: docs.pytorch.org, torchrun, fault tolerance (restarts from the last checkpoint).
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master:
          restartPolicy: OnFailure
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 1}}
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Master:
          restartPolicy: OnFailure
          template:
            spec:
              containers:
              - name: pytorch
                resources: {limits: {nvidia.com/gpu: 1}}
                volumeMounts: [{name: checkpoints, mountPath: /checkpoints}]
              volumes:
              - name: checkpoints
                persistentVolumeClaim: {claimName: ranker}
How to fix:
    Mount a claim that all workers can reach and write checkpoints there, or say Never.
Limits:
    A store counts by its name: s3:// and the like, or a variable with BUCKET or CHECKPOINT in it. Nothing
    tells whether the program resumes. On spot nodes TNG113 says it. TrainJobs are passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    path = training.restarts
    if path is None or not training.gpus or not training.trains or training.is_on_spot:
        return
    if not training.keeps:
        yield Hit(path, "it is started again after a failure, and nothing that it wrote is left then")


RULE = Rule("TNG101", "warning", "training", _check, __doc__)
