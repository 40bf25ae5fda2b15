"""Scaled on latency alone.

What it finds:
    An HPA all of whose metrics are latencies.
Why it matters:
    The HPA multiplies replicas by metric over target, as if latency grew in proportion to load. It is flat
    until the queue builds up and then leaps, so the answer is too late and then too large; and when traffic
    stops there is no latency to scale down on.
    Source: ray-project/ray#64725, ai-dynamo/dynamo#8861; k8s.io/kubernetes v1.37.2
    pkg/controller/podautoscaler/replica_calculator.go.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: Pods
        pods:
          metric: {name: inference_latency_p99}
          target: {type: AverageValue, averageValue: 100m}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: Pods
        pods:
          metric: {name: inference_latency_p99}
          target: {type: AverageValue, averageValue: 100m}
      - type: Pods
        pods:
          metric: {name: tonnage_requests_in_flight}
          target: {type: AverageValue, averageValue: 4}
How to fix:
    Add a metric that grows with load, such as requests in flight.
Limits:
    A metric counts as a latency by its name.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    metrics = list(autoscaler.metrics)
    if metrics and all(metric.is_latency for metric in metrics):
        yield Hit(
            metrics[0].path, f"{metrics[0].name} is flat until it leaps, and there is nothing beside it"
        )


RULE = Rule("TNG079", "info", "autoscaler", _check, __doc__)
