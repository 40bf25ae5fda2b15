"""The Deployment controller: sizes of its ReplicaSets, one step at a time.

``step`` is one sync: it looks at the ReplicaSets as they are and says which sizes to write. The loop calls it
again whenever something changed, as the real controller is called by its informers.

Source: k8s.io/kubernetes v1.37.2 pkg/controller/deployment/rolling.go (rolloutRolling,
    reconcileNewReplicaSet, reconcileOldReplicaSets, cleanupUnhealthyReplicas,
    scaleDownOldReplicaSetsForRollingUpdate), recreate.go, sync.go
    (isScalingEvent, scale), util/deployment_util.go (NewRSNewReplicas, ResolveFenceposts,
    GetReplicaSetProportion, IsSaturated, FindActiveOrLatest).

Deviations:
    * Pausing and rolling back through the API's own field are not imitated (a rollback is a rollout of the
      former template, which takes up its old ReplicaSet again).
    * DeploymentPodReplacementPolicy (off by default) is off: terminating pods do not count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tonnage.twin.workload import RolloutPlan


@dataclass(frozen=True, slots=True)
class ReplicaSetView:
    """A ReplicaSet as the Deployment controller sees it.

    Attributes:
        revision: Its number; larger is newer.
        size: ``spec.replicas``.
        pods: ``status.replicas``: its pods that are not terminating.
        available: Of these, available.
        ready: Of these, ready.
        alive: Its pods, terminating ones included; only Recreate asks.
        desired: The annotation with the Deployment's replicas when it was last scaled; None when it has none.
        pods_max: The annotation with replicas and surge of that time.
    """

    revision: int
    size: int
    pods: int = 0
    available: int = 0
    ready: int = 0
    alive: int = 0
    desired: int | None = None
    pods_max: int | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a sync writes.

    Attributes:
        sizes: Revision to new ``spec.replicas``, where it changed.
        annotated: Revisions whose annotations are brought up to date.
        why: One line per change, in order.
        missing: Whether the newest ReplicaSet may not be made yet (Recreate, while old pods run).
    """

    sizes: Mapping[int, int] = field(default_factory=dict)
    annotated: frozenset[int] = frozenset()
    why: tuple[str, ...] = ()
    missing: bool = False


