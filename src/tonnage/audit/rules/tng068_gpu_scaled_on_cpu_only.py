"""GPU service scaled on CPU alone.

What it finds:
    An HPA on CPU or memory only, whose target uses GPUs.
Why it matters:
    The GPU saturates while the CPU idles, so that latency grows and nothing is scaled; or a busy
    tokenizer adds GPUs that nobody needs.
    Source: kubernetes#59633 (GPU metrics are not built in), kserve#4259.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, resources: {limits: {nvidia.com/gpu: 1}}}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 2}}}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, resources: {limits: {nvidia.com/gpu: 1}}}]}
    ---
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
          metric: {name: tonnage_requests_in_flight}
          target: {type: AverageValue, averageValue: 4}
How to fix:
    Scale on requests in flight, queue length or latency.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    metrics, target = list(autoscaler.metrics), autoscaler.target
    if metrics and all(one.is_resource for one in metrics) and target is not None and target.gpus:
        names = " and ".join(sorted({one.name for one in metrics}))
        yield Hit(metrics[0].path, f"{names} says little about how busy the GPUs are")


RULE = Rule("TNG068", "warning", "autoscaler", _check, __doc__)
