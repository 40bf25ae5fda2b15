"""Liveness and readiness ask the same endpoint.

What it finds:
    A liveness probe with the path and port of the readiness probe, and no more patience than it.
Why it matters:
    Readiness fails while a model loads, drains or has too much to do. The same answer then has the container
    killed, which loads the model again while its load goes to the others: overload becomes an outage.
    Source: kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes
    (caution); kubernetes#84095, #51650.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readinessProbe: {httpGet: {path: /health, port: 8080}}
        livenessProbe: {httpGet: {path: /health, port: 8080}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readinessProbe: {httpGet: {path: /health, port: 8080}}
        livenessProbe: {httpGet: {path: /livez, port: 8080}}
How to fix:
    Give liveness an endpoint that fails only when the process makes no progress, or at least three times the
    patience of readiness.
Limits:
    Commands and TCP probes are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    liveness, readiness = container.probe("liveness"), container.probe("readiness")
    if liveness is None or readiness is None or liveness.endpoint is None:
        return
    if liveness.endpoint == readiness.endpoint and liveness.patience_s < 3 * readiness.patience_s:
        message = (
            f"liveness asks what readiness asks ({liveness.endpoint[1]}), so an unready container is killed"
        )
        yield Hit(liveness.path, message)


RULE = Rule("TNG031", "warning", "container", _check, __doc__)
