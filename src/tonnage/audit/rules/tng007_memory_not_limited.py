"""Memory without a limit.

What it finds:
    A container that requests memory and has no memory limit.
Why it matters:
    A queue or a cache that grows takes the node down with everything on it, GPUs included, where a limit
    would end one container.
    Source: kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {cpu: 2, memory: 4Gi}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {cpu: 2, memory: 4Gi}
          limits: {memory: 8Gi}
How to fix:
    Set a memory limit above the measured peak.
Limits:
    A LimitRange of the namespace may fill it in; that is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    whole = container.workload.at("resources", "limits", "memory")
    if (
        "memory" in container.amounts("requests")
        and "memory" not in container.amounts("limits")
        and not whole
    ):
        path = (*container.path, "resources", "requests", "memory")
        yield Hit(path, f"container {container.name} may take all of its node's memory")


RULE = Rule("TNG007", "warning", "container", _check, __doc__)
