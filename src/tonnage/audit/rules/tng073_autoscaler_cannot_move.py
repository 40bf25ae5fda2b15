"""Autoscaler without room.

What it finds:
    A maximum of replicas that is the minimum, or below it.
Why it matters:
    Nothing is ever scaled; with a maximum below the minimum the API server refuses the object.
    Source: k8s.io/kubernetes v1.37.2 pkg/apis/autoscaling/validation/validation.go.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 5, maxReplicas: 5}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 5, maxReplicas: 15}
How to fix:
    Raise maxReplicas, or remove the autoscaler and set replicas.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    low, high = autoscaler.replicas_min, autoscaler.replicas_max
    if high is not None and high <= low:
        field = "maxReplicas" if autoscaler.is_hpa else "maxReplicaCount"
        yield Hit(("spec", field), f"at least {low} and at most {high} replicas leave nothing to decide")


RULE = Rule("TNG073", "warning", "autoscaler", _check, __doc__)
