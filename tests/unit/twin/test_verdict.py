"""The verdict: held or missed, when, for how long, and why in the words of the records."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_results import OBJECTIVE, flash_crowd, flash_crowd_records, made, scenario

from tonnage.twin.causes import causes_between
from tonnage.twin.evidence import Evidence
from tonnage.twin.records import (
    MetricSeen,
    NodeRecord,
    PipelineRecord,
    PodRecord,
    RolloutRecord,
    ScalingDecision,
)
from tonnage.twin.scenario import Objective
from tonnage.twin.verdict import missed_of, percentile_of, stretches_of, verdict_of


def calm(_):
    return 150.0


def crowd(at_s):
    return 450.0 if 120 <= at_s < 240 else 150.0


def said(records, *, offered=crowd, ready=lambda _: 2, scenario_=None):
    """What the causes of the first violation say."""
    verdict = verdict_of(made(offered=offered, ready=ready, records=records, scenario_=scenario_))
    return [cause.text for cause in verdict.violations[0].causes]


def test_a_service_within_its_capacity_holds_at_all_times():
    """No queue, no violation."""
    verdict = verdict_of(made(offered=calm))
    assert verdict.held is True
    assert verdict.violations == ()
    assert verdict.headline == (
        "The objective held at all times: p99 20 ms against 100 ms, 0% not answered against 0.1%"
    )


def test_a_flash_crowd_is_one_violation_with_its_causes():
    """The span is where requests waited, and the causes are the load, the refusal, the HPA and the load time."""
    verdict = verdict_of(flash_crowd())
    assert verdict.held is False
    assert verdict.headline.startswith("The objective was missed: p99 10 s against 100 ms, 17.1% not answered")
    (span,) = verdict.violations
    assert (span.from_s, span.to_s, span.unanswered) == (120.0, 253.0, 21_500)
    assert span.latency_s_worst == pytest.approx(10.02)
    assert [cause.text for cause in span.causes] == [
        "the offered rate rose from 150/s to 450/s",
        "1 pod found no node for up to 7.73 min (0/4 nodes are available: 4 Insufficient nvidia.com/gpu.)",
        "the HPA asked for 4 replicas at 0:02:15, 15 s after the first miss",
        "1 pod was starting and loading for up to 38 s, from 0:02:17",
        "requests not answered: 21,500 refused as the queues were full",
    ]


def test_a_short_miss_does_not_break_a_long_run():
    """The run holds when 99% of all answers were in time, and the span is told all the same."""
    result = made(
        offered=lambda at_s: 300.0 if 1000 <= at_s < 1002 else 150.0,
        scenario_=scenario(duration_s=3600.0),
    )
    verdict = verdict_of(result)
    assert verdict.held is True
    assert len(verdict.violations) == 1
    assert verdict.violations[0].from_s == 1000.0
    assert verdict.headline.startswith("The objective held over the run, but not at all times")


def test_without_an_objective_nothing_is_judged():
    """The figures are there, and no verdict."""
    verdict = verdict_of(flash_crowd(scenario_=scenario(objective=None)))
    assert verdict.held is None
    assert verdict.violations == ()
    assert verdict.headline == "No objective was given: p99 10 s, 17.1% not answered"


def test_one_slow_request_among_few_is_no_violation_of_its_second():
    """At 20 requests/s one slow one is 5% of its second and 0.5% of the ten seconds around it."""
    result = made(offered=lambda _: 20.0)
    result.series.slo_misses[100] = 1.0
    assert not missed_of(result, Objective(99, 0.1)).any()
    result.series.slo_misses[100] = 3.0
    assert missed_of(result, Objective(99, 0.1)).any()


def test_any_unanswered_request_breaks_an_objective_without_errors():
    """An error ratio of zero allows none."""
    result = made(offered=calm)
    result.series.failed[50] = 1.0
    result.series.slo_misses[50] = 1.0
    (span,) = verdict_of(made_with(result, Objective(99, 0.1, 0.0))).violations
    assert (span.from_s, span.to_s, span.requests, span.unanswered) == (50.0, 51.0, 1, 1)


def made_with(result, objective):
    from dataclasses import replace

    return replace(result, scenario=replace(result.scenario, objective=objective))


def test_a_service_that_answers_nothing_does_not_hold():
    """No answer is no answer in time."""
    verdict = verdict_of(made(offered=calm, ready=lambda _: 1e-12, queue_max=0.0))
    assert verdict.held is False
    assert verdict.error_ratio == pytest.approx(1.0)


def test_a_failed_node_is_named_with_what_it_took():
    """The node, when, and how many ready pods were on it."""
    records = [
        PodRecord(0.0, "a", "gpu-1", "ready"),
        PodRecord(0.0, "b", "gpu-1", "ready"),
        NodeRecord(118.0, "gpu-1", "failed"),
    ]
    assert "node gpu-1 failed at 0:01:58, with 2 ready pods" in said(records)


def test_kills_by_probes_and_memory_are_counted():
    """Each kind with its number and its most frequent reason."""
    records = [PodRecord(125.0 + i, f"p{i}", "n", "killed", "liveness failed") for i in range(3)]
    records.append(PodRecord(130.0, "q", "n", "oom_killed"))
    texts = said(records)
    assert "a container was killed by a probe, 3 times (liveness failed)" in texts
    assert "a container ran out of memory and was killed, once" in texts


def test_a_rollout_under_way_is_a_cause_and_a_finished_one_is_not():
    """Only what was going on explains."""
    began = RolloutRecord(110.0, 2, "began")
    assert "the rollout to revision 2 was under way since 0:01:50, with 2 of 2 replicas ready" in said([began])
    done = [RolloutRecord(10.0, 2, "began"), RolloutRecord(30.0, 2, "complete")]
    assert not any("rollout" in text for text in said(done))


def test_an_outage_of_the_metrics_is_a_cause():
    """Who did not answer, and since when."""
    assert "metrics-api did not answer from 0:01:40" in said([PipelineRecord(100.0, "metrics-api", "outage")])


def decision(at_s, before, after, *, error=None, rescaled=None):
    metric = MetricSeen("cpu", None if error else 90.0, 70.0, None if error else after, error)
    rescaled = before != after if rescaled is None else rescaled
    return ScalingDecision(at_s, "hpa", before, after, rescaled, "", (metric,))


def test_a_scale_down_shortly_before_is_a_cause():
    """Replicas that were just taken away are missing."""
    texts = said([decision(100.0, 4, 3), decision(115.0, 3, 2)])
    assert "the HPA had taken away 2 replicas (4 to 2), the last 5 s before" in texts


def test_an_autoscaler_at_its_maximum_is_named():
    """It asked for no more because there is no more."""
    assert "the HPA was at its maximum of 10 replicas" in said([decision(130.0, 10, 10)])


def test_an_autoscaler_that_cannot_read_its_metric_is_named_with_the_error():
    """The error is the controller's own."""
    texts = said([decision(130.0, 2, 2, error="unable to get metric cpu")])
    assert "the HPA asked for no more: cpu could not be read (unable to get metric cpu)" in texts


