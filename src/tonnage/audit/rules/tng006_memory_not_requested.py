"""No memory requested.

What it finds:
    A container that serves, or that uses a GPU, without a memory request or limit.
Why it matters:
    The scheduler packs it anywhere, and it is among the first that the kernel or the kubelet kills when the
    node's memory runs out.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction.
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
            resources: {requests: {cpu: 2}}
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
            resources: {requests: {cpu: 2, memory: 4Gi}}
How to fix:
    Request what the model needs with its largest batch; tonnage profile measures it.
Limits:
    A LimitRange of the namespace may fill it in; that is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    said = {*container.amounts("requests"), *container.amounts("limits")}
    if container.must_be_sized and "memory" not in said:
        path = (*container.path, "resources")
        yield Hit(path, f"container {container.name} requests no memory, so it is killed first")


RULE = Rule("TNG006", "warning", "container", _check, __doc__)
