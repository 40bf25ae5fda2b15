"""One failure uses up the retries.

What it finds:
    A Job whose pods meet each other and whose backoffLimit (6 without one) is less than their number.
Why it matters:
    When one worker fails, the others lose it and fail too. Each counts: with eight workers and the default of
    six, the first failure ends the training, although six retries were meant.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/job/job_controller.go, exceedsBackoffLimit.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 8
      parallelism: 8
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [torchrun, --nnodes=8, train.py]}]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 8
      parallelism: 8
      backoffLimit: 24
      podFailurePolicy:
        rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [torchrun, --nnodes=8, train.py]}]
How to fix:
    Give the number of workers times the failures that it may have, and let a podFailurePolicy ignore
    DisruptionTarget, so that drains and preemptions do not count.
Limits:
    With 0 nothing is to be tried again, and nothing is said. With restartPolicy OnFailure containers are
    started again where they are; those count in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    item = training.item
    if not training.is_core or not training.meets or item.at("spec", "backoffLimitPerIndex") is not None:
        return
    said = item.at("spec", "backoffLimit")
    limit = said if isinstance(said, int) and not isinstance(said, bool) else 6
    if 0 < limit < training.pods:
        message = f"{training.pods} workers that fail together are more than the {limit} failures it may have"
        yield Hit(("spec", "backoffLimit"), message)


RULE = Rule("TNG106", "warning", "training", _check, __doc__)
