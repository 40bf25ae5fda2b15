"""Two autoscalers of one workload.

What it finds:
    An HPA or a KEDA ScaledObject whose target an earlier one scales too.
Why it matters:
    Each sets the replicas without knowing of the other: the HPAs report AmbiguousSelector and stop, or the
    number swings between the two.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/horizontal.go,
    hpasControllingPodsUnderSelector.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: by-cpu}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 3, maxReplicas: 50}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: by-latency}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 3, maxReplicas: 50}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 3, maxReplicas: 50}
How to fix:
    Put all metrics into one autoscaler.
Limits:
    Only autoscalers among the objects are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    key = (*autoscaler.target_name, autoscaler.item.namespace)
    other = autoscaler.context.scaling[key]
    if other.item is not autoscaler.item and autoscaler.target_name[1]:
        yield Hit(("spec", "scaleTargetRef"), f"{other.item.reference} scales it too")


RULE = Rule("TNG070", "error", "autoscaler", _check, __doc__)
