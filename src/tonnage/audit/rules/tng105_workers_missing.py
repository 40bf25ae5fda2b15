"""Workers that never run together.

What it finds:
    A Job whose pods meet each other, and whose completions and parallelism differ.
Why it matters:
    Only as many pods as the parallelism run at a time, and the rendezvous waits for all. With more
    completions than that it is never complete; with fewer, the pods beyond them are never made.
    Source: kubernetes.io/docs/concepts/workloads/controllers/job, parallel execution.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 8
      parallelism: 4
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
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [torchrun, --nnodes=8, train.py]}]
How to fix:
    Make completions and parallelism the number of workers.
Limits:
    Jobs only count as meeting by words such as torchrun or MASTER_ADDR in their containers.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    completions = training.item.at("spec", "completions")
    if training.is_core and training.meets and isinstance(completions, int) and completions != training.pods:
        message = f"{completions} workers are to meet, and {training.pods} run at a time"
        yield Hit(("spec", "completions"), message)


RULE = Rule("TNG105", "error", "training", _check, __doc__)
