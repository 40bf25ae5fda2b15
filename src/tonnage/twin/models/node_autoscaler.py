"""cluster-autoscaler and Karpenter: which pool grows, which node is not needed.

Whether pods fit on a new node is asked of the scheduler's own filters (``loops.trial``); here are the choices
that follow.

Source: kubernetes/autoscaler cluster-autoscaler: core/scaleup/orchestrator/orchestrator.go, expander/waste,
    expander/price, expander/priority, simulator/utilization/info.go (a node with GPUs is judged by its GPUs
    alone, others by the larger of CPU and memory), core/scaledown/{planner,actuation}.
    kubernetes-sigs/karpenter: pkg/controllers/provisioning/batcher.go (batch windows),
    pkg/controllers/disruption (emptiness, consolidation; every 10 s).

Deviations:
    * cluster-autoscaler: similar groups are not balanced; a group whose node did not come is left alone for
      five minutes and not longer each time; a drained node goes when its pods are gone.
    * Karpenter: instance types are the given pools; a node is deleted when its pods fit elsewhere, and never
      replaced by a cheaper one; its 15 s of validation and its disruption budgets are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tonnage.twin.cluster_plan import Expander

GROUP_BACKOFF_S: Final = 300.0
"""How long a pool is left alone whose node did not come [s]."""
CONSOLIDATION_S: Final = 10.0
"""Time between two looks of Karpenter at its nodes [s]."""
EMPTY_MAX: Final = 10
"""Empty nodes that cluster-autoscaler removes in one look at most."""


@dataclass(frozen=True, slots=True)
class Option:
    """A pool that could take pending pods.

    Attributes:
        pool: Its name.
        pods: How many pods it would take.
        nodes: With how many new nodes.
        price_per_h: Price of one of them [1/h].
        waste_ratio: Share of the new nodes' CPU and memory that would stay free, the two added.
        priority: The pool's priority.
    """

    pool: str
    pods: int
    nodes: int
    price_per_h: float
    waste_ratio: float
    priority: int = 0


def best(options: Sequence[Option], expander: Expander) -> Option | None:
    """The pool that grows; None when none would help. Equals go by the order given."""
    useful = [option for option in options if option.pods > 0]
    if not useful:
        return None
    if expander == "least-waste":
        return min(useful, key=lambda option: option.waste_ratio)
    if expander == "price":
        return min(useful, key=lambda option: option.price_per_h * option.nodes / option.pods)
    if expander == "priority":
        return max(useful, key=lambda option: option.priority)
    return useful[0]


def waste(requested: Mapping[str, int], allocatable: Mapping[str, int], nodes: int) -> float:
    """Share of CPU and of memory that new nodes would leave free, added.

    Args:
        requested: Of the pods that they would take.
        allocatable: Of one node.
        nodes: How many.
    """
    total = 0.0
    for name in ("cpu", "memory"):
        there = allocatable.get(name, 0) * nodes
        total += (there - requested.get(name, 0)) / there if there else 0.0
    return total


def utilization(requested: Mapping[str, int], allocatable: Mapping[str, int], gpus: Sequence[str]) -> float:
    """How much of a node is requested: of its GPUs where it has some, else the larger of CPU and memory.

    Args:
        requested: Of its pods.
        allocatable: Of the node.
        gpus: Names of its GPU resources.
    """
    names = list(gpus) or ["cpu", "memory"]
    shares = [requested.get(name, 0) / allocatable[name] for name in names if allocatable.get(name)]
    return max(shares, default=0.0)
