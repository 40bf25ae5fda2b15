"""Whom to remove so that a pod fits: the default preemption.

For every node where removing pods may help, all pods of lower priority are taken away; if the pod fits then,
they are let back in one by one, the most important first and those that a disruption budget protects before
the others, as long as the pod still fits. Who stays out is a victim. Of the nodes, the one whose victims
matter least is taken.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/defaultpreemption/default_preemption.go,
pkg/scheduler/framework/preemption (preemption.go, util.go), pkg/scheduler/util/utils.go. Deviations: upstream
begins at a random node and stops at enough candidates, which plays a part only above 100 nodes; we begin at
the first. A pod that has not started counts as started last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.filters import Filtered
from tonnage.scheduling.placement import Choose, Preemption, Rejection
from tonnage.scheduling.pod import Budget, Pod
from tonnage.scheduling.trial import Trial

NO_VICTIMS: Final = "No preemption victims found for incoming pod"
NOT_HELPFUL: Final = "Preemption is not helpful for scheduling"
_NEVER: Final = "not eligible due to preemptionPolicy=Never."
_WAITING: Final = "not eligible due to a terminating pod on the nominated node."
_CANDIDATES_MIN: Final = 100
_CANDIDATES_PERCENT: Final = 10
_INT32_SPAN: Final = 2**31


def ineligible(pod: Pod, cluster: Cluster, on_nominated: Rejection | None) -> str | None:
    """Why a pod may not preempt now; None when it may.

    Args:
        pod: It.
        cluster: The cluster.
        on_nominated: Why the node that it is nominated for rejects it, if that is known.
    """
    if not pod.spec.preempts:
        return _NEVER
    if pod.nominated is None or (on_nominated is not None and not on_nominated.resolvable):
        return None
    if pod.nominated in cluster.table.place:
        others = cluster.pods_on(pod.nominated)
        if any(other.preempted and other.spec.priority < pod.spec.priority for other in others):
            return _WAITING
    return None


def candidates(
    found: Filtered, places: Iterable[int]
) -> tuple[tuple[Preemption, ...], dict[str, tuple[str, ...]]]:
    """Looks for victims on nodes.

    Args:
        found: What the filters found.
        places: Places of the nodes where removing pods may help.

    Returns:
        The candidates, those that violate no budget first; and why the other nodes are none.
    """
    clean: list[Preemption] = []
    violating: list[Preemption] = []
    reasons: dict[str, tuple[str, ...]] = {}
    places = list(places)
    enough = min(max(len(places) * _CANDIDATES_PERCENT // 100, _CANDIDATES_MIN), len(places))
    for place in places:
        answer = _victims_on(found, place)
        if isinstance(answer, Preemption):
            (violating if answer.violations else clean).append(answer)
            if clean and len(clean) + len(violating) >= enough:
                break
        else:
            reasons[found.cluster.table.names[place]] = answer
    return (*clean, *violating), reasons


def _victims_on(found: Filtered, place: int) -> Preemption | tuple[str, ...]:
    cluster, pod = found.cluster, found.pod
    name = cluster.table.names[place]
    lower = [other for other in cluster.pods_on(name) if other.spec.priority < pod.spec.priority]
    if not lower:
        return (NO_VICTIMS,)
    trial = Trial(found, place)
    for other in lower:
        trial.remove(other)
    rejection = trial.yielding_rejection()
    if rejection is not None:
        return rejection.reasons
    lower.sort(key=_importance)
    protected, free = _by_budget(lower, cluster.budgets)
    unprotected = _left_out(trial, protected)
    victims = unprotected + _left_out(trial, free)
    if protected and free:
        victims.sort(key=_importance)
    return Preemption(name, tuple(victims), len(unprotected))


def _left_out(trial: Trial, pods: list[Pod]) -> list[Pod]:
    """Lets pods back in, in order, and returns those with which the pod would not fit any more."""
    left_out = []
    for pod in pods:
        trial.add(pod)
        if trial.yielding_rejection() is not None:
            trial.remove(pod)
            left_out.append(pod)
    return left_out


def _importance(pod: Pod) -> tuple[int, float]:
    """The smaller, the more important: by priority, then by age."""
    return -pod.spec.priority, math.inf if pod.started_s is None else pod.started_s


def _by_budget(pods: list[Pod], budgets: tuple[Budget, ...]) -> tuple[list[Pod], list[Pod]]:
    """Parts pods into those whose removal no budget allows any more, and the others, in order."""
    left = [budget.allowed for budget in budgets]

    def is_violating(pod: Pod) -> bool:
        if not pod.labels:
            return False
        for rank, budget in enumerate(budgets):
            if budget.namespace != pod.namespace or budget.selector.is_empty:
                continue
            if not budget.selector.matches(pod.labels) or pod.name in budget.disrupted:
                continue
            left[rank] -= 1
            if left[rank] < 0:
                return True
        return False

    violating = [is_violating(pod) for pod in pods]
    protected = [pod for pod, is_so in zip(pods, violating, strict=True) if is_so]
    free = [pod for pod, is_so in zip(pods, violating, strict=True) if not is_so]
    return protected, free


def chosen(found: tuple[Preemption, ...], cluster: Cluster, choose: Choose) -> Preemption:
    """Picks the candidate whose victims matter least.

    Args:
        found: At least one candidate, each with at least one victim.
        cluster: The cluster, for the order of its nodes.
        choose: Picks when several are as good.
    """
    left = list(found)
    for cost in _COSTS:
        least = min(cost(one) for one in left)
        left = [one for one in left if cost(one) == least]
    left.sort(key=lambda one: cluster.table.place[one.node])
    tied = tuple(one.node for one in left)
    node = choose(tied)
    best = next(one for one in left if one.node == node)
    return Preemption(best.node, best.victims, best.violations, tied)


def _latest_start(candidate: Preemption) -> float:
    highest = max(pod.spec.priority for pod in candidate.victims)
    starts = [pod.started_s for pod in candidate.victims if pod.spec.priority == highest]
    return -min(math.inf if start is None else start for start in starts)


_COSTS: Final[tuple[Callable[[Preemption], float], ...]] = (
    lambda one: one.violations,
    lambda one: one.victims[0].spec.priority,
    lambda one: sum(pod.spec.priority + _INT32_SPAN for pod in one.victims),
    lambda one: len(one.victims),
    _latest_start,
)
"""What a candidate costs; a later cost decides where the earlier ones are equal."""
