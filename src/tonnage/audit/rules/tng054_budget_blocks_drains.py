"""Disruption budget that never lets a pod go.

What it finds:
    A PodDisruptionBudget that allows no eviction while all pods are healthy: maxUnavailable 0, minAvailable
    100%, or as many as there are replicas.
Why it matters:
    Nodes cannot be drained, so that upgrades and the cluster autoscaler stand still, until somebody deletes
    the pod by force.
    Source: kubernetes.io/docs/tasks/run-application/configure-pdb;
    k8s.io/kubernetes v1.37.2 pkg/controller/disruption/disruption.go.
Bad:
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec:
      minAvailable: 100%
      selector: {matchLabels: {app: ranker}}
Good:
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec:
      maxUnavailable: 1
      selector: {matchLabels: {app: ranker}}
How to fix:
    Say maxUnavailable 1, or a share.
Limits:
    With an HPA, its minimum counts as the number of replicas.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Budget
from tonnage.audit.rule import Hit, Rule


def _check(budget: Budget) -> Iterator[Hit]:
    field = "maxUnavailable" if budget.item.at("spec", "maxUnavailable") is not None else "minAvailable"
    targets = [one for one in budget.targets if one.is_replicated]
    replicas = sum(one.replicas_min for one in targets)
    if (targets and replicas and budget.evictable(replicas) == 0) or budget.evictable(1000) == 0:
        of = f"of {replicas} replicas" if targets else "of any number of replicas"
        yield Hit(("spec", field), f"no pod {of} may ever be evicted")


RULE = Rule("TNG054", "error", "budget", _check, __doc__)
