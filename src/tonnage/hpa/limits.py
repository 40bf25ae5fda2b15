"""From the count that the metrics propose to the one that is set: windows, rates and bounds.

There are two paths. Without ``spec.behavior`` only scaling down is stabilized and a count may at most double
(or reach 4); with it, even empty, recommendations are stabilized both ways and policies bound the change.
They differ at the edges of windows: without, a recommendation exactly as old as the window still counts;
with, it does not, and neither does an event exactly as old as a policy's period.

All doubles are made in upstream's order: 10% more than 100 pods is 111, since 1.1 x 100 is a little over
110 in doubles, and an exact rewrite would be wrong.

Source: pkg/controller/podautoscaler/horizontal.go, named at each function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tonnage.hpa.numbers import INT32_MAX, INT32_MIN, ceiled, truncated32, wrapped32
from tonnage.hpa.spec import Behavior, ScalingRules
from tonnage.hpa.state import (
    ControllerConfig,
    ControllerState,
    Recommendation,
    ScaleEvent,
    nanoseconds,
)

SCALE_UP_FACTOR: Final = 2.0
SCALE_UP_MINIMUM: Final = 4.0
_WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST_UP: Final = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_FAST_DOWN: Final = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_TOO_MANY: Final = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW: Final = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_HIGHER_BEFORE: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_LOWER_BEFORE: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_READY: Final = ("ReadyForNewScale", "recommended size matches current size")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a count is limited from and to.

    Attributes:
        current: Replicas that the target has now.
        lowest: ``minReplicas``.
        highest: ``maxReplicas``.
    """

    current: int
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class Stabilized:
    """A count after the look back.

    Attributes:
        replicas: The count.
        reason: Of the AbleToScale condition.
        message: Of the AbleToScale condition.
        recommendations: The memory with this recommendation in it.
    """

    replicas: int
    reason: str
    message: str
    recommendations: tuple[Recommendation, ...]


@dataclass(frozen=True, slots=True)
class Limited:
    """A count after its limits.

    Attributes:
        replicas: The count.
        is_limited: Whether a limit changed it.
        reason: Of the ScalingLimited condition.
        message: Of the ScalingLimited condition.
    """

    replicas: int
    is_limited: bool
    reason: str
    message: str


def stabilize_down(
    proposed: int, recommendations: Sequence[Recommendation], window_ns: int, now_ns: int
) -> Stabilized:
    """Raises a count to the highest recommendation in the window (rule E17, without ``behavior``).

    Source: stabilizeRecommendation and normalizeDesiredReplicas.
    """
    cutoff_ns = now_ns - window_ns
    highest = proposed
    outdated = None
    for slot, recommendation in enumerate(recommendations):
        if recommendation.at_ns < cutoff_ns:
            outdated = slot
        elif recommendation.replicas > highest:
            highest = recommendation.replicas
    reason, message = _READY if highest == proposed else _HIGHER_BEFORE
    kept = _with_slot(recommendations, outdated, Recommendation(proposed, now_ns))
    return Stabilized(highest, reason, message, kept)


def stabilize_both(
    proposed: int,
    current: int,
    recommendations: Sequence[Recommendation],
    up_window_ns: int,
    down_window_ns: int,
    now_ns: int,
) -> Stabilized:
    """Holds a count between the lowest and the highest of recent recommendations (rule E18).

    What is remembered is the proposal, not the result.

    Source: stabilizeRecommendationWithBehaviors.
    """
    up_cutoff_ns = now_ns - up_window_ns
    down_cutoff_ns = now_ns - down_window_ns
    lowest = highest = proposed
    outdated = None
    for slot, recommendation in enumerate(recommendations):
        if recommendation.at_ns > up_cutoff_ns:
            lowest = min(recommendation.replicas, lowest)
        if recommendation.at_ns > down_cutoff_ns:
            highest = max(recommendation.replicas, highest)
        if recommendation.at_ns < up_cutoff_ns and recommendation.at_ns < down_cutoff_ns:
            outdated = slot
    replicas = min(max(current, lowest), highest)
    if replicas == proposed:
        reason, message = _READY
    else:
        reason, message = _LOWER_BEFORE if proposed >= current else _HIGHER_BEFORE
    kept = _with_slot(recommendations, outdated, Recommendation(proposed, now_ns))
    return Stabilized(replicas, reason, message, kept)


def _with_slot(
    recommendations: Sequence[Recommendation], slot: int | None, new: Recommendation
) -> tuple[Recommendation, ...]:
    """Overwrites the last outdated slot, or adds one (rule E19)."""
    if slot is None:
        return (*recommendations, new)
    return (*recommendations[:slot], new, *recommendations[slot + 1 :])


