"""Port of the node.

What it finds:
    A container with a hostPort, in a workload with replicas.
Why it matters:
    Only one replica fits on a node, and a rolling update that brings a new pod up first needs a spare node.
    Source: kubernetes.io/docs/concepts/configuration/overview, hostPort.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080, hostPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
How to fix:
    Use a Service.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    ports = container.at("ports")
    for index, port in enumerate(ports if isinstance(ports, list) else []):
        if isinstance(port, Mapping) and port.get("hostPort") and container.workload.is_replicated:
            path = (*container.path, "ports", index, "hostPort")
            yield Hit(
                path, f"only one replica fits on a node, because each takes its port {port['hostPort']}"
            )


RULE = Rule("TNG097", "warning", "container", _check, __doc__)
