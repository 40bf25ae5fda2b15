"""Scale-up that waits.

What it finds:
    A scale-up stabilization window of a minute or more.
Why it matters:
    The load must stay for that long before the first replica is asked for; then it still has to start and
    load the model. All that time the queue grows.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/horizontal.go,
    stabilizeRecommendationWithBehaviors.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleUp: {stabilizationWindowSeconds: 300}}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleUp: {stabilizationWindowSeconds: 30}}
How to fix:
    Use 0 (the default) to 30 s, and bound the step with a policy if it must be slow.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    window_s = autoscaler.window_s("scaleUp")
    if window_s >= 60:
        path = ("spec", "behavior", "scaleUp", "stabilizationWindowSeconds")
        yield Hit(path, f"more load must last {window_s} s before a replica is asked for")


RULE = Rule("TNG074", "warning", "autoscaler", _check, __doc__)
