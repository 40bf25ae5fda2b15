"""Privileged container.

What it finds:
    A container with securityContext.privileged in a workload that is no DaemonSet.
Why it matters:
    It has the whole node, with every GPU of it and every other pod's files. No GPU needs it: device plug-ins
    hand devices to containers without.
    Source: kubernetes.io/docs/concepts/security/pod-security-standards, baseline.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        securityContext: {privileged: true}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        securityContext: {allowPrivilegeEscalation: false}
How to fix:
    Remove it, and ask for the device in limits.
Limits:
    DaemonSets are left out, as drivers and device plug-ins need it. With TPUs, for which older clusters need
    it, it is told for information.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    path = ("securityContext", "privileged")
    if container.at(*path) is True and container.workload.item.kind != "DaemonSet":
        tpu = "google.com/tpu" in {**container.amounts("limits"), **container.amounts("requests")}
        message = f"container {container.name} has the whole node"
        yield Hit((*container.path, *path), message, severity="info" if tpu else None)


RULE = Rule("TNG093", "error", "container", _check, __doc__)
