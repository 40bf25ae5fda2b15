"""Training whose pods are placed one by one.

What it finds:
    A training of several GPU pods that meet each other, with nobody to place them all or not at all: no queue
    of Kueue, no PodGroup, no scheduler that knows gangs.
Why it matters:
    Some pods get their GPUs and wait for the others, which find none. Two such trainings can hold half of the
    cluster each, for ever, and neither begins.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/gang-scheduling; kueue.sigs.k8s.io,
    all-or-nothing; volcano.sh, gang scheduling.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 4
      parallelism: 4
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: worker
            command: [torchrun, --nnodes=4, train.py]
            resources: {limits: {nvidia.com/gpu: 8}}
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker, labels: {kueue.x-k8s.io/queue-name: team}}
    spec:
      suspend: true
      completionMode: Indexed
      completions: 4
      parallelism: 4
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: worker
            command: [torchrun, --nnodes=4, train.py]
            resources: {limits: {nvidia.com/gpu: 8}}
How to fix:
    Put it into a queue of Kueue, or give its pods a PodGroup of the core scheduler, Volcano or coscheduling;
    tonnage train render writes each of them.
Limits:
    A cluster whose operator makes the groups by itself is not seen. The runtime of a TrainJob decides there,
    so that TrainJobs are passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    if training.meets and training.gpus and not training.is_placed_together:
        yield Hit(("spec",), f"{training.pods} pods with GPUs are placed one by one, and begin only together")


RULE = Rule("TNG100", "warning", "training", _check, __doc__)
