"""Scaling on a counter that only grows.

What it finds:
    A Pods metric whose name is that of a counter or of a part of a histogram: it ends in _total, _count,
    _sum or _bucket.
Why it matters:
    The value never falls, so that the autoscaler goes to maxReplicas some time after the start and stays.
    Source: pytorch/serve#3286 (TorchServe's own guide scaled on such a counter).
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
          metric: {name: ts_inference_requests_total}
          target: {type: AverageValue, averageValue: 100}
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
          metric: {name: ts_inference_requests_per_second}
          target: {type: AverageValue, averageValue: 100}
How to fix:
    Scale on its rate, which the adapter makes of it, under a name that says so.
Limits:
    An adapter may serve a rate under the counter's name; rename it, so that people are not misled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule

_GROWING: Final = ("_total", "_count", "_sum", "_bucket")


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    for metric in autoscaler.metrics:
        if metric.type in ("Pods", "Object") and metric.name.endswith(_GROWING):
            yield Hit(metric.path, f"{metric.name} is a counter by its name, and never falls")


RULE = Rule("TNG064", "error", "autoscaler", _check, __doc__)
