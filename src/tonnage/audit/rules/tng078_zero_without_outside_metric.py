"""Down to zero with metrics of its own pods.

What it finds:
    An HPA with minReplicas 0 and neither an Object nor an External metric.
Why it matters:
    Without pods there is no CPU and no Pods metric, so nothing would ever wake it. The API server refuses it.
    Source: kubernetes#69687; k8s.io/kubernetes v1.37.2 pkg/apis/autoscaling/validation/validation.go.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 0
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 2}}}]
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 0
      maxReplicas: 50
      metrics:
      - type: External
        external:
          metric: {name: requests_waiting_in_queue}
          target: {type: AverageValue, averageValue: 4}
How to fix:
    Add a metric that is there without pods, such as the length of a queue, or set minReplicas to 1 or more.
Limits:
    Needs HPAScaleToZero in the cluster, which is on by default from Kubernetes 1.37.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    outside = any(metric.type in ("Object", "External") for metric in autoscaler.metrics)
    if autoscaler.is_hpa and autoscaler.replicas_min == 0 and not outside:
        yield Hit(("spec", "minReplicas"), "no metric is left without pods, so nothing wakes it")


RULE = Rule("TNG078", "error", "autoscaler", _check, __doc__)
