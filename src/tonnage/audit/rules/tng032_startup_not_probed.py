"""Slow start without a startup probe.

What it finds:
    A liveness probe without a startup probe, on a container that has a GPU or whose liveness waits a minute
    or more before it begins.
Why it matters:
    The time to load a model and the time to notice that it hangs are different things. Without a startup
    probe one number stands for both: too short, and a slow load is killed again and again; too long, and a
    hang goes unnoticed.
    Source: kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes; kserve#5062,
    kaito#1796, production-stack#688.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        livenessProbe: {httpGet: {path: /livez, port: 8080}, initialDelaySeconds: 60}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        startupProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 5, failureThreshold: 60}
        livenessProbe: {httpGet: {path: /livez, port: 8080}}
How to fix:
    Add a startup probe whose failureThreshold times periodSeconds is about three times the measured start.
Limits:
    How long the model loads is not known here; with --profile TNG033 compares.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    liveness = container.probe("liveness")
    if liveness is None or container.probe("startup") is not None:
        return
    if container.gpus or liveness.delay_s >= 60:
        message = f"a start that takes longer than {liveness.budget_s} s is killed, and starts again"
        yield Hit(liveness.path, message)


RULE = Rule("TNG032", "warning", "container", _check, __doc__)
