"""A whole reconciliation: gates, selectors, several metrics, zero, faults, reasons and messages."""

from __future__ import annotations

import dataclasses

import pytest
from hpa_rules import covers
from hpa_scenes import (
    AT_ONCE,
    CPU,
    HITS,
    LATENCY,
    QUEUE,
    WEB,
    condition,
    cpu_hpa,
    decide,
    latency_hpa,
    pod,
    pods,
    samples,
    wanted,
)

from tonnage.hpa import (
    NO_STATE,
    ApiFaults,
    ControllerConfig,
    ExternalValues,
    Hpa,
    LabelRequirement,
    MetricError,
    MetricQuery,
    MetricSelector,
    MetricSpec,
    MetricTarget,
    ObjectValue,
    PodSamples,
    Recommendation,
    Sample,
)

AWAY = MetricError("the API is away")


def two_metrics(**fields) -> Hpa:
    """Latency first, then a queue of 10 per pod."""
    queue = MetricSpec(QUEUE, MetricTarget("AverageValue", average_value_milli=10_000))
    return dataclasses.replace(latency_hpa(1000, **fields), metrics=(*latency_hpa(1000).metrics, queue))


def to_zero(**fields) -> Hpa:
    queue = MetricSpec(QUEUE, MetricTarget("AverageValue", average_value_milli=1000))
    return Hpa(WEB, **{"replicas_max": 10, "replicas_min": 0, "metrics": (queue,), "behavior": AT_ONCE, **fields})


@covers("E1", "E2")
def test_the_controllers_defaults_are_upstreams():
    config = ControllerConfig()
    assert (config.sync_period_s, config.downscale_stabilization_s) == (15.0, 300.0)
    assert (config.cpu_initialization_period_s, config.initial_readiness_delay_s) == (300.0, 30.0)
    assert config.tolerance == 0.1


@covers("E1")
def test_the_same_inputs_give_the_same_decision_and_change_nothing():
    state = decide(latency_hpa(), 3, samples([150] * 3)).state
    once, twice = (decide(latency_hpa(), 3, samples([150] * 3), state=state, now_s=15.0) for _ in range(2))
    assert once == twice


@covers("E3")
def test_the_first_time_the_count_that_is_found_is_a_recommendation():
    hpa = latency_hpa()
    done = decide(hpa, 9, AWAY, now_s=2.0)
    assert done.state.recommendations == (Recommendation(9, 2_000_000_000),)
    assert decide(hpa, 5, AWAY, state=done.state, now_s=17.0).state.recommendations == done.state.recommendations


@covers("E4")
def test_above_the_maximum_the_maximum_is_set_without_a_look_at_the_metrics():
    done = decide(latency_hpa(replicas_max=5), 9, AWAY)
    assert (done.desired_replicas, done.rescale) == (5, True)
    assert done.reason == "Current number of replicas above Spec.MaxReplicas"
    assert done.metrics == ()


@covers("E4")
def test_below_the_minimum_the_minimum_is_set_whatever_the_policies_say():
    disabled = dataclasses.replace(
        AT_ONCE, scale_up=dataclasses.replace(AT_ONCE.scale_up, select_policy="Disabled")
    )
    done = decide(latency_hpa(replicas_min=40, behavior=disabled), 1, AWAY)
    assert wanted(done) == 40
    assert done.events[-1].message == "New size: 40; reason: Current number of replicas below Spec.MinReplicas"


@covers("E4")
def test_at_zero_by_somebody_elses_doing_scaling_is_disabled():
    done = decide(latency_hpa(), 0, samples([500]))
    assert (done.desired_replicas, done.rescale) == (0, False)
    assert condition(done, "ScalingActive") == (False, "ScalingDisabled")


@covers("E5")
def test_a_target_without_a_selector_is_not_scaled():
    done = decide(latency_hpa(), 2, samples([500, 500]), selector="")
    assert condition(done, "ScalingActive") == (False, "InvalidSelector")
    assert [event.reason for event in done.events] == ["SelectorRequired", "FailedComputeMetricsReplicas"]
    assert done.error == (
        "failed to compute desired number of replicas based on listed metrics for Deployment/default/web: "
        "selector is required"
    )


@covers("E5")
def test_pods_that_two_autoscalers_select_are_scaled_by_neither():
    seen = [pod("web-0", labels={"app": "web", "tier": "a"}), pod("other-0", labels={"app": "other"})]
    rivals = {"rival": "tier in (a,b)", "harmless": "app=other"}
    done = decide(latency_hpa(), 1, samples([500]), seen=seen, selector="app=web", rival_selectors=rivals)
    assert condition(done, "ScalingActive") == (False, "AmbiguousSelector")
    assert done.events[0].message == (
        "pods by selector app=web are controlled by more than one HPA (e.g. [default/hpa default/rival])"
    )
    del rivals["rival"]
    done = decide(latency_hpa(), 1, samples([500]), seen=seen, selector="app=web", rival_selectors=rivals)
    assert wanted(done) == 4


