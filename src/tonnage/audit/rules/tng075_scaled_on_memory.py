"""Model server scaled on memory.

What it finds:
    An HPA with a memory metric.
Why it matters:
    The model and the allocator's caches fill memory once and keep it. The metric hardly moves with load, and
    hardly ever falls: the service scales up once, and never down while it is there.
    Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, several metrics (the largest
    counts).
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 4Gi}}}]
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 2}}}]
How to fix:
    Scale on requests in flight, queue length, latency or CPU, and size memory by requests and limits.
Limits:
    Where memory does follow load, as in a cache of sessions, excuse it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    for metric in autoscaler.metrics:
        if metric.is_resource and metric.name == "memory":
            yield Hit(metric.path, "memory does not fall when load does, so it holds the replicas up")


RULE = Rule("TNG075", "warning", "autoscaler", _check, __doc__)
