"""From a proposed count to the one that is set: windows, policies, bounds, memory."""

from __future__ import annotations

import dataclasses

import pytest
from hpa_rules import covers
from hpa_scenes import AT_ONCE, condition, decide, latency_hpa, pods, samples, wanted

from tonnage.hpa import (
    Behavior,
    ControllerConfig,
    ControllerState,
    Recommendation,
    ScaleEvent,
    ScalingPolicy,
    ScalingRules,
)
from tonnage.hpa.limits import Bounds, limit_by_factor, limit_by_rules, remembering_change

NS = 10**9


def at(ratio: float, replicas: int):
    """Samples of so many pods at a multiple of the target of 1000."""
    return samples([int(1000 * ratio)] * replicas)


def rules(*policies: ScalingPolicy, **fields) -> ScalingRules:
    return ScalingRules(policies, **fields)


def percent(value: int, period_s: int = 60) -> ScalingPolicy:
    return ScalingPolicy("Percent", value, period_s)


def limit(current: int, desired: int, behavior: Behavior, state=None, now_s: int = 0, lowest=0, highest=10_000):
    bounds = Bounds(current, lowest, highest)
    return limit_by_rules(desired, bounds, behavior, state or ControllerState(), now_s * NS)


@covers("E17")
def test_without_behavior_one_pod_may_become_four_and_with_an_empty_one_five():
    hpa = latency_hpa(1000)
    assert wanted(decide(hpa, 1, at(10, 1))) == 4
    assert wanted(decide(dataclasses.replace(hpa, behavior=AT_ONCE), 1, at(10, 1))) == 5


@covers("E17")
def test_without_behavior_a_count_may_at_most_double():
    done = decide(latency_hpa(1000), 7, at(10, 7))
    assert wanted(done) == 14
    assert condition(done, "ScalingLimited") == (True, "ScaleUpLimit")


@covers("E17")
def test_the_minimum_is_looked_at_before_the_maximum():
    assert limit_by_factor(0, Bounds(1, 3, 9)).reason == "TooFewReplicas"
    assert limit_by_factor(10, Bounds(8, 3, 9)).reason == "TooManyReplicas"
    assert limit_by_factor(2**31 - 1, Bounds(2**30, 1, 2**31 - 1)).replicas == -(2**31)  # the double overflowed


@covers("E17")
def test_without_behavior_a_recommendation_exactly_as_old_as_the_window_still_holds():
    hpa = latency_hpa(1000)
    first = decide(hpa, 8, at(1, 8))
    edge = decide(hpa, 8, at(0.5, 8), state=first.state, now_s=300.0)
    assert wanted(edge) == 8
    assert condition(edge, "AbleToScale") == (True, "ScaleDownStabilized")
    assert wanted(decide(hpa, 8, at(0.5, 8), state=first.state, now_s=300.000_000_001)) == 4


@covers("E18")
def test_with_behavior_a_recommendation_exactly_as_old_as_the_window_does_not_hold():
    hpa = latency_hpa(1000, behavior=AT_ONCE)
    first = decide(hpa, 8, at(1, 8))
    assert wanted(decide(hpa, 8, at(0.5, 8), state=first.state, now_s=299.999_999_999)) == 8
    assert wanted(decide(hpa, 8, at(0.5, 8), state=first.state, now_s=300.0)) == 4


@covers("E18")
def test_a_rise_waits_until_the_lowest_recommendation_is_out_of_the_window():
    behavior = dataclasses.replace(
        AT_ONCE, scale_up=dataclasses.replace(AT_ONCE.scale_up, stabilization_window_s=30)
    )
    hpa = latency_hpa(1000, behavior=behavior)
    state = decide(hpa, 4, at(1, 4)).state
    held = decide(hpa, 4, at(2, 4), state=state, now_s=15.0)
    assert wanted(held) == 4
    assert condition(held, "AbleToScale") == (True, "ScaleUpStabilized")
    assert wanted(decide(hpa, 4, at(2, 4), state=held.state, now_s=30.0)) == 8


@covers("E18")
def test_what_is_remembered_is_the_proposal_and_not_what_was_made_of_it():
    done = decide(latency_hpa(1000, behavior=AT_ONCE), 1, at(10, 1))
    assert [kept.replicas for kept in done.state.recommendations or ()] == [1, 10]


@covers("E18")
@pytest.mark.parametrize(
    ("current", "value", "reached"), [(100, 10, 111), (50, 10, 56), (25, 12, 29), (30, 10, 33), (3, 100, 6)]
)
def test_a_rise_in_percent_is_computed_in_doubles_and_rounded_up(current, value, reached):
    behavior = dataclasses.replace(AT_ONCE, scale_up=rules(percent(value), stabilization_window_s=0))
    assert limit(current, 1000, behavior).replicas == reached


@covers("E18")
@pytest.mark.parametrize(("current", "value", "reached"), [(72, 10, 64), (10, 90, 0), (10, 100, 0), (3, 50, 1)])
def test_a_fall_in_percent_is_computed_in_doubles_and_cut(current, value, reached):
    behavior = dataclasses.replace(AT_ONCE, scale_down=rules(percent(value)))
    assert limit(current, 0, behavior).replicas == reached


@covers("E18")
def test_the_largest_policy_counts_unless_the_smallest_or_none_is_asked_for():
    policies = (ScalingPolicy("Pods", 4, 60), percent(100))
    reached = [
        limit(10, 100, dataclasses.replace(AT_ONCE, scale_up=rules(*policies, select_policy=select))).replicas
        for select in ("Max", "Min", "Disabled")
    ]
    assert reached == [20, 14, 10]
    reached = [
        limit(10, 1, dataclasses.replace(AT_ONCE, scale_down=rules(*policies, select_policy=select))).replicas
        for select in ("Max", "Min", "Disabled")
    ]
    assert reached == [1, 6, 10]


