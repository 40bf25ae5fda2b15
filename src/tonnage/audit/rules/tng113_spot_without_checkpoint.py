"""Spot nodes, and nothing that outlives them.

What it finds:
    A training on GPUs that chooses spot or preemptible nodes, with no volume, store or variable that could
    keep a checkpoint.
Why it matters:
    The provider takes such nodes back within minutes, often several a day. All work since the start is lost
    each time.
    Source: cloud.google.com/kubernetes-engine/docs/concepts/spot-vms; docs.aws.amazon.com, Spot Instance
    interruptions.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          nodeSelector: {cloud.google.com/gke-spot: "true"}
          containers:
          - name: worker
            command: [python, train.py]
            resources: {limits: {nvidia.com/gpu: 1}}
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          nodeSelector: {cloud.google.com/gke-spot: "true"}
          containers:
          - name: worker
            command: [python, train.py, --checkpoints=gs://team/ranker]
            resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Write checkpoints to a claim or a store, and resume from the last one.
Limits:
    A store counts by its name, as in TNG101. Nothing tells whether the program resumes.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    if training.gpus and training.trains and training.is_on_spot and not training.keeps:
        role = next(iter(training.roles))
        yield Hit(role.pod.path, "its nodes are taken back at any time, and nothing that it wrote is left")


RULE = Rule("TNG113", "warning", "training", _check, __doc__)