def test_an_autoscaler_that_sees_no_need_is_told_with_what_it_saw():
    """The metric and its target explain why it stood still."""
    assert "the HPA asked for no more than 2 replicas: cpu was 90 against 70" in said([decision(130.0, 2, 2)])


def test_a_service_without_an_autoscaler_says_so():
    """Nobody could have reacted."""
    texts = said([], scenario_=scenario(autoscaler=None))
    assert "no autoscaler follows the load: 2 replicas were wanted" in texts


def test_an_objective_below_the_unloaded_latency_is_the_first_cause():
    """It can never hold, whatever the load."""
    texts = said([], offered=calm, scenario_=scenario(objective=Objective(99, 0.005)))
    assert texts[0].startswith("the objective of 5 ms is below the latency without load")


def test_readiness_that_fails_under_load_is_a_cause():
    """How often, for how long, and why."""
    records = [PodRecord(0.0, "a", "n", "ready")]
    for at_s in (125.0, 140.0):
        records += [PodRecord(at_s, "a", "n", "unready", "its readiness probe failed"), PodRecord(at_s + 4, "a", "n", "ready")]
    assert "a ready pod became unready, 2 times, for up to 4 s (its readiness probe failed)" in said(records)


def test_requests_lost_with_a_terminating_pod_are_laid_to_it_and_not_to_the_autoscaler():
    """A scale-down without a pause loses requests, though no replica has too much to do."""
    result = made(
        offered=calm,
        records=[
            PodRecord(0.0, "a", "n", "ready"),
            decision(100.0, 3, 2),
            PodRecord(100.0, "a", "n", "terminating"),
        ],
    )
    result.series.failed[100] = 30.0
    result.series.slo_misses[100] = 30.0
    (span,) = verdict_of(result).violations
    assert [cause.text for cause in span.causes] == [
        "1 pod was terminated from 0:01:40 on, while requests were still sent there",
        "requests not answered: 30 that met no server or lost theirs",
    ]


