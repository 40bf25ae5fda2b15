"""Latency divided by the number of replicas.

What it finds:
    An Object or External metric that is a latency, with a target of type AverageValue.
Why it matters:
    AverageValue divides the metric by the replicas. A latency is not a sum: ten replicas at 500 ms read as
    50 ms, and nothing is scaled.
    Source: k8s-stackdriver#454; k8s.io/kubernetes v1.37.2
    pkg/controller/podautoscaler/replica_calculator.go, GetExternalPerPodMetricReplicas.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: External
        external:
          metric: {name: request_latency_p95}
          target: {type: AverageValue, averageValue: 200m}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: External
        external:
          metric: {name: request_latency_p95}
          target: {type: Value, value: 200m}
How to fix:
    Use a target of type Value, or a Pods metric.
Limits:
    A metric counts as a latency by its name.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    for metric in autoscaler.metrics:
        averaged = metric.type in ("Object", "External") and metric.target.get("averageValue") is not None
        if averaged and metric.is_latency:
            yield Hit(metric.target_path, f"{metric.name} is divided by the number of replicas")


RULE = Rule("TNG076", "error", "autoscaler", _check, __doc__)