@covers("E5")
def test_a_selector_picks_the_targets_pods():
    seen = [pod("web-0", labels={"app": "web"}), pod("other-0", labels={"app": "other"}, phase="Pending")]
    done = decide(latency_hpa(), 1, samples([200]), seen=seen, selector="app=web")
    assert wanted(done) == 2


@covers("E6")
def test_the_largest_count_wins():
    answers = {LATENCY: samples([1500] * 4), QUEUE: ExternalValues((70_000,))}
    done = decide(two_metrics(), 4, answers)
    assert wanted(done) == 7
    assert done.reason == "external metric queue(nil) above target"


@covers("E6")
def test_when_all_metrics_fail_nothing_changes_and_the_first_is_to_blame():
    done = decide(two_metrics(), 4, {LATENCY: AWAY, QUEUE: AWAY})
    assert not done.rescale
    assert condition(done, "ScalingActive") == (False, "FailedGetPodsMetric")
    assert [event.reason for event in done.events] == [
        "FailedGetPodsMetric",
        "FailedGetExternalMetric",
        "FailedComputeMetricsReplicas",
    ]
    assert done.events[-1].message == (
        "invalid metrics (2 invalid out of 2), first error is: failed to get pods metric value: "
        "unable to get metric latency: the API is away"
    )


@covers("E6")
@pytest.mark.parametrize(("queue", "count"), [(20_000, 4), (39_000, 4), (70_000, 7)])
def test_when_some_metrics_fail_the_others_may_scale_up_but_not_down(queue, count):
    done = decide(two_metrics(), 4, {LATENCY: AWAY, QUEUE: ExternalValues((queue,))})
    assert wanted(done) == count
    assert done.error is not None
    assert condition(done, "ScalingActive")[0] is (queue > 20_000)


@covers("E21")
def test_an_autoscaler_takes_its_target_to_zero_and_back():
    hpa = to_zero()
    down = decide(hpa, 1, ExternalValues((0,)), now_s=0.0, state=NO_STATE)
    assert wanted(down) == 1  # the first recommendation still holds
    down = decide(hpa, 1, ExternalValues((0,)), now_s=300.0, state=down.state)
    assert wanted(down) == 0
    assert condition(down, "ScaledToZero") == (True, "ScaledToZero")
    up = decide(hpa, 0, ExternalValues((2500,)), now_s=315.0, state=down.state, seen=[])
    assert wanted(up) == 3
    assert condition(up, "ScaledToZero") == (False, "NotScaledToZero")


@covers("E21")
def test_being_at_zero_by_its_own_doing_outlives_a_restart_of_the_controller():
    hpa = to_zero()
    first = decide(hpa, 1, ExternalValues((0,)))
    down = decide(hpa, 1, ExternalValues((0,)), now_s=300.0, state=first.state)
    up = decide(hpa, 0, ExternalValues((900,)), now_s=400.0, state=down.state.restarted(), seen=[])
    assert wanted(up) == 1


@covers("E21")
def test_from_zero_a_raised_minimum_is_reached_with_the_metrics_and_not_at_the_gate():
    hpa = to_zero()
    first = decide(hpa, 1, ExternalValues((0,)))
    down = decide(hpa, 1, ExternalValues((0,)), now_s=300.0, state=first.state)
    raised = dataclasses.replace(hpa, replicas_min=2)
    up = decide(raised, 0, ExternalValues((0,)), now_s=315.0, state=down.state, seen=[])
    assert (wanted(up), up.reason) == (2, "Current number of replicas below Spec.MinReplicas")


@covers("E21")
def test_from_zero_neither_tolerance_nor_pods_matter_to_a_value():
    hits = MetricSpec(HITS, MetricTarget("Value", value_milli=1000))
    hpa = to_zero(metrics=(hits,))
    first = decide(hpa, 1, ObjectValue(0))
    down = decide(hpa, 1, ObjectValue(0), now_s=300.0, state=first.state)
    assert wanted(down) == 0
    assert wanted(decide(hpa, 0, ObjectValue(1001), now_s=315.0, state=down.state, seen=[])) == 2


@covers("E21")
def test_a_pods_metric_cannot_bring_a_target_up_from_zero():
    hpa = to_zero()
    first = decide(hpa, 1, ExternalValues((0,)))
    down = decide(hpa, 1, ExternalValues((0,)), now_s=300.0, state=first.state)
    edited = dataclasses.replace(hpa, metrics=latency_hpa().metrics)
    done = decide(edited, 0, samples({"web-of-yesterday": 900}), now_s=315.0, state=down.state, seen=[])
    assert condition(done, "ScalingActive") == (False, "ScalingDisabled")


def test_a_scale_that_cannot_be_read_ends_the_reconciliation():
    done = decide(latency_hpa(), 2, samples([500, 500]), faults=ApiFaults(get_scale="no such Deployment"))
    assert not done.rescale
    assert done.error == "failed to query scale subresource for Deployment/default/web: no such Deployment"
    assert condition(done, "AbleToScale") == (False, "FailedGetScale")
    assert done.state.recommendations is None