def limit_by_factor(stabilized: int, bounds: Bounds) -> Limited:
    """Bounds a count without ``behavior``: at most double or 4, then min and max (rule E17).

    Source: convertDesiredReplicasWithRules and calculateScaleUpLimit.
    """
    up_limit = truncated32(max(SCALE_UP_FACTOR * float(bounds.current), SCALE_UP_MINIMUM))
    allowed, why = (up_limit, _TOO_FAST_UP) if bounds.highest > up_limit else (bounds.highest, _TOO_MANY)
    if stabilized < bounds.lowest:
        return _limited(stabilized, bounds.lowest, _TOO_FEW)
    if stabilized > allowed:
        return _limited(stabilized, allowed, why)
    return _limited(stabilized, stabilized, _WITHIN)


def limit_by_rules(
    stabilized: int, bounds: Bounds, behavior: Behavior, state: ControllerState, now_ns: int
) -> Limited:
    """Bounds a count with ``behavior``: by its policies, then by max when rising and min when falling (E18).

    Source: convertDesiredReplicasWithBehaviorRate.
    """
    if stabilized > bounds.current:
        limit = _policy_limit(bounds.current, behavior.scale_up, state, now_ns, is_up=True)
        limit = max(limit, bounds.current)
        allowed, why = (limit, _TOO_FAST_UP) if bounds.highest > limit else (bounds.highest, _TOO_MANY)
        if stabilized > allowed:
            return _limited(stabilized, allowed, why)
    elif stabilized < bounds.current:
        limit = _policy_limit(bounds.current, behavior.scale_down, state, now_ns, is_up=False)
        limit = min(limit, bounds.current)
        allowed, why = (limit, _TOO_FAST_DOWN) if bounds.lowest < limit else (bounds.lowest, _TOO_FEW)
        if stabilized < allowed:
            return _limited(stabilized, allowed, why)
    return _limited(stabilized, stabilized, _WITHIN)


def _limited(stabilized: int, replicas: int, why: tuple[str, str]) -> Limited:
    return Limited(replicas, replicas != stabilized, *why)


def _policy_limit(
    current: int, rules: ScalingRules, state: ControllerState, now_ns: int, *, is_up: bool
) -> int:
    """How far the policies let a count go.

    Source: calculateScaleUpLimitWithScalingRules and calculateScaleDownLimitWithBehaviors.
    """
    if rules.select_policy == "Disabled":
        return current
    takes_highest = is_up == (rules.select_policy == "Max")
    limit = INT32_MIN if takes_highest else INT32_MAX
    for policy in rules.policies:
        added = _changed_in(policy.period_s, state.scale_up_events, now_ns)
        removed = _changed_in(policy.period_s, state.scale_down_events, now_ns)
        start = wrapped32(current - added + removed)
        if policy.type == "Pods":
            reached = wrapped32(start + policy.value if is_up else start - policy.value)
        elif is_up:
            reached = truncated32(ceiled(float(start) * (1 + float(policy.value) / 100)))
        else:
            reached = truncated32(float(start) * (1 - float(policy.value) / 100))
        limit = max(limit, reached) if takes_highest else min(limit, reached)
    return limit


def _changed_in(period_s: int, events: Sequence[ScaleEvent], now_ns: int) -> int:
    """Sums the changes strictly newer than the period's start. Source: getReplicasChangePerPeriod."""
    cutoff_ns = now_ns - nanoseconds(period_s)
    return wrapped32(sum(event.change for event in events if event.at_ns > cutoff_ns))


def down_window_ns(rules: ScalingRules, config: ControllerConfig) -> int:
    """The window for scaling down with ``behavior``: its own, or the controller's in whole seconds.

    Source: maybeInitScaleDownStabilizationWindow.
    """
    if rules.stabilization_window_s is not None:
        return nanoseconds(rules.stabilization_window_s)
    return nanoseconds(truncated32(config.downscale_stabilization_s))


def remembering_change(
    state: ControllerState, behavior: Behavior | None, before: int, after: int, now_ns: int
) -> ControllerState:
    """Stores a change that was made, where there are policies to count it (rule E19).

    Source: storeScaleEvent, markScaleEventsOutdated and getLongestPolicyPeriod.
    """
    if behavior is None:
        return state
    if after > before:
        new = ScaleEvent(wrapped32(after - before), now_ns)
        return replace(
            state, scale_up_events=_with_event(state.scale_up_events, behavior.scale_up, new, now_ns)
        )
    new = ScaleEvent(wrapped32(before - after), now_ns)
    return replace(
        state, scale_down_events=_with_event(state.scale_down_events, behavior.scale_down, new, now_ns)
    )


def _with_event(
    events: Sequence[ScaleEvent], rules: ScalingRules, new: ScaleEvent, now_ns: int
) -> tuple[ScaleEvent, ...]:
    longest_s = max((policy.period_s for policy in rules.policies), default=0)
    cutoff_ns = now_ns - nanoseconds(longest_s)
    marked = [
        replace(event, outdated=True) if event.at_ns < cutoff_ns and not event.outdated else event
        for event in events
    ]
    slots = [slot for slot, event in enumerate(marked) if event.outdated]
    if slots:
        marked[slots[-1]] = new
    else:
        marked.append(new)
    return tuple(marked)
