"""Counts of all time become what happened lately, and add up over pods."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.contract import latency_buckets as layout
from tonnage.metrics_api.windows import FINE_BOUNDS_S, Histogram, Reading, Window, grown, merged
from tonnage.server.metrics import histogram as servers

BOUNDS = (0.01, 0.1, 1.0, math.inf)
COUNTS = st.lists(st.integers(0, 50), min_size=4, max_size=4)
DURATIONS = st.lists(st.floats(2e-5, 90), min_size=1, max_size=100)


def of(counts, bounds=BOUNDS) -> Histogram:
    return Histogram(bounds, np.array(counts, dtype=float))


def fine(seconds) -> Histogram:
    counts = np.zeros(layout.BUCKETS, np.int64)
    servers.add(counts, np.array(seconds))
    return Histogram(FINE_BOUNDS_S, counts.astype(float))


def test_cumulative_buckets_are_taken_apart():
    """A page's buckets hold all below their bound; a page in the middle of an update loses none below zero."""
    made = Histogram.cumulative({0.1: 3, 1.0: 2, math.inf: 5})
    assert made.bounds == (0.1, 1.0, math.inf)
    assert made.counts.tolist() == [3, 0, 2]
    assert Histogram.cumulative({0.1: 3}).counts.tolist() == [3, 0]


@given(st.lists(COUNTS, min_size=2, max_size=10))
def test_a_window_is_the_sum_of_what_was_added(added):
    """Whatever was added between readings is what the window holds."""
    window, total = Window(1000), np.zeros(4)
    for at, counts in enumerate(added):
        total = total + np.array(counts)
        window.add(Reading(float(at), histograms={"x": of(total)}, counters={"n": float(total.sum())}))
    assert window.histogram("x").counts.tolist() == np.sum(added[1:], axis=0).tolist()
    assert window.increase("n") == sum(map(sum, added[1:]))


@given(st.lists(COUNTS, min_size=1, max_size=5), st.lists(COUNTS, min_size=1, max_size=5))
def test_a_restart_loses_nothing_that_was_seen(before, after):
    """A counter that begins anew counts from zero, also when it has passed its old value."""
    states = [np.array([100, 0, 0, 0]) + np.sum(before[: n + 1], axis=0) for n in range(len(before))]
    states += [np.sum(after[: n + 1], axis=0) for n in range(len(after))]
    window = Window(1000)
    for at, state in enumerate(states):
        window.add(Reading(float(at), histograms={"x": of(state)}))
    seen = np.sum(before[1:], axis=0) if len(before) > 1 else np.zeros(4)
    first = after[0][0]
    if first < states[len(before) - 1][0]:  # what is below its old value is a restart that can be seen
        assert window.histogram("x").counts.tolist() == (seen + np.sum(after, axis=0)).tolist()


@pytest.mark.parametrize(("values", "grew"), [([5, 7, 9], 4), ([5, 7, 2, 3], 5), ([5, 0], 0), ([1, 1], 0)])
def test_a_counter_that_falls_began_anew(values, grew):
    """What a counter says after a fall is what was counted since."""
    assert grown(values) == grew


def test_a_series_that_appears_was_zero_before():
    """A labelled series that is not on the first page counts whole."""
    window = Window(30)
    window.add(Reading(0.0))
    window.add(Reading(5.0, histograms={"x": of([1, 2, 0, 0])}, counters={"n": 3.0}))
    assert window.histogram("x").total == 3
    assert window.increase("n") == 3


def test_one_reading_says_nothing_of_a_window_unless_the_server_tells_its_own():
    """Without a difference there is nothing to say; a server's own window needs none."""
    window = Window(30)
    window.add(Reading(0.0, histograms={"x": of([1, 2, 3, 4])}, counters={"n": 1.0}))
    assert window.histogram("x") is None
    assert window.increase("n") is None
    window.add(Reading(5.0, windows={"x": of([1, 0, 0, 0])}, window_s=30.0))
    assert window.histogram("x").total == 1


def test_old_readings_are_forgotten():
    """A window covers its length and no more than one reading beyond."""
    window = Window(10)
    for at in range(0, 60, 5):
        window.add(Reading(float(at), counters={"n": float(at)}, gauges={"g": float(at)}))
    assert window.length_s == 10
    assert window.increase("n") == 10
    assert window.mean("g") == 50


@given(st.lists(DURATIONS, min_size=1, max_size=6), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_the_fleets_percentile_is_that_of_all_requests(pods, q):
    """Merged fine buckets give exactly what one server of all requests would say, within 1% of the truth."""
    everything = [duration for pod in pods for duration in pod]
    said = merged(fine(pod) for pod in pods).quantile(q)
    assert said == fine(everything).quantile(q)
    exact = sorted(everything)[max(1, math.ceil(q * len(everything))) - 1]
    assert math.isclose(said, exact, rel_tol=0.011)


@given(COUNTS, st.lists(st.integers(0, 50), min_size=3, max_size=3))
def test_other_bounds_lose_no_count(one, other):
    """Histograms of different bounds merge over all of them, and every count is there once."""
    both = merged([of(one), of(other, (0.05, 0.1, math.inf))])
    assert both.bounds == (0.01, 0.05, 0.1, 1.0, math.inf)
    assert both.total == sum(one) + sum(other)


@given(COUNTS, st.floats(0.01, 1.0))
def test_a_quantile_lies_in_its_bucket(counts, q):
    """The quantile is within the bounds of the bucket that holds it, and grows with q."""
    made = of(counts)
    said = made.quantile(q)
    if sum(counts) == 0:
        assert said is None
        return
    index = int(np.searchsorted(np.cumsum(counts), q * sum(counts)))
    low = ([0.0, *BOUNDS])[index]
    assert low <= said <= (BOUNDS[index] if index < 3 else 1.0) + 1e-12
    assert said <= made.quantile(1.0)


def test_nothing_is_merged_of_nothing():
    """No pods have no histogram."""
    assert merged([]) is None