@covers("E18")
def test_a_period_starts_with_what_was_there_before_the_changes_in_it_of_both_kinds():
    behavior = dataclasses.replace(AT_ONCE, scale_up=rules(ScalingPolicy("Pods", 4, 60)))
    state = ControllerState(scale_up_events=(ScaleEvent(3, 10 * NS),), scale_down_events=(ScaleEvent(1, 20 * NS),))
    assert limit(10, 100, behavior, state, now_s=60).replicas == 12  # 10 - 3 + 1 + 4
    # an event exactly as old as the period is out of it
    assert limit(10, 100, behavior, state, now_s=70).replicas == 15
    assert limit(10, 100, behavior, state, now_s=80).replicas == 14


@covers("E18")
def test_policies_never_turn_a_change_into_its_opposite():
    added = ControllerState(scale_up_events=(ScaleEvent(8, 0),))
    rise = dataclasses.replace(AT_ONCE, scale_up=rules(ScalingPolicy("Pods", 1, 60)))
    assert limit(10, 100, rise, added, now_s=1).replicas == 10
    removed = ControllerState(scale_down_events=(ScaleEvent(8, 0),))
    fall = dataclasses.replace(AT_ONCE, scale_down=rules(ScalingPolicy("Pods", 1, 60)))
    assert limit(10, 1, fall, removed, now_s=1).replicas == 10


@covers("E18")
def test_a_policy_beyond_int32_wraps_and_so_stops_the_rise():
    behavior = dataclasses.replace(AT_ONCE, scale_up=rules(ScalingPolicy("Pods", 2**31 - 1, 60)))
    assert limit(10, 100, behavior).replicas == 10


@covers("E18")
def test_a_rising_count_is_bounded_by_max_alone_and_a_falling_one_by_min_alone():
    up = limit(5, 9, AT_ONCE, lowest=2, highest=8)
    down = limit(5, 0, AT_ONCE, lowest=2, highest=8)
    assert (up.replicas, up.reason, up.is_limited) == (8, "TooManyReplicas", True)
    assert (down.replicas, down.reason, down.is_limited) == (2, "TooFewReplicas", True)
    assert limit(5, 5, AT_ONCE, lowest=6, highest=8).reason == "DesiredWithinRange"


@covers("E18")
def test_an_empty_window_for_scaling_down_is_the_controllers_in_whole_seconds():
    hpa = latency_hpa(1000, behavior=AT_ONCE)
    config = ControllerConfig(downscale_stabilization_s=60.9)
    state = decide(hpa, 8, at(1, 8), config=config).state
    assert wanted(decide(hpa, 8, at(0.5, 8), state=state, now_s=59.9, config=config)) == 8
    assert wanted(decide(hpa, 8, at(0.5, 8), state=state, now_s=60.0, config=config)) == 4


@covers("E19")
def test_an_outdated_recommendation_is_overwritten_in_its_slot_and_the_last_one_first():
    state = ControllerState(recommendations=(Recommendation(1, 0), Recommendation(2, NS), Recommendation(3, 500 * NS)))
    done = decide(latency_hpa(1000), 4, at(1, 4), state=state, now_s=600.0)
    assert done.state.recommendations == (
        Recommendation(1, 0),
        Recommendation(4, 600 * NS),
        Recommendation(3, 500 * NS),
    )


@covers("E19")
def test_a_change_is_remembered_only_where_there_is_behavior():
    hpa = latency_hpa(1000)
    assert decide(hpa, 2, at(2, 2)).state.scale_up_events == ()
    done = decide(dataclasses.replace(hpa, behavior=AT_ONCE), 2, at(2, 2), now_s=3.0)
    assert done.state.scale_up_events == (ScaleEvent(2, 3 * NS),)


@covers("E19")
def test_an_event_older_than_the_longest_period_is_marked_and_its_slot_used_again():
    events = (ScaleEvent(1, 0), ScaleEvent(1, 5 * NS), ScaleEvent(1, 20 * NS))
    state = remembering_change(ControllerState(scale_up_events=events), AT_ONCE, 1, 4, 21 * NS)
    assert state.scale_up_events == (ScaleEvent(1, 0, outdated=True), ScaleEvent(3, 21 * NS), ScaleEvent(1, 20 * NS))
    edge = remembering_change(ControllerState(scale_up_events=events[1:2]), AT_ONCE, 1, 4, 20 * NS)
    assert edge.scale_up_events == (ScaleEvent(1, 5 * NS), ScaleEvent(3, 20 * NS))


@covers("E19")
def test_a_restarted_controller_has_forgotten_the_window_and_remembers_the_count_it_finds():
    hpa = latency_hpa(1000)
    first = decide(hpa, 8, at(1, 8))
    again = decide(hpa, 8, at(0.5, 8), state=first.state.restarted(), now_s=15.0)
    # its first recommendation is the 8 that it found
    assert wanted(again) == 8
    assert again.state.recommendations == (Recommendation(8, 15 * NS), Recommendation(4, 15 * NS))
    assert again.state.status.condition("AbleToScale") is not None


@covers("E19")
def test_an_edit_that_adds_behavior_finds_the_recommendations_of_before():
    hpa = latency_hpa(1000)
    first = decide(hpa, 8, at(1, 8), seen=pods(8))
    edited = dataclasses.replace(hpa, behavior=AT_ONCE)
    assert wanted(decide(edited, 8, at(0.5, 8), state=first.state, now_s=10.0)) == 8
