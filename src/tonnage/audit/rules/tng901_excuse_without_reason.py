"""Excuse without a reason.

What it finds:
    An entry of the annotation tonnage.dev/ignore that gives no reason.
Why it matters:
    Nobody who reads it later can tell whether it still holds. The finding that it names stands.
    Source: docs/how-to/audit.md.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: ranker
      annotations: {tonnage.dev/ignore: "TNG040"}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: ranker
      annotations: {tonnage.dev/ignore: "TNG040: the pool always has a spare GPU"}
    spec:
      replicas: 2
      strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}
      template:
        spec:
          containers:
          - name: server
            resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Write the reason behind the code and a colon.
Limits:
    Whether the reason is a good one cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import ObjectView
from tonnage.audit.rule import Hit, Rule


def _check(view: ObjectView) -> Iterator[Hit]:
    del view  # audit.run finds it, from what the other rules found
    yield from ()


RULE = Rule("TNG901", "warning", "object", _check, __doc__)
