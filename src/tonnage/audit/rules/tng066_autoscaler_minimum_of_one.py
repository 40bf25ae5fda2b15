"""Down to one replica.

What it finds:
    An HPA with minReplicas 1, or without minReplicas, on a workload that serves.
Why it matters:
    When the one replica's node goes, or is drained, nothing serves until another has started and loaded the
    model. From one replica every step up is also the largest in proportion.
    Source: kubernetes.io/docs/concepts/workloads/pods/disruptions.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 1
      maxReplicas: 50
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 2
      maxReplicas: 50
How to fix:
    Set minReplicas to 2, or to what must survive the loss of a node; tonnage plan finds it.
Limits:
    Where an outage is cheaper than a second GPU, excuse it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    if autoscaler.is_hpa and autoscaler.replicas_min == 1 and autoscaler.replicas_max != 1:
        yield Hit(
            ("spec", "minReplicas"), "one replica is left at little load, and nothing serves when it goes"
        )


RULE = Rule("TNG066", "warning", "autoscaler", _check, __doc__)
