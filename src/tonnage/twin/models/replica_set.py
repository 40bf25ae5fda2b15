"""The ReplicaSet controller: how many pods to make or delete, and which ones go first.

Source: k8s.io/kubernetes v1.37.2 pkg/controller/replicaset/replica_set.go (manageReplicas, getPodsToDelete,
    getPodsRankedByRelatedPodsOnSameNode), pkg/controller/controller_utils.go (ActivePodsWithRanks.Less,
    logarithmicRankDiff).

Deviations:
    * Slow start of creations (1, 2, 4, ...) has no effect here, as no creation fails and each takes no time.
    * Where upstream compares random UIDs, the pod's running number decides.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

BURST_REPLICAS: Final = 500
"""Pods made or deleted in one step at most."""

Phase = Literal["Pending", "Unknown", "Running"]
_ORDER: Final = {"Pending": 0, "Unknown": 1, "Running": 2}
_NANO: Final = 1e9


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides whether a pod goes first.

    Attributes:
        number: Running number; stands for the UID.
        node: Its node; None when it has none.
        phase: Its phase.
        ready: Whether it is ready.
        ready_since_s: When it became ready, whole seconds; None when it is not.
        created_s: When it was created, whole seconds.
        restarts: Of its container.
        deletion_cost: Of its annotation.
    """

    number: int
    node: str | None
    phase: Phase
    ready: bool
    ready_since_s: float | None
    created_s: float
    restarts: int = 0
    deletion_cost: int = 0


def change(active: int, wanted: int) -> int:
    """Pods to make (> 0) or to delete (< 0) in this step."""
    return max(-BURST_REPLICAS, min(BURST_REPLICAS, wanted - active))


def victims(
    candidates: Sequence[Candidate], related: Sequence[str | None], count: int, now_s: float
) -> list[int]:
    """Numbers of the pods to delete, first to go first.

    Args:
        candidates: The ReplicaSet's active pods.
        related: Nodes of the active pods of all ReplicaSets of the same Deployment, these included.
        count: How many must go [0 to all].
        now_s: The time [s].
    """
    if count >= len(candidates):
        return [candidate.number for candidate in candidates]
    on_node = Counter(related)
    ranks = {candidate.number: on_node[candidate.node] for candidate in candidates}

    def compare(one: Candidate, other: Candidate) -> int:
        if _before(one, other, ranks, now_s):
            return -1
        return 1 if _before(other, one, ranks, now_s) else 0

    ordered = sorted(candidates, key=functools.cmp_to_key(compare))
    return [candidate.number for candidate in ordered[:count]]


def _before(one: Candidate, other: Candidate, ranks: dict[int, int], now_s: float) -> bool:
    """Whether one goes before the other."""
    if (one.node is None) != (other.node is None):
        return one.node is None
    if one.phase != other.phase:
        return _ORDER[one.phase] < _ORDER[other.phase]
    if one.ready != other.ready:
        return not one.ready
    if one.deletion_cost != other.deletion_cost:
        return one.deletion_cost < other.deletion_cost
    if ranks[one.number] != ranks[other.number]:
        return ranks[one.number] > ranks[other.number]
    one_s, other_s = one.ready_since_s, other.ready_since_s
    if one_s is not None and other_s is not None and one_s != other_s:
        return _younger(one_s, other_s, one.number, other.number, now_s)
    if one.restarts != other.restarts:
        return one.restarts > other.restarts
    if one.created_s != other.created_s:
        return _younger(one.created_s, other.created_s, one.number, other.number, now_s)
    return False


def _younger(one_s: float, other_s: float, one: int, other: int, now_s: float) -> bool:
    """Compared by powers of two of their ages, so that almost equal ages leave it to chance (the number)."""
    difference = _log_age(now_s - one_s) - _log_age(now_s - other_s)
    return one < other if difference == 0 else difference < 0


def _log_age(age_s: float) -> int:
    nanoseconds = round(age_s * _NANO)
    return int(math.log2(nanoseconds)) if nanoseconds > 0 else -1
