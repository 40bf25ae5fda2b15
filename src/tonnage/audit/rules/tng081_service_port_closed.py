"""Service to a port name that no container has.

What it finds:
    A targetPort given by a name that no container of the selected pods declares.
Why it matters:
    The Service has no endpoints for that port, so every request to it fails.
    Source: k8s.io/kubernetes v1.37.2 pkg/api/v1/pod/util.go, FindPort.
Bad:
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}, ports: [{port: 80, targetPort: web}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{name: http, containerPort: 8080}]}]}
Good:
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}, ports: [{port: 80, targetPort: http}]}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{name: http, containerPort: 8080}]}]}
How to fix:
    Use the name that the container declares.
Limits:
    Reported where no selected workload has the name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import KubeService, is_placeholder
from tonnage.audit.rule import Hit, Rule


def _check(service: KubeService) -> Iterator[Hit]:
    names: set[str] = set()
    for workload in service.targets:
        for _, init in workload.listed("initContainers"):
            ports = init.get("ports")
            names |= (
                {str(port.get("name")) for port in ports if isinstance(port, Mapping)} if ports else set()
            )
        names = names.union(*(container.port_names for container in workload.containers))
    listed = service.item.at("spec", "ports")
    for index, port in enumerate(listed if isinstance(listed, list) and service.targets else []):
        name = port.get("targetPort") if isinstance(port, Mapping) else None
        if isinstance(name, str) and not name.isdecimal() and not is_placeholder(name) and name not in names:
            yield Hit(
                ("spec", "ports", index, "targetPort"), f"no container of its pods declares a port {name}"
            )


RULE = Rule("TNG081", "error", "service", _check, __doc__)
