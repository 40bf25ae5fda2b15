"""Rendezvous for another number of pods.

What it finds:
    torchrun's --nnodes as a number that is not that of the pods.
Why it matters:
    With more than there are, the rendezvous waits until it gives up; with fewer, the pods beyond them find it
    closed and fail.
    Source: docs.pytorch.org, torchrun, --nnodes.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 2
      parallelism: 2
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [torchrun, --nnodes=4, train.py]}]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 2
      parallelism: 2
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker, command: [torchrun, --nnodes=2, train.py]}]
How to fix:
    Make --nnodes the number of pods.
Limits:
    A range such as 2:4 is elastic and must hold the number of pods. Numbers in variables are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule

_OPTION: Final = re.compile(r"--nnodes[= ]([0-9]+)(?::([0-9]+))?(?![0-9:])")


def _check(training: Training) -> Iterator[Hit]:
    for role in training.roles if training.pods > 0 else ():
        pods = training.pods if training.is_kubeflow else role.replicas
        for one in role.pod.container_views:
            for name in ("command", "args"):
                words = one.at(name)
                text = " ".join(map(str, words)) if isinstance(words, list) else ""
                found = _OPTION.search(text)
                low, high = (int(found[1]), int(found[2] or found[1])) if found else (pods, pods)
                if not low <= pods <= high:
                    said = str(low) if low == high else f"{low} to {high}"
                    yield Hit((*one.path, name), f"the rendezvous is for {said} pods, and there are {pods}")


RULE = Rule("TNG117", "error", "training", _check, __doc__)
