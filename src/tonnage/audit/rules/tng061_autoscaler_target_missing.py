"""Autoscaler of something that is not there.

What it finds:
    A scaleTargetRef that names none of the workloads in its namespace, while an object of the name and
    another kind, or of the kind and a name that is longer or shorter by a part, is there.
Why it matters:
    The autoscaler reports FailedGetScale and scales nothing.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/horizontal.go, scaleForTarget.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker-server}
      maxReplicas: 50
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server}]}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      maxReplicas: 50
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server}]}
How to fix:
    Name the kind and the name of the workload.
Limits:
    Targets of kinds other than Deployment, StatefulSet and ReplicaSet are not checked. An autoscaler that is
    given alone is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    kind, name = autoscaler.target_name
    if kind not in ("Deployment", "StatefulSet", "ReplicaSet") or autoscaler.target is not None:
        return
    for workload in autoscaler.context.workloads:
        item = workload.item
        same_space = item.namespace == autoscaler.item.namespace
        near = f"{item.name}-".startswith(f"{name}-") or f"{name}-".startswith(f"{item.name}-")
        alike = item.name == name or (item.kind == kind and near)
        if same_space and workload.is_replicated and alike:
            message = f"there is no {kind}/{name}; {item.reference} is meant"
            yield Hit(("spec", "scaleTargetRef"), message)
            return


RULE = Rule("TNG061", "error", "autoscaler", _check, __doc__)
