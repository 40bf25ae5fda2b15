"""No CPU requested.

What it finds:
    A container that serves, or that uses a GPU, without a CPU request or limit.
Why it matters:
    The scheduler takes it for free and packs nodes until latency grows; when CPU is short it gets the least
    share of all, and an HPA on CPU utilization gets no number at all.
    Source: kubernetes.io/docs/concepts/configuration/manage-resources-containers.
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
            resources: {requests: {memory: 4Gi}}
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
    Request what a replica uses at its sustainable rate; tonnage profile measures it.
Limits:
    A LimitRange of the namespace may fill it in; that is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    said = {*container.amounts("requests"), *container.amounts("limits")}
    if container.must_be_sized and "cpu" not in said:
        path = (*container.path, "resources")
        yield Hit(path, f"container {container.name} requests no CPU, so its node may have none to spare")


RULE = Rule("TNG005", "warning", "container", _check, __doc__)
