"""Liveness that load can fail.

What it finds:
    A liveness probe of a container that serves, which kills after less than 30 s of answers later
    than 1 s.
Why it matters:
    A probe's answer queues behind requests for the CPU. In a burst several in a row are late, the container
    is killed, and the burst goes to the others.
    Source: kubernetes#84095, #64088; kubernetes.io, probes (caution).
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            livenessProbe: {httpGet: {path: /livez, port: 8080}, periodSeconds: 5, failureThreshold: 2}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            livenessProbe: {httpGet: {path: /livez, port: 8080}, timeoutSeconds: 5, failureThreshold: 3}
How to fix:
    Set timeoutSeconds to some seconds, and failureThreshold times periodSeconds to 30 s or more.
Limits:
    Kubernetes' defaults (10 s, three times, 1 s) are let pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    liveness = container.probe("liveness")
    if liveness is None or not container.workload.serves or liveness.timeout_s > 1:
        return
    if liveness.patience_s < 30:
        message = f"{liveness.patience_s} s of answers later than {liveness.timeout_s} s kill the container"
        yield Hit(liveness.path, message)


RULE = Rule("TNG036", "warning", "container", _check, __doc__)
