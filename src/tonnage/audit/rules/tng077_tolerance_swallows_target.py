"""Tolerance so wide that overload passes.

What it finds:
    A scale-up tolerance of 0.5 or more.
Why it matters:
    Within the tolerance nothing is scaled: at 0.5 a service may run half over its target for ever.
    Source: kubernetes/enhancements KEP-4951.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleUp: {tolerance: "0.5"}}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleUp: {tolerance: "0.05"}}
How to fix:
    Use 0.1 (the default) or less for scale-up, and set the target where the service should be.
Limits:
    Needs a cluster with HPAConfigurableTolerance; others ignore the field.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler, quantity_or_none
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    tolerance = quantity_or_none(autoscaler.rules("scaleUp").get("tolerance"))
    if tolerance is not None and float(tolerance) >= 0.5:
        path = ("spec", "behavior", "scaleUp", "tolerance")
        yield Hit(path, f"nothing is added up to {float(tolerance):.0%} above the target")


RULE = Rule("TNG077", "warning", "autoscaler", _check, __doc__)
