"""PodDisruptionBudgets: how many pods may be driven away now, and what a drain asks for.

Source: k8s.io/kubernetes v1.37.2 pkg/controller/disruption/disruption.go (getExpectedPodCount,
    updatePdbStatus), pkg/registry/core/pod/storage/eviction.go; k8s.io/kubectl v0.37.2 pkg/drain/drain.go
    (evictPods: a refused eviction is tried again after 5 s).

Deviations:
    * The controller's own delay is left out: the budget is always up to date.
    * ``unhealthyPodEvictionPolicy`` is the default: pods that are not ready count against the budget.
"""

from __future__ import annotations

from typing import Final

from tonnage.twin.cluster_plan import DisruptionBudget

RETRY_S: Final = 5.0
"""When a refused eviction is tried again [s]."""


def allowed(budget: DisruptionBudget | None, expected: int, healthy: int) -> int:
    """How many more pods may be evicted.

    Args:
        budget: It; None: no budget, and no limit.
        expected: Pods that should be there: the workload's replicas.
        healthy: Pods that are ready and not being deleted.
    """
    if budget is None:
        return healthy
    if budget.min_available is not None:
        wanted = _scaled(budget.min_available, expected)
    else:
        wanted = max(expected - _scaled(budget.max_unavailable or 0, expected), 0)
    return max(healthy - wanted, 0)


def _scaled(value: int | str, expected: int) -> int:
    """A number, or a share of the expected pods rounded up."""
    return value if isinstance(value, int) else -(-int(value[:-1]) * expected // 100)
