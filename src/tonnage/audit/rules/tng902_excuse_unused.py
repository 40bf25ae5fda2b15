"""Excuse for nothing.

What it finds:
    An entry of the annotation tonnage.dev/ignore whose finding is not made.
Why it matters:
    It will hide the fault when somebody brings it in.
    Source: docs/how-to/audit.md.
Bad:
    apiVersion: v1
    kind: Pod
    metadata:
      name: ranker
      annotations: {tonnage.dev/ignore: "TNG002: halves are what we want"}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
Good:
    apiVersion: v1
    kind: Pod
    metadata:
      name: ranker
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Remove the entry.
Limits:
    Codes of rules that were left out of the run are not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import ObjectView
from tonnage.audit.rule import Hit, Rule


def _check(view: ObjectView) -> Iterator[Hit]:
    del view  # audit.run finds it, from what the other rules found
    yield from ()


RULE = Rule("TNG902", "warning", "object", _check, __doc__)
