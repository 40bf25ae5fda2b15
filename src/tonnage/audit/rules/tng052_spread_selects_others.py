"""Spread that does not see its own pods.

What it finds:
    A topology spread constraint, whose selector does not match the
    labels of the pods that carry it.
Why it matters:
    Own replicas are not counted, so they may all be on one node. It is usually a label that was renamed.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints, labelSelector.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app.kubernetes.io/name: ranker}}
        spec:
          topologySpreadConstraints:
          - maxSkew: 1
            topologyKey: topology.kubernetes.io/zone
            whenUnsatisfiable: ScheduleAnyway
            labelSelector: {matchLabels: {app: ranker}}
          containers: [{name: server}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec:
          topologySpreadConstraints:
          - maxSkew: 1
            topologyKey: topology.kubernetes.io/zone
            whenUnsatisfiable: ScheduleAnyway
            labelSelector: {matchLabels: {app: ranker}}
          containers: [{name: server}]
How to fix:
    Select by the labels of the pod template.
Limits:
    Anti-affinity is not looked at, because against other workloads it is meant so.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload, selector_from
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    for path, constraint in workload.listed("topologySpreadConstraints"):
        selector = selector_from(constraint.get("labelSelector"))
        if selector is not None and not selector.matches(workload.pod_labels):
            yield Hit((*path, "labelSelector"), "the constraint counts none of the pods that it is to spread")


RULE = Rule("TNG052", "warning", "workload", _check, __doc__)
