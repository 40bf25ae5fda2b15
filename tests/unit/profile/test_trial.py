"""What one run says: whether the objective held, and how many requests were in flight."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.loadgen import LoadPlan, LoadResult, Records, Target
from tonnage.loadgen.result import RunFacts, summarise
from tonnage.profile.load_parts import Objective
from tonnage.profile.running import Counters
from tonnage.profile.trial import Judgement, curve_point, in_flight, judge_run
from tonnage.traffic import ConstantArrivals

OBJECTIVE = Objective(percentile=99, latency_s=0.1, origin="option")


def records(latencies: list[float], status: list[int] | None = None, late_s: float = 0.0) -> Records:
    count = len(latencies)
    intended = np.arange(count) * 0.001
    taken = intended + late_s
    return Records(
        intended_s=intended,
        dispatched_s=taken,
        sent_s=taken,
        done_s=intended + np.array(latencies),
        status=np.array(status or [200] * count, np.int16),
    )


def summary(run: Records) -> LoadResult:
    duration_s = max(run.requests * 0.001, 0.001)
    plan = LoadPlan(
        target=Target("127.0.0.1", 1), requests=(b"x",), arrivals=ConstantArrivals(1000.0, duration_s)
    )
    return summarise(run, plan, [RunFacts(0.5, 1, 1, False)])


def verdict(run: Records) -> Judgement:
    return judge_run(run, summary(run), OBJECTIVE)


def test_an_objective_holds_when_enough_requests_are_in_time() -> None:
    """One of a hundred may be late at p99, and not two."""
    assert verdict(records([0.01] * 99 + [5.0])).verdict == "held"
    late = verdict(records([0.01] * 98 + [5.0] * 2))
    assert (late.verdict, late.reason) == ("failed", "p99 was 5 s")


def test_requests_that_were_refused_at_once_count() -> None:
    """A server that refuses what it cannot carry does not carry it, however fast the others are."""
    status = [200] * 90 + [503] * 10
    refused = verdict(records([0.01] * 100, status))
    assert refused.verdict == "failed"
    assert refused.reason == "10.0% of the requests failed (http_503: 10)"


def test_a_queue_that_grows_within_the_run_does_not_hold() -> None:
    """An overload that ends before its queue is too long is no capacity."""
    growing = [0.001 + 0.09 * k / 500 for k in range(500)]
    assert verdict(records(growing)).reason.startswith("latency rose by")
    assert verdict(records([0.09] * 500)).verdict == "held"


def test_a_late_generator_says_nothing_about_the_server() -> None:
    """Unless requests took too long from when they were really taken up."""
    late = records([0.15] * 200, late_s=0.14)
    assert verdict(late).verdict == "generator_limited"
    slow = records([0.5] * 200, late_s=0.14)
    assert verdict(slow).verdict == "failed"


def test_a_run_without_requests_breaks_nothing() -> None:
    """A rate so low that none came holds."""
    assert verdict(records([])).verdict == "held"


spans = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 5)), max_size=60)


@given(spans, st.floats(0.1, 12))
def test_requests_in_flight_are_those_that_a_look_would_count(
    pairs: list[tuple[float, float]], duration_s: float
) -> None:
    """The mean is Little's sum, and the most is what a count at every start finds."""
    sent = np.array([start for start, _ in pairs], np.float64)
    done = sent + np.array([length for _, length in pairs], np.float64)
    found = in_flight(sent, done, duration_s)
    inside = sum(max(0.0, min(b, duration_s) - min(a, duration_s)) for a, b in zip(sent, done, strict=True))
    assert found.mean == pytest.approx(inside / duration_s, abs=1e-6)
    assert found.mean <= found.max + 1e-9
    assert found.p99 <= found.max
    counts = [sum(1 for a, b in zip(sent, done, strict=True) if a <= at < b) for at in sent if at < duration_s]
    assert found.max <= max(counts, default=0)


def test_requests_that_were_never_sent_were_not_in_flight() -> None:
    """They waited for a connection, which is the generator's affair."""
    found = in_flight(np.array([math.nan, 0.0]), np.array([3.0, 1.0]), 2.0)
    assert (found.mean, found.max) == (0.5, 1)


def counters(at_s: float, **fields: float) -> Counters:
    zero: dict[str, Any] = dict.fromkeys(("cpu_s", "batches", "items", "compute_s", "busy"), 0.0)
    return replace(Counters(at_s=at_s, **zero), **fields)


def test_a_point_holds_what_the_run_and_the_server_tell() -> None:
    """Batch size and CPU are differences of the server's counters; failures are not in the latency."""
    run = records([0.01] * 9 + [0.002], [200] * 9 + [503])
    point = curve_point(
        purpose="search",
        rate_per_s=1000.0,
        records=run,
        result=summary(run),
        before=counters(10.0),
        after=counters(12.0, cpu_s=1.0, batches=3.0, items=9.0),
        judgement=Judgement("failed", "because"),
    )
    assert point is not None
    assert (point.cpu_ratio, point.batch_size_mean, point.held, point.reason) == (0.5, 3.0, False, "because")
    assert point.latency_s.count == 9
    assert point.error_ratio == pytest.approx(0.1)


def test_a_run_that_answered_nothing_makes_no_point() -> None:
    """There is no latency to draw."""
    run = records([0.001] * 5, [503] * 5)
    result = summary(run)
    assert (
        curve_point(
            purpose="search",
            rate_per_s=1.0,
            records=run,
            result=result,
            before=counters(0.0),
            after=counters(1.0),
            judgement=Judgement("failed"),
        )
        is None
    )
