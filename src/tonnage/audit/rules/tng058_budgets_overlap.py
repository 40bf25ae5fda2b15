"""Two disruption budgets for one pod.

What it finds:
    A PodDisruptionBudget that selects pods which an earlier one selects too.
Why it matters:
    The API refuses every eviction of such a pod with an internal error: drains stand still.
    Source: k8s.io/kubernetes v1.37.2 pkg/registry/core/pod/storage/eviction.go.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker, tier: gpu}}
        spec: {containers: [{name: server}]}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: all-gpu}
    spec: {maxUnavailable: 1, selector: {matchLabels: {tier: gpu}}}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec: {maxUnavailable: 1, selector: {matchLabels: {app: ranker}}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker, tier: gpu}}
        spec: {containers: [{name: server}]}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec: {maxUnavailable: 1, selector: {matchLabels: {app: ranker}}}
How to fix:
    Keep one, or make the selectors disjoint.
Limits:
    Only pods of workloads among the objects are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Budget
from tonnage.audit.rule import Hit, Rule


def _check(budget: Budget) -> Iterator[Hit]:
    earlier = budget.context.budgets[: [one.item for one in budget.context.budgets].index(budget.item)]
    names = {one.item.name for workload in budget.targets for one in workload.budgets}
    both = [one.item.name for one in earlier if one.item.name in names]
    if both:
        yield Hit(("spec", "selector"), f"its pods are those of PodDisruptionBudget/{both[0]} too")


RULE = Rule("TNG058", "error", "budget", _check, __doc__)
