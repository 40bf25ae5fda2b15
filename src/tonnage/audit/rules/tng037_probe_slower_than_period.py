"""Probe that may take longer than its period.

What it finds:
    A probe whose timeoutSeconds is larger than its periodSeconds.
Why it matters:
    The kubelet runs one probe of a kind at a time, so that failures come in steps of the timeout and not of
    the period: the container is given up later than it reads.
    Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/prober/worker.go, run and doProbe.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 5, timeoutSeconds: 30}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 5, timeoutSeconds: 5}
How to fix:
    Make the timeout at most the period.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    for probe in container.probes:
        if probe.timeout_s > probe.period_s:
            message = f"one try may take {probe.timeout_s} s, while the next is due after {probe.period_s} s"
            yield Hit((*probe.path, "timeoutSeconds"), message)


RULE = Rule("TNG037", "warning", "container", _check, __doc__)
