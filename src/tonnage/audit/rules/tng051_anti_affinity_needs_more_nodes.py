"""Required anti-affinity with too few nodes.

What it finds:
    A required pod anti-affinity against its own pods, with more replicas than it can have places on the nodes
    given.
Why it matters:
    Each replica needs a node of its own. The others stay Pending, and a rolling update that brings a new
    pod up first stands still.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node, inter-pod anti-affinity.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec:
          affinity:
            podAntiAffinity:
              requiredDuringSchedulingIgnoredDuringExecution:
              - topologyKey: kubernetes.io/hostname
                labelSelector: {matchLabels: {app: ranker}}
          containers: [{name: server}]
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1}
    status: {allocatable: {cpu: 16, memory: 64Gi}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server}]}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1}
    status: {allocatable: {cpu: 16, memory: 64Gi}}
How to fix:
    Prefer the anti-affinity instead of requiring it, or add nodes.
Limits:
    Needs nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Workload, selector_from
from tonnage.audit.rule import Hit, Rule

_REQUIRED: Final = ("affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution")


def _check(workload: Workload) -> Iterator[Hit]:
    nodes = workload.context.nodes
    for path, term in workload.listed(*_REQUIRED) if nodes and workload.is_replicated else ():
        selector, key = selector_from(term.get("labelSelector")), str(term.get("topologyKey"))
        places = len({node.labels[key] for node in nodes if key in node.labels})
        own = selector is not None and selector.matches(workload.pod_labels)
        if own and workload.replicas_max > places:
            yield Hit(
                path, f"{workload.replicas_max} replicas need as many of {key}, the nodes have {places}"
            )


RULE = Rule("TNG051", "error", "workload", _check, __doc__)
