"""Liveness depends on the model being ready.

What it finds:
    A liveness probe on a path that tells readiness or runs the model, such as /v2/health/ready or /predict.
Why it matters:
    It fails when the server is busy, draining or waiting for something else, and a restart helps in none of
    these cases.
    Source: Open Inference Protocol, health API; kubernetes.io, probes (caution).
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        livenessProbe: {httpGet: {path: /v2/health/ready, port: 8080}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        livenessProbe: {httpGet: {path: /v2/health/live, port: 8080}}
How to fix:
    Ask for liveness where the server has it: /v2/health/live, /livez.
Limits:
    Known by the words in the path only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule

_READINESS: Final = re.compile(
    r"(^|[/_-])(ready|readyz|readiness|predict|predictions|infer|invocations|generate)([/_-]|$)"
)


def _check(container: Container) -> Iterator[Hit]:
    liveness = container.probe("liveness")
    if liveness is not None and _READINESS.search(liveness.http_path.casefold()):
        message = f"{liveness.http_path} fails while the server is busy or drains, and then it is killed"
        yield Hit((*liveness.path, "httpGet", "path"), message)


RULE = Rule("TNG035", "warning", "container", _check, __doc__)