def fence(plan: RolloutPlan, replicas: int) -> tuple[int, int]:
    """Returns maxSurge (a share rounds up) and maxUnavailable (down) as counts; never both 0."""
    surge = _scaled(plan.max_surge, replicas, up=True)
    unavailable = _scaled(plan.max_unavailable, replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(plan: RolloutPlan, replicas: int) -> int:
    """How many pods may be there above the replicas."""
    return fence(plan, replicas)[0] if plan.strategy == "RollingUpdate" else 0


def max_unavailable(plan: RolloutPlan, replicas: int) -> int:
    """How many of the replicas may be away."""
    if plan.strategy != "RollingUpdate" or replicas == 0:
        return 0
    return min(fence(plan, replicas)[1], replicas)


def step(replicas: int, plan: RolloutPlan, newest: int, sets: Sequence[ReplicaSetView]) -> Sizes:
    """One sync.

    Args:
        replicas: The Deployment's ``spec.replicas``.
        plan: Its strategy.
        newest: Revision of its template.
        sets: All ReplicaSets with the newest one (which may just have been made, with size 0), in any order.
    """
    ordered = sorted(sets, key=lambda item: item.revision)
    new = next(item for item in ordered if item.revision == newest)
    old = [item for item in ordered if item.revision != newest]
    active = [item for item in ordered if item.size > 0]
    if any(item.desired is not None and item.desired != replicas for item in active):
        return _proportional(replicas, plan, new, old)
    if plan.strategy == "Recreate":
        return _recreate(replicas, new, old)
    return _rolling(replicas, plan, new, old)


def _rolling(replicas: int, plan: RolloutPlan, new: ReplicaSetView, old: list[ReplicaSetView]) -> Sizes:
    grown = _new_size(replicas, plan, new, old)
    if grown != new.size:
        return _written({new.revision: (new.size, grown)})
    total = new.size + sum(item.size for item in old)
    active = [item for item in old if item.size > 0]
    if not active:
        return Sizes()
    available_min = replicas - max_unavailable(plan, replicas)
    room = total - available_min - (new.size - new.available)
    if room <= 0:
        return Sizes()
    cleaned = _without_unhealthy(active, room)
    shrunk = _without_surplus(cleaned, new, available_min)
    before = {item.revision: item.size for item in active}
    changes = {item.revision: (before[item.revision], item.size) for item in shrunk}
    return _written({revision: pair for revision, pair in changes.items() if pair[0] != pair[1]})


def _new_size(replicas: int, plan: RolloutPlan, new: ReplicaSetView, old: list[ReplicaSetView]) -> int:
    if new.size >= replicas:
        return replicas
    total = new.size + sum(item.size for item in old)
    pods_max = replicas + _scaled(plan.max_surge, replicas, up=True)
    if total >= pods_max:
        return new.size
    return new.size + min(pods_max - total, replicas - new.size)


def _without_unhealthy(old: list[ReplicaSetView], room: int) -> list[ReplicaSetView]:
    """Pods of old ReplicaSets that are not available go first: that costs no availability."""
    cleaned, removed = [], 0
    for item in old:
        count = max(0, min(room - removed, item.size - item.available))
        removed += count
        cleaned.append(replace(item, size=item.size - count))
    return cleaned


def _without_surplus(
    old: list[ReplicaSetView], new: ReplicaSetView, available_min: int
) -> list[ReplicaSetView]:
    """Then old pods go as far as enough others are available."""
    surplus = new.available + sum(item.available for item in old) - available_min
    shrunk, removed = [], 0
    for item in old:
        count = max(0, min(item.size, surplus - removed))
        removed += count
        shrunk.append(replace(item, size=item.size - count))
    return shrunk


def _recreate(replicas: int, new: ReplicaSetView, old: list[ReplicaSetView]) -> Sizes:
    shrunk = {item.revision: (item.size, 0) for item in old if item.size > 0}
    if shrunk:
        return _written(shrunk)
    if any(item.alive > 0 for item in old):
        return Sizes(missing=True)
    return _written({new.revision: (new.size, replicas)} if new.size != replicas else {})


def _proportional(replicas: int, plan: RolloutPlan, new: ReplicaSetView, old: list[ReplicaSetView]) -> Sizes:
    """The replicas were changed: what is under way keeps its proportions."""
    active = [item for item in [*old, new] if item.size > 0]
    if len(active) <= 1:
        only = active[0] if active else new
        return _written({only.revision: (only.size, replicas)} if only.size != replicas else {})
    if new.size == replicas and new.desired == replicas and new.available == replicas:
        return _written({item.revision: (item.size, 0) for item in old if item.size > 0})
    if plan.strategy != "RollingUpdate":
        return Sizes()
    allowed = replicas + max_surge(plan, replicas) if replicas > 0 else 0
    to_add = allowed - sum(item.size for item in active)
    newer_first = to_add > 0
    active.sort(key=lambda item: (-item.size, -item.revision if newer_first else item.revision))
    sizes, added = {}, 0
    for item in active:
        part = _proportion(item, replicas, plan, to_add, added)
        added += part
        sizes[item.revision] = item.size + part
    if to_add != 0:
        largest = active[0].revision
        sizes[largest] = max(0, sizes[largest] + to_add - added)
    changes = {item.revision: (item.size, sizes[item.revision]) for item in active}
    written = _written({revision: pair for revision, pair in changes.items() if pair[0] != pair[1]})
    return replace(written, annotated=frozenset(sizes))


def _proportion(item: ReplicaSetView, replicas: int, plan: RolloutPlan, to_add: int, added: int) -> int:
    if item.size == 0 or to_add in (0, added):
        return 0
    if replicas == 0:
        fraction = -item.size
    elif not item.pods_max:
        fraction = 0
    else:
        grown = item.size * (replicas + max_surge(plan, replicas)) / item.pods_max
        fraction = _half_away(grown) - item.size
    allowed = to_add - added
    return min(fraction, allowed) if to_add > 0 else max(fraction, allowed)


def _written(changes: Mapping[int, tuple[int, int]]) -> Sizes:
    why = tuple(
        f"Scaled {'up' if after > before else 'down'} revision {revision} from {before} to {after}"
        for revision, (before, after) in changes.items()
    )
    return Sizes({revision: after for revision, (_, after) in changes.items()}, frozenset(changes), why)


def _scaled(value: int | str, replicas: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value[:-1]) * replicas
    return -(-share // 100) if up else share // 100


def _half_away(value: float) -> int:
    """Rounded to the nearest whole number, halves away from zero."""
    return math.floor(value + 0.5) if value >= 0 else math.ceil(value - 0.5)