def test_a_scale_that_cannot_be_written_leaves_no_event_of_a_change():
    faults = ApiFaults(update_scale="conflict")
    done = decide(latency_hpa(behavior=AT_ONCE), 2, samples([200, 200]), faults=faults)
    assert (done.desired_replicas, done.rescale, done.reason) == (2, False, "")
    assert done.state.scale_up_events == ()
    assert [kept.replicas for kept in done.state.recommendations or ()] == [2, 4]
    assert done.events[0].message == "New size: 4; reason: pods metric latency above target; error: conflict"
    assert condition(done, "AbleToScale") == (False, "FailedUpdateScale")


def test_a_condition_keeps_its_time_until_its_status_changes():
    hpa = latency_hpa()
    first = decide(hpa, 2, samples([100, 100]), now_s=10.0)
    second = decide(hpa, 2, AWAY, state=first.state, now_s=25.0)
    third = decide(hpa, 2, AWAY, state=second.state, now_s=40.0)
    times = [done.state.status.condition("ScalingActive") for done in (first, second, third)]
    assert [found and found.since_s for found in times] == [10.0, 25.0, 25.0]


def test_reasons_name_the_metric_as_upstream_does():
    selector = MetricSelector((("verb", "GET"),), (LabelRequirement("app", "In", ("a", "b")),))
    query = MetricQuery("External", "queue", selector=selector)
    target = MetricTarget("AverageValue", average_value_milli=1000)
    done = decide(Hpa(WEB, 50, metrics=(MetricSpec(query, target),)), 2, ExternalValues((4000,)))
    assert done.reason == (
        "external metric queue(&LabelSelector{MatchLabels:map[string]string{verb: GET,},"
        "MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:app,Operator:In,Values:[a b],},},}) "
        "above target"
    )
    assert decide(cpu_hpa(), 2, samples([1000, 1000])).reason == (
        "cpu resource utilization (percentage of request) above target"
    )


def test_the_status_shows_what_the_metrics_said():
    done = decide(two_metrics(), 4, {LATENCY: samples([1500] * 4), QUEUE: ExternalValues((70_000,))})
    assert [status.average_value_milli for status in done.metrics] == [1500, 17_500]
    assert all(status.is_valid for status in done.metrics)
    failed = decide(two_metrics(), 4, {LATENCY: AWAY, QUEUE: ExternalValues((70_000,))})
    assert [status.is_valid for status in failed.metrics] == [False, True]
    cpu = decide(cpu_hpa(), 2, samples([500, 700]))
    assert (cpu.metrics[0].average_utilization_percent, cpu.metrics[0].average_value_milli) == (60, 600)


def test_the_trace_says_which_rules_decided_and_with_what():
    done = decide(latency_hpa(), 4, samples([400] * 4))
    assert [(step.rule, step.text) for step in done.trace] == [
        ("E3", "first seen with 4 replicas, kept as a recommendation"),
        ("E7", "Pods latency: 400m per pod is 4 of the target"),
        ("E11", "Pods latency: 4 times 4 counted pods asks for 16"),
        ("E17", "16 is limited to 8: the desired replica count is increasing faster than the maximum scale rate"),
    ]


def test_an_answer_of_the_wrong_kind_is_a_bug_and_not_a_failed_metric():
    for query, answer in ((LATENCY, ObjectValue(1)), (QUEUE, samples([1])), (HITS, ExternalValues((1,)))):
        spec = MetricSpec(query, MetricTarget("AverageValue", average_value_milli=1))
        with pytest.raises(TypeError, match="must be answered with"):
            decide(Hpa(WEB, 5, metrics=(spec,)), 1, answer)


def test_a_metric_of_an_object_with_a_target_of_another_type_fails_as_upstream():
    spec = MetricSpec(HITS, MetricTarget("Value", average_value_milli=1))
    done = decide(Hpa(WEB, 5, metrics=(spec,)), 1, ObjectValue(1))
    assert done.events[0].message == (
        "invalid object metric source: neither a value target nor an average value target was set"
    )


def test_a_times_float_noise_does_not_move_the_edge_of_a_window():
    seen = [pod("web-0", start_time_s=0.1, since_s=0.2)]
    answer = PodSamples({"web-0": Sample(1000, timestamp_s=0.2 + 60.0)})
    # 0.1 + 0.2 is not 0.3 in doubles, but it is in nanoseconds
    done = decide(cpu_hpa(), 1, answer, seen=seen, now_s=0.1 + 0.2 + 60.0)
    assert wanted(done) == 2


def test_values_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="replicas: must be 0 <= min <= max"):
        latency_hpa(replicas_min=9, replicas_max=3)
    with pytest.raises(ValueError, match="at least one metric"):
        Hpa(WEB, 3, metrics=())
    with pytest.raises(ValueError, match="at least one policy"):
        dataclasses.replace(AT_ONCE.scale_up, policies=())
    assert CPU in {metric.query for metric in Hpa(WEB, 3).metrics}
    assert len(pods(3)) == 3
