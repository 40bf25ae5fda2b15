"""Disruption budget that keeps broken pods.

What it finds:
    A PodDisruptionBudget without unhealthyPodEvictionPolicy AlwaysAllow.
Why it matters:
    By default an unready pod may only be evicted while enough others are healthy. A model that fails to load,
    or crash-loops, then blocks the drain of its node for ever.
    Source: kubernetes.io/docs/tasks/run-application/configure-pdb, unhealthy pod eviction policy; KEP-3017.
Bad:
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec:
      maxUnavailable: 1
      selector: {matchLabels: {app: ranker}}
Good:
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec:
      maxUnavailable: 1
      unhealthyPodEvictionPolicy: AlwaysAllow
      selector: {matchLabels: {app: ranker}}
How to fix:
    Set unhealthyPodEvictionPolicy to AlwaysAllow.
Limits:
    Where an unready pod must be kept, as in a quorum that repairs itself, excuse it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Budget
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(budget: Budget) -> Iterator[Hit]:
    path = ("spec", "unhealthyPodEvictionPolicy")
    if budget.item.at(*path) != "AlwaysAllow":
        yield Hit(
            path, "a pod that never gets ready blocks the drain of its node", (Change(path, "AlwaysAllow"),)
        )


RULE = Rule("TNG056", "warning", "budget", _check, __doc__)
