"""From samples to a count: ratios, pod groups, fill-in, requests, values. One sentence of a rule per test."""

from __future__ import annotations

import dataclasses

import pytest
from hpa_rules import covers
from hpa_scenes import (
    CPU,
    HITS,
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

from tonnage.errors import SpecError
from tonnage.hpa import (
    Behavior,
    ContainerFact,
    ExternalValues,
    Hpa,
    MetricError,
    MetricQuery,
    MetricSpec,
    MetricTarget,
    ObjectValue,
    PodSamples,
    Sample,
    ScalingPolicy,
    ScalingRules,
    hpa_from_object,
    nothing_returned,
)

FREE = Behavior(
    scale_up=ScalingRules((ScalingPolicy("Pods", 1000, 15),), stabilization_window_s=0),
    scale_down=ScalingRules((ScalingPolicy("Percent", 100, 15),), stabilization_window_s=0),
)
"""A behavior that limits nothing, so that the count of the metric is seen."""


def free(hpa: Hpa) -> Hpa:
    return dataclasses.replace(hpa, behavior=FREE, replicas_max=1000)


@covers("E7")
@pytest.mark.parametrize(("values", "count"), [([110, 111], 2), ([111, 111], 3), ([110, 112], 3)])
def test_the_mean_is_cut_to_a_whole_number_before_the_tolerance_is_looked_at(values, count):
    assert wanted(decide(free(latency_hpa()), 2, samples(values))) == count


@covers("E7")
def test_utilization_is_cut_to_whole_percents():
    hpa = free(cpu_hpa(percent=100))
    # 110.99% is 110%, which the tolerance allows
    assert wanted(decide(hpa, 1, samples([1109]))) == 1
    assert wanted(decide(hpa, 1, samples([1110]))) == 2


@covers("E14")
def test_exactly_ten_percent_above_and_below_are_inside_the_tolerance():
    hpa = free(latency_hpa(target_milli=1000))
    assert wanted(decide(hpa, 10, samples([1100] * 10))) == 10
    assert wanted(decide(hpa, 10, samples([900] * 10))) == 10
    assert wanted(decide(hpa, 10, samples([1101] * 10))) == 12
    assert wanted(decide(hpa, 10, samples([899] * 10))) == 9


@covers("E14")
def test_each_direction_has_its_own_tolerance():
    rules = FREE.scale_up, dataclasses.replace(FREE.scale_down, tolerance=0.0)
    hpa = dataclasses.replace(free(latency_hpa()), behavior=Behavior(*rules))
    assert wanted(decide(hpa, 10, samples([109] * 10))) == 10
    assert wanted(decide(hpa, 10, samples([99] * 10))) == 10  # 0.99 x 10 is rounded up again
    assert wanted(decide(hpa, 10, samples([89] * 10))) == 9


@covers("E8")
def test_failed_pods_and_those_being_deleted_are_ignored_with_their_samples():
    seen = [pod("web-0"), pod("web-1", deleted=True), pod("web-2", phase="Failed")]
    assert wanted(decide(free(latency_hpa()), 1, samples([200, 9000, 9000]), seen=seen)) == 2


@covers("E8")
def test_a_cpu_sample_counts_only_a_window_after_the_pod_became_ready():
    starting = pod("web-1", start_time_s=-100.0, since_s=-60.0)
    answers = [PodSamples({"web-0": Sample(1000), "web-1": Sample(1000, at_s)}) for at_s in (-0.1, 0.0)]
    counts = [wanted(decide(free(cpu_hpa()), 2, answer, seen=[pod("web-0"), starting])) for answer in answers]
    # the sample of a window that began before counts as 0 and halves the ratio of 2
    assert counts == [2, 4]


@covers("E8")
def test_long_after_its_start_only_a_pod_that_never_was_ready_is_unready_for_cpu():
    never = pod("web-1", ready="False", start_time_s=-1000.0, since_s=-1000.0)
    was = pod("web-1", ready="False", start_time_s=-1000.0, since_s=-100.0)
    counts = [
        wanted(decide(free(cpu_hpa()), 2, samples([1000, 1000]), seen=[pod("web-0"), last]))
        for last in (never, was)
    ]
    assert counts == [2, 4]


@covers("E9")
def test_a_pods_metric_does_not_look_at_readiness():
    seen = [pod("web-0"), pod("web-1", ready="False", start_time_s=-1.0, since_s=-1.0)]
    assert wanted(decide(free(latency_hpa()), 2, samples([200, 200]), seen=seen)) == 4


@covers("E9")
def test_succeeded_and_unknown_pods_are_full_members():
    seen = [pod("web-0", phase="Succeeded"), pod("web-1", phase="Unknown")]
    assert wanted(decide(free(latency_hpa()), 2, samples([200, 200]), seen=seen)) == 4


@covers("E10")
def test_the_sample_of_a_pod_that_is_gone_still_counts():
    answer = samples({"web-0": 100, "web-of-yesterday": 500})
    # (100 + 500) / 2 is three times the target, times the one pod that is there
    assert wanted(decide(free(latency_hpa()), 1, answer)) == 3


@covers("E10")
def test_without_a_sample_of_a_pod_that_counts_there_is_no_count():
    done = decide(latency_hpa(), 1, samples([100]), seen=[pod("web-0", phase="Pending")])
    assert not done.rescale
    assert condition(done, "ScalingActive") == (False, "FailedGetPodsMetric")
    assert done.events[0].message == "did not receive metrics for targeted pods (pods might be unready)"


@covers("E11")
def test_pods_that_count_are_multiplied_and_not_the_replicas_asked_for():
    assert wanted(decide(free(latency_hpa()), 8, samples([200, 200, 200, 200]), seen=pods(4))) == 8


@covers("E11")
def test_a_surge_pod_makes_a_low_ratio_scale_up():
    done = decide(free(latency_hpa()), 4, samples([85] * 5), seen=pods(5))
    assert wanted(done) == 5
    assert done.reason == "pods metric latency above target"


@covers("E12")
def test_a_missing_pod_counts_as_exactly_the_target_on_the_way_down():
    # (60 + 60 + 100) / 3 is 73, and 0.73 x 3 rounds up to 3
    assert wanted(decide(free(latency_hpa()), 3, samples([60, 60, None]))) == 3
    assert wanted(decide(free(latency_hpa()), 3, samples([40, 40, None]))) == 2


@covers("E12")
def test_a_missing_pod_counts_as_nothing_on_the_way_up():
    assert wanted(decide(free(latency_hpa()), 3, samples([300, 300, None]))) == 6


@covers("E12")
def test_a_missing_pod_counts_as_all_that_it_requests_on_the_way_down():
    # 30% and 30% and 100% of the requests are 53%, against a target of 50%: the direction flipped
    assert wanted(decide(free(cpu_hpa(percent=50)), 3, samples([300, 300, None]))) == 3


@covers("E12")
def test_with_a_target_above_all_requests_a_missing_pod_counts_as_the_target():
    # (300 + 300 + 1500) / 3 is 70% of 150%: 0.4667 x 3 rounds up to 2; at 100% it would be 0.3556 x 3
    assert wanted(decide(free(cpu_hpa(percent=150)), 3, samples([300, 300, None]))) == 2


@covers("E12")
def test_a_pending_pod_counts_as_nothing_on_the_way_up_and_not_at_all_on_the_way_down():
    seen = [*pods(2), pod("web-2", phase="Pending")]
    assert wanted(decide(free(latency_hpa()), 3, samples([300, 300]), seen=seen)) == 6
    assert wanted(decide(free(latency_hpa()), 3, samples([50, 50]), seen=seen)) == 1


@covers("E13")
def test_when_filling_in_turns_the_direction_nothing_changes():
    assert wanted(decide(free(latency_hpa()), 3, samples([140, None, None]))) == 3


@covers("E13")
def test_when_the_count_of_samples_turns_the_direction_nothing_changes():
    # 5 samples for 3 replicas: 0.88 of the target and yet 5 pods
    seen = pods(5)
    assert wanted(decide(free(latency_hpa()), 3, samples([85, 85, 85, 85, None]), seen=seen)) == 3


@covers("E15")
def test_a_value_is_multiplied_by_ready_pods_even_if_they_are_being_deleted():
    hpa = free(Hpa(WEB, 50, metrics=(MetricSpec(QUEUE, MetricTarget("Value", value_milli=1000)),)))
    seen = [*pods(2), pod("web-2", deleted=True), pod("web-3", ready="False")]
    assert wanted(decide(hpa, 4, ExternalValues((1500, 500)), seen=seen)) == 6


@covers("E15")
def test_an_average_value_is_shared_by_the_pods_that_exist():
    target = MetricTarget("AverageValue", average_value_milli=1000)
    hpa = free(Hpa(WEB, 50, metrics=(MetricSpec(HITS, target),)))
    assert wanted(decide(hpa, 2, ObjectValue(4400), status_replicas=4)) == 4  # within tolerance of 4, not of 2
    assert wanted(decide(hpa, 2, ObjectValue(4401), status_replicas=4)) == 5


@covers("E15")
def test_an_external_value_beyond_int32_is_capped_and_a_count_of_pods_overflows_as_upstream():
    target = MetricTarget("AverageValue", average_value_milli=1)
    external = dataclasses.replace(free(Hpa(WEB, 50, metrics=(MetricSpec(QUEUE, target),))), replicas_max=2**31 - 1)
    assert wanted(decide(external, 3, ExternalValues((2**40,)))) == 1003  # as far as the policy lets it go
    hpa = dataclasses.replace(free(latency_hpa(target_milli=1)), replicas_min=2)
    assert wanted(decide(hpa, 3, samples([2**40] * 3))) == 2


@covers("E15")
def test_a_negative_external_sum_asks_for_the_most():
    target = MetricTarget("AverageValue", average_value_milli=1000)
    hpa = free(Hpa(WEB, 50, metrics=(MetricSpec(QUEUE, target),)))
    assert wanted(decide(hpa, 3, ExternalValues((-5,)))) == 1000


@covers("E16")
def test_one_container_without_a_request_fails_a_utilization():
    bare = dataclasses.replace(
        pod("web-1"), containers=(ContainerFact("server", {"cpu": 1}), ContainerFact("proxy", {}, "sidecar"))
    )
    done = decide(cpu_hpa(), 2, samples([100, 100]), seen=[pod("web-0"), bare])
    assert not done.rescale
    assert done.events[0].message == (
        "failed to get cpu utilization: missing request for cpu in container proxy of Pod web-1"
    )


@covers("E16")
def test_pod_level_requests_take_the_place_of_the_containers():
    whole = dataclasses.replace(pod("web-0"), containers=(ContainerFact("server"),), pod_requests_milli={"cpu": 1000})
    assert wanted(decide(free(cpu_hpa()), 1, samples([1000]), seen=[whole])) == 2


@covers("E16")
def test_pod_level_requests_of_another_resource_take_what_the_containers_need_at_most():
    parts = (
        ContainerFact("server", {"cpu": 300}),
        ContainerFact("load", {"cpu": 900}, "init"),
        ContainerFact("proxy", {"cpu": 100}, "sidecar"),
    )
    whole = dataclasses.replace(
        pod("web-0"), containers=parts, pod_requests_milli={"memory": 1}, overhead_milli={"cpu": 100}
    )
    # the init container's 900m and the overhead's 100m
    assert wanted(decide(free(cpu_hpa()), 1, samples([1000]), seen=[whole])) == 2


@covers("E16")
def test_a_container_resource_looks_at_its_container_alone():
    query = MetricQuery("ContainerResource", "cpu", "server")
    spec = MetricSpec(query, MetricTarget("Utilization", average_utilization_percent=50))
    hpa = free(Hpa(WEB, 50, metrics=(spec,)))
    both = (ContainerFact("server", {"cpu": 1000}), ContainerFact("proxy"))
    seen = [dataclasses.replace(pod("web-0"), containers=both)]
    done = decide(hpa, 1, samples([1000]), seen=seen)
    assert wanted(done) == 2
    assert done.reason == "cpu container resource utilization (percentage of request) above target"


@covers("E20")
def test_an_old_sample_of_a_custom_metric_is_as_good_as_a_new_one():
    old = PodSamples({"web-0": Sample(200, timestamp_s=-86400.0)})
    assert wanted(decide(free(latency_hpa()), 1, old)) == 2


@covers("E20")
def test_a_sample_without_a_window_has_one_minute():
    assert Sample(1).window_s == 60.0


@covers("E20")
@pytest.mark.parametrize(
    ("query", "message"),
    [
        (CPU, "no metrics returned from resource metrics API"),
        (MetricQuery("Pods", "latency"), "no metrics returned from custom metrics API"),
        (QUEUE, "no metrics returned from external metrics API"),
    ],
)
def test_a_metric_that_nothing_serves_is_an_error_in_the_clients_words(query, message):
    assert nothing_returned(query) == MetricError(message)
    target = MetricTarget("AverageValue", average_value_milli=1)
    done = decide(Hpa(WEB, 5, metrics=(MetricSpec(query, target),)), 2, {})
    assert message in (done.error or "")


@covers("E22")
def test_there_is_no_selection_by_owner_and_no_fallback_for_external_metrics_in_this_release():
    document = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
            "maxReplicas": 5,
            "selectionStrategy": "OwnerReferences",
        },
    }
    with pytest.raises(SpecError, match="selectionStrategy: is not a known field"):
        hpa_from_object(document)