def test_there_is_always_a_cause():
    """Where no record explains anything, the state of the service does."""
    result = made(offered=calm)
    causes = causes_between(result, Evidence.of(result), 10.0, 20.0)
    assert [cause.text for cause in causes] == ["2 replicas were ready and up to 0 requests waited in them"]


def test_percentiles_come_from_the_totals_and_else_from_the_histogram():
    """The totals' own value where they have it; the middle of the bucket otherwise; nan without answers."""
    result = flash_crowd()
    assert percentile_of(result, 99) == result.totals.p99_s
    histogram = type(result.histogram)(np.array([0.1, 0.4, 1.6]), np.array([5, 4, 1]))
    from dataclasses import replace

    result = replace(result, histogram=histogram)
    assert percentile_of(result, 80) == pytest.approx(0.2)
    assert math.isnan(percentile_of(replace(result, histogram=type(histogram)(np.array([]), np.array([]))), 80))


@given(st.lists(st.booleans(), max_size=50))
def test_stretches_cover_exactly_what_is_true(values):
    """Every true index is in one stretch, no false one is in any, and stretches do not touch."""
    ranges = stretches_of(np.array(values, dtype=bool))
    inside = [index for start, stop in ranges for index in range(start, stop)]
    assert inside == [index for index, value in enumerate(values) if value]
    assert all(a[1] < b[0] for a, b in zip(ranges, ranges[1:], strict=False))


@settings(max_examples=30)
@given(
    st.lists(st.floats(0, 900), min_size=5, max_size=5),
    st.integers(1, 6),
)
def test_violations_are_in_order_within_the_run_and_hold_all_that_is_in_them(rates, replicas):
    """Whatever comes: spans ascend, do not overlap, have a cause, and together hold no more misses than there were."""
    result = made(
        offered=lambda at_s: rates[int(at_s // 40) % 5],
        ready=lambda _: replicas,
        scenario_=scenario(duration_s=200.0),
    )
    verdict = verdict_of(result)
    ends = 0.0
    for span in verdict.violations:
        assert ends <= span.from_s < span.to_s <= 200.0
        assert span.causes
        ends = span.to_s
    assert sum(span.requests for span in verdict.violations) <= round(result.series.slo_misses.sum()) + len(verdict.violations)
    if verdict.held is False:
        assert verdict.violations


def test_the_builder_is_conserving():
    """The results that these tests are made of lose no request."""
    totals = flash_crowd().totals
    assert totals.offered == totals.answered + totals.drops + totals.unfinished
    assert OBJECTIVE.percentile == 99
    assert len(flash_crowd_records()) > 40
