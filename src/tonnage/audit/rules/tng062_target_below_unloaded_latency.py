"""Target that no number of replicas reaches.

What it finds:
    A latency target at or below the p99 that the model has when it is alone.
Why it matters:
    The metric stays above the target however many replicas there are, so the autoscaler goes to maxReplicas
    and stays there.
    Source: ai-dynamo/dynamo#8861 and #11624; k8s.io/kubernetes v1.37.2
    pkg/controller/podautoscaler/replica_calculator.go.
Given:
    unloaded_s_p99=0.12
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
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
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: Pods
        pods:
          metric: {name: inference_latency_p99}
          target: {type: AverageValue, averageValue: 250m}
How to fix:
    Raise the target well above the unloaded p99, make the model faster, or scale on a load metric.
Limits:
    Needs --profile. A metric counts as a latency by its name, and as seconds unless its name says ms.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    unloaded_s = autoscaler.context.measured.unloaded_s_p99
    for metric in autoscaler.metrics if unloaded_s is not None else ():
        target_s = metric.seconds
        if target_s is not None and unloaded_s is not None and target_s <= unloaded_s:
            message = f"{metric.name} is never below {unloaded_s:g} s, and the target is {target_s:g} s"
            yield Hit(metric.target_path, message)


RULE = Rule("TNG062", "error", "autoscaler", _check, __doc__)
