"""Probe of a port name that is not declared.

What it finds:
    A probe that names a port which the container does not declare.
Why it matters:
    The kubelet cannot resolve the name, so that every try fails: the pod is never ready, or is killed.
    Source: k8s.io/kubernetes v1.37.2 pkg/probe/util.go, ResolveContainerPort.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /health, port: web}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /health, port: http}}
How to fix:
    Use the declared name, or the port's number.
Limits:
    KServe's pods are left out, because KServe adds ports.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container, is_placeholder
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    for probe in container.probes:
        port = probe.port
        named = isinstance(port, str) and not port.isdecimal() and not is_placeholder(port)
        if named and port not in container.port_names and not container.workload.is_kserve:
            yield Hit(probe.path, f"the container must declare the port {port}, or every try fails")


RULE = Rule("TNG038", "error", "container", _check, __doc__)
