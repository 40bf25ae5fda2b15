"""Replicas may all be on one node.

What it finds:
    A workload that serves with two or more replicas, and with neither pod anti-affinity nor a topology spread
    constraint.
Why it matters:
    The scheduler spreads by itself only where scores are equal. When the node with most replicas goes, most
    of the service goes with it, for as long as models take to load elsewhere.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints, default constraints.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec:
          topologySpreadConstraints:
          - maxSkew: 1
            topologyKey: kubernetes.io/hostname
            whenUnsatisfiable: ScheduleAnyway
            labelSelector: {matchLabels: {app: ranker}}
          containers: [{name: server, ports: [{containerPort: 8080}]}]
How to fix:
    Add a topology spread constraint or a preferred pod anti-affinity on kubernetes.io/hostname.
Limits:
    Cluster-wide default constraints are not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    spread = workload.at("topologySpreadConstraints") or workload.at("affinity", "podAntiAffinity")
    if workload.replicas_min >= 2 and workload.serves and not spread:
        path = (*workload.path, "topologySpreadConstraints")
        yield Hit(path, f"{workload.replicas_min} replicas may be on one node, and go with it")


RULE = Rule("TNG050", "info", "workload", _check, __doc__)
