"""Which of the feasible nodes are best: every default score, normalised, weighted and summed.

Scores are whole numbers throughout, cut off where upstream cuts them off, so that ties are the same ties.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/noderesources (least_allocated.go,
balanced_allocation.go, resource_allocation.go), pkg/scheduler/framework/plugins/helper/normalize_score.go,
pkg/scheduler/apis/config/v1/default_plugins.go (the weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonnage.scheduling.affinity import AFFINITY, affinity_scores
from tonnage.scheduling.filters import RESOURCES, Filtered
from tonnage.scheduling.nodefit import NODE_AFFINITY, SCORE_MAX
from tonnage.scheduling.resources import CPU, MEMORY
from tonnage.scheduling.spread import SPREAD, spread_scores
from tonnage.scheduling.table import Ints

WEIGHTS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "TaintToleration": 3,
        NODE_AFFINITY: 2,
        RESOURCES: 1,
        SPREAD: 2,
        AFFINITY: 2,
        "NodeResourcesBalancedAllocation": 1,
        "ImageLocality": 1,
    }
)
"""What each plugin's score counts in the total."""


def scored(found: Filtered, feasible: Ints) -> tuple[dict[str, Ints], Ints]:
    """Scores feasible nodes.

    Args:
        found: What the filters found.
        feasible: Places of the nodes to score; at least one.

    Returns:
        The normalised scores [0 to 100] per plugin that has something to say, and the weighted totals, both
        in the order of ``feasible``.
    """
    pod, cluster, fit, spec = found.pod, found.cluster, found.fit, found.pod.spec
    scores = {"TaintToleration": SCORE_MAX - _normalized(fit.avoided[feasible])}
    if spec.preferred_nodes:
        scores[NODE_AFFINITY] = _normalized(fit.preferred[feasible])
    scores[RESOURCES] = _least_allocated(found, feasible)
    spread = spread_scores(pod, cluster, fit, feasible)
    if spread is not None:
        scores[SPREAD] = spread
    affinity = affinity_scores(pod, cluster, feasible)
    if affinity is not None:
        scores[AFFINITY] = affinity
    if spec.requests.cpu_millicores or spec.requests.memory_bytes:
        scores["NodeResourcesBalancedAllocation"] = _balanced(found, feasible)
    scores["ImageLocality"] = fit.images[feasible]
    totals = np.zeros(len(feasible), np.int64)
    for plugin, values in scores.items():
        totals += WEIGHTS[plugin] * values
    return scores, totals


def _normalized(raw: Ints) -> Ints:
    """Stretches scores so that the largest becomes 100; zeros stay."""
    most = int(raw.max())
    return SCORE_MAX * raw // most if most > 0 else np.zeros(len(raw), np.int64)


def _least_allocated(found: Filtered, feasible: Ints) -> Ints:
    """The free share of CPU and memory with the pod there; containers without request count by a default."""
    table, (cpu, memory) = found.cluster.table, found.pod.spec.scored
    total = np.zeros(len(feasible), np.int64)
    weights = np.zeros(len(feasible), np.int64)
    for name, taken, more in ((CPU, table.accounted_cpu, cpu), (MEMORY, table.accounted_memory, memory)):
        capacity = table.allocatable[name][feasible]
        exists = capacity != 0
        free = np.maximum(capacity - (taken[feasible] + more), 0)
        total += np.where(exists, free * SCORE_MAX // np.maximum(capacity, 1), 0)
        weights += exists
    return total // np.maximum(weights, 1)


def _balanced(found: Filtered, feasible: Ints) -> Ints:
    """Whether the pod brings the shares of CPU and memory in use nearer to each other."""
    table, requests = found.cluster.table, found.pod.spec.requests
    cpu, memory = table.allocatable[CPU][feasible], table.allocatable[MEMORY][feasible]
    cpu_used, memory_used = table.requested[CPU][feasible], table.requested[MEMORY][feasible]
    after = _balance(cpu_used + requests.cpu_millicores, cpu, memory_used + requests.memory_bytes, memory)
    before = _balance(cpu_used, cpu, memory_used, memory)
    half = SCORE_MAX // 2
    return half + (half + after - before) // 2


def _balance(cpu: Ints, cpu_capacity: Ints, memory: Ints, memory_capacity: Ints) -> Ints:
    apart = np.abs((_share(cpu, cpu_capacity) - _share(memory, memory_capacity)) / 2)
    # With fewer than two resources on the node there is nothing to balance.
    apart = np.where((cpu_capacity != 0) & (memory_capacity != 0), apart, 0.0)
    return ((1 - apart) * SCORE_MAX).astype(np.int64)


def _share(used: Ints, capacity: Ints) -> NDArray[np.float64]:
    return np.minimum(used / np.maximum(capacity, 1), 1.0)
