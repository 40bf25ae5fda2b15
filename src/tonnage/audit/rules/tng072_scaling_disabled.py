"""Scaling switched off in one direction.

What it finds:
    An HPA whose behavior has selectPolicy Disabled.
Why it matters:
    Without scale-up it is no autoscaler when load comes; without scale-down each peak is paid for from
    then on.
    Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, disable scale-down.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleDown: {selectPolicy: Disabled}}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleDown: {policies: [{type: Percent, value: 10, periodSeconds: 60}]}}
How to fix:
    Slow it down with policies and a stabilization window instead.
Limits:
    As a passing measure it may be meant; excuse it then.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    for direction, words in (("scaleUp", "up"), ("scaleDown", "down")):
        if autoscaler.rules(direction).get("selectPolicy") == "Disabled":
            yield Hit(("spec", "behavior", direction, "selectPolicy"), f"it never scales {words}")


RULE = Rule("TNG072", "warning", "autoscaler", _check, __doc__)
