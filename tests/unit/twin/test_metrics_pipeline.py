"""What the metrics APIs say of pods, and of those that say nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tonnage.twin.metrics_plan import CustomMetric, CustomMetrics
from tonnage.twin.models import metrics_pipeline as pipeline
from tonnage.twin.models.metrics_pipeline import Reading
from tonnage.twin.requests import SlotTotals
from tonnage.twin.requests.buckets import BUCKETS, UPPER_S

PLAN = CustomMetrics()
P99 = CustomMetric("p99", "latency_p99")


def totals(at_s, answered=0, latency_s=0.01, in_flight_s=0.0):
    """Counters of a server that answered everything in the same time."""
    latency = np.zeros(BUCKETS, dtype=np.int64)
    latency[int(np.searchsorted(UPPER_S, latency_s))] = answered
    empty = SlotTotals.none(0.0)
    return dataclasses.replace(
        empty,
        time_s=at_s,
        answered=answered,
        latency_s=answered * latency_s,
        latency=latency,
        in_flight_s=in_flight_s,
    )


def reading(at_s, *, answered=0, latency_s=0.01, container=1, started_s=0.0, cpu_s=0.0, **changed):
    """What a scrape found of a ready pod that serves since its start."""
    plain = Reading(
        at_s, container, started_s, True, False, started_s, totals(at_s, answered, latency_s), 3, cpu_s, 100
    )
    return dataclasses.replace(plain, **changed)


def value(metric, last, before=None, plan=PLAN, told=None, sustainable_per_s=None):
    return pipeline.pod_value(metric, plan, sustainable_per_s, last, before, told)


def test_a_cpu_rate_needs_two_points_of_one_container():
    """The rate is the growth between them; a restart in between leaves none."""
    before, last = reading(15.0, cpu_s=10.0), reading(30.0, cpu_s=25.0)
    assert pipeline.cpu_cores(last, before, 15.0) == (1.0, 15.0)
    assert pipeline.cpu_cores(dataclasses.replace(last, container=2, started_s=29.0), before, 15.0) is None
    assert pipeline.cpu_cores(last, None, 15.0) is None


@pytest.mark.parametrize(("age_s", "expected"), [(9.0, None), (10.0, (2.0, 10.0)), (14.0, (2.0, 14.0)), (15.0, None)])
def test_a_fresh_container_takes_its_start_as_the_first_point(age_s, expected):
    """From 10 s of age on, until it is as old as the resolution."""
    last = reading(100.0, started_s=100.0 - age_s, cpu_s=2.0 * age_s)
    assert pipeline.cpu_cores(last, None, 15.0) == expected


def test_a_window_is_the_growth_since_the_earlier_reading():
    """Rates divide by the time between the readings; latencies are those of the requests in it."""
    before, last = reading(30.0, answered=600, latency_s=0.5), reading(60.0, answered=600, latency_s=0.5)
    last = dataclasses.replace(last, totals=totals(60.0, 900, 0.5))
    assert value(CustomMetric("rps", "requests_per_s"), last, before) == pytest.approx(10.0)
    assert value(CustomMetric("mean", "latency_mean"), last, before) == pytest.approx(0.5)


def test_a_younger_pod_is_measured_since_it_serves():
    """Without a reading a window ago, the rate is over the time that it has been serving."""
    last = reading(110.0, answered=50, serving_since_s=105.0)
    assert value(CustomMetric("rps", "requests_per_s"), last) == pytest.approx(10.0)


def test_counters_of_a_former_container_do_not_count():
    """After a restart the window begins with the new container."""
    before = reading(30.0, answered=600)
    last = reading(60.0, answered=20, container=2, started_s=50.0, serving_since_s=50.0)
    assert value(CustomMetric("rps", "requests_per_s"), last, before) == pytest.approx(2.0)


@pytest.mark.parametrize(("idle", "expected"), [("absent", None), ("zero", 0.0), ("last", 0.08)])
def test_an_idle_pod_follows_the_stated_rule(idle, expected):
    """No request in the window: silent, zero, or what it last said."""
    plan = CustomMetrics(idle=idle)
    before = reading(30.0, answered=600)
    last = dataclasses.replace(reading(60.0), totals=totals(60.0, 600))
    assert value(P99, last, before, plan, told=0.08) == expected


def test_a_rate_of_nothing_is_zero_and_not_silence():
    """Only latencies have no value without requests."""
    last, before = reading(60.0), reading(30.0)
    assert value(CustomMetric("rps", "requests_per_s"), last, before) == 0.0
    assert value(CustomMetric("queue", "queue"), last, before) == 3.0


def test_load_is_relative_to_what_a_replica_sustains():
    """Half of what it sustains is a load of one half, in the metric's own scale."""
    before, last = reading(30.0), reading(60.0, answered=1200)
    percent = CustomMetric("load", "load", scale=100.0)
    assert value(percent, last, before, sustainable_per_s=80.0) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("plan", "ready", "terminating", "expected"),
    [
        (PLAN, True, False, True),
        (PLAN, False, False, False),
        (CustomMetrics(warming="answers"), False, False, True),
        (PLAN, True, True, False),
        (CustomMetrics(terminating="answers"), True, True, True),
    ],
)
def test_who_speaks(plan, ready, terminating, expected):
    """Warming and terminating pods are silent unless the plan says otherwise."""
    assert pipeline.speaks(reading(1.0, ready=ready, terminating=terminating), plan) == expected


def test_the_fleets_percentile_is_not_the_mean_of_percentiles():
    """Nine quick pods and a slow one: the mean hides what a tenth of the requests see."""
    pairs = [(reading(30.0, answered=100, latency_s=0.06), None) for _ in range(9)]
    pairs.append((reading(30.0, answered=100, latency_s=0.4), None))
    fleet = pipeline.fleet_value(P99, None, pairs)
    each = [value(P99, last, before) for last, before in pairs]
    assert fleet == pytest.approx(0.4, rel=0.02)
    assert sum(each) / len(each) == pytest.approx(0.094, rel=0.02)


def test_the_fleets_sums():
    """Rates and queues add up; nobody at all is no value."""
    pairs = [(reading(30.0, answered=300), None)] * 2
    assert pipeline.fleet_value(CustomMetric("rps", "requests_per_s"), None, pairs) == pytest.approx(20.0)
    assert pipeline.fleet_value(CustomMetric("queue", "queue"), None, pairs) == 6.0
    assert pipeline.fleet_value(CustomMetric("rps", "requests_per_s"), None, []) is None


@pytest.mark.parametrize(("number", "expected"), [(0.1, 100), (0.1109, 111), (0.1100001, 111), (0.11, 110), (0.0, 0)])
def test_values_become_thousandths_rounded_up(number, expected):
    """As a quantity's milli-value; what is a whole thousandth but for a double's last bits stays it."""
    assert pipeline.milli(number) == expected
