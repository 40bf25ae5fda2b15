"""API version that is gone.

What it finds:
    An apiVersion that Kubernetes has removed, such as autoscaling/v2beta2 or policy/v1beta1.
Why it matters:
    The API server does not know it, and refuses the object.
    Source: kubernetes.io/docs/reference/using-api/deprecation-guide.
Bad:
    apiVersion: autoscaling/v2beta2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
How to fix:
    Use the version that is named, and mind that fields may have moved.
Limits:
    Only kinds that serve models, and what goes with them, are listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import ObjectView
from tonnage.audit.rule import Hit, Rule

_GONE: Final[Mapping[tuple[str, str], str]] = {
    ("apps/v1beta1", "Deployment"): "apps/v1",
    ("apps/v1beta2", "Deployment"): "apps/v1",
    ("apps/v1beta1", "StatefulSet"): "apps/v1",
    ("apps/v1beta2", "StatefulSet"): "apps/v1",
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): "autoscaling/v2",
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "autoscaling/v2",
    ("batch/v1beta1", "CronJob"): "batch/v1",
    ("extensions/v1beta1", "Deployment"): "apps/v1",
    ("extensions/v1beta1", "Ingress"): "networking.k8s.io/v1",
    ("networking.k8s.io/v1beta1", "Ingress"): "networking.k8s.io/v1",
    ("policy/v1beta1", "PodDisruptionBudget"): "policy/v1",
    ("policy/v1beta1", "PodSecurityPolicy"): "Pod Security Admission",
}


def _check(view: ObjectView) -> Iterator[Hit]:
    reference = view.item.reference
    now = _GONE.get((reference.api_version, reference.kind))
    if now is not None:
        yield Hit(("apiVersion",), f"{reference.api_version} is removed; {now} has taken its place")


RULE = Rule("TNG083", "error", "object", _check, __doc__)
