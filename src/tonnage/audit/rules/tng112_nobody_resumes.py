"""Suspended, and nobody to resume it.

What it finds:
    A training with suspend true and no queue that would start it.
Why it matters:
    It makes no pod until somebody sets suspend to false. Kueue does that for jobs with its label only.
    Source: kubernetes.io/docs/concepts/workloads/controllers/job, suspending a job;
    kueue v0.19.0 pkg/controller/jobframework.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      suspend: true
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [python, train.py]}]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker, labels: {kueue.x-k8s.io/queue-name: team}}
    spec:
      suspend: true
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [python, train.py]}]
How to fix:
    Give it the label kueue.x-k8s.io/queue-name, or set suspend to false.
Limits:
    A Kueue that manages jobs without a queue name, and people who resume by hand, are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    for path in (("spec", "suspend"), ("spec", "runPolicy", "suspend")):
        if training.item.at(*path) is True and not training.is_queued:
            yield Hit(path, "it starts when somebody sets suspend to false, and no queue is named that would")


RULE = Rule("TNG112", "warning", "training", _check, __doc__)
