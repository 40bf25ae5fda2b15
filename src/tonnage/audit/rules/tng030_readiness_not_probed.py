"""No readiness probe where requests come in.

What it finds:
    A container with ports, in a workload that a Service selects, without a readiness probe.
Why it matters:
    Requests come as soon as the process runs, while the model still loads, at every rollout.
    Source: kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            readinessProbe: {httpGet: {path: /health, port: 8080}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}}
How to fix:
    Probe an endpoint that answers 200 only when the model is loaded and warm.
Limits:
    Reported once for a pod, and not where any container of it has one.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    workload = container.workload
    ported = [one for one in workload.containers if one.value.get("ports")]
    if not workload.is_replicated or not workload.services or not ported or ported[0].path != container.path:
        return
    if all(one.probe("readiness") is None for one in workload.containers):
        message = "requests come before it can answer them, because nothing says when it can"
        yield Hit((*container.path, "readinessProbe"), message)


RULE = Rule("TNG030", "warning", "container", _check, __doc__)
