"""Days, flash crowds and bursts: rates as said, arrivals that follow them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.traffic import (
    ConstantArrivals,
    CountArrivals,
    CountTrace,
    DiurnalArrivals,
    FlashArrivals,
    MergedArrivals,
    MmppArrivals,
    PoissonArrivals,
    RatePath,
    TimestampTrace,
    added,
    arrivals_of,
    path_of,
    scaled,
)
from tonnage.traffic.paths import path_chunks


def times_of(process, seed=0):
    return np.concatenate([np.zeros(0), *process.chunks(np.random.default_rng(seed))])


def within_poisson(count: int, mean: float) -> bool:
    """Inside five standard deviations of a Poisson count."""
    return abs(count - mean) <= 5 * np.sqrt(mean)


paths = st.lists(
    st.tuples(st.floats(0.1, 10.0), st.just(0.0) | st.floats(0.0, 300.0)), min_size=1, max_size=12
).map(lambda parts: RatePath(np.cumsum([0.0, *(w for w, _ in parts)]), np.array([r for _, r in parts])))


@given(paths, st.integers(0, 99))
def test_arrivals_follow_their_path(path, seed):
    """Times ascend inside the path, none where the rate is 0, and each segment has about its share."""
    times = np.concatenate([np.zeros(0), *path_chunks(path, np.random.default_rng(seed))])
    assert np.all(np.diff(times) >= 0)
    assert times.size == 0 or (times[0] >= 0 and times[-1] <= path.duration_s)
    counts = np.histogram(times, path.edges_s)[0]
    for count, mean in zip(counts, path.rates_per_s * np.diff(path.edges_s), strict=True):
        assert within_poisson(count, mean) or abs(count - mean) < 8


def test_a_day_has_its_mean_and_its_peak():
    """A diurnal day's rate has the given mean, is highest at its peak, and lowest half a period off."""
    day = DiurnalArrivals(mean_per_s=100, peak_per_s=170, duration_s=86_400, peak_at_s=50_000)
    path = day.path(np.random.default_rng(0))
    assert path.requests_expected == pytest.approx(100 * 86_400)
    assert path.at(np.array([50_000.0, 50_000 - 43_200.0])) == pytest.approx([170, 30], abs=0.01)
    assert within_poisson(times_of(day).size, day.requests_expected)


def test_a_flash_crowd_rises_holds_and_falls():
    """Rates at the corners are as given, and the ramps are straight."""
    flash = FlashArrivals(
        base_per_s=10, peak_per_s=110, duration_s=1000, at_s=100, rise_s=50, hold_s=200, fall_s=100
    )
    path = flash.path(np.random.default_rng(0))
    rates = path.at(np.array([50.0, 125.0, 200.0, 400.0, 600.0]))
    assert rates == pytest.approx([10, 60, 110, 60, 10], abs=1)
    assert path.requests_expected == pytest.approx(10 * 1000 + 100 * (25 + 200 + 50))


def test_a_flash_crowd_may_be_a_step():
    """Without rise and fall the rate jumps."""
    flash = FlashArrivals(base_per_s=1, peak_per_s=9, duration_s=20, at_s=5, hold_s=5)
    path = flash.path(np.random.default_rng(0))
    assert path.at(np.array([4.9, 5.1, 9.9, 10.1])).tolist() == [1, 9, 9, 1]


def test_bursts_have_the_stated_mean_and_more_variance_than_poisson():
    """Counts of an MMPP have its mean over long times and an index of dispersion far above 1."""
    bursts = MmppArrivals(rates_per_s=(10, 200), dwell_s=(9.0, 1.0), duration_s=20_000)
    times = times_of(bursts)
    assert times.size == pytest.approx(bursts.requests_expected, rel=0.1)
    counts = np.histogram(times, np.arange(0, 20_001, 1.0))[0]
    assert counts.var() / counts.mean() > 10


def test_the_same_seed_gives_the_same_bursts():
    """A path comes from the seed alone."""
    bursts = MmppArrivals(rates_per_s=(10, 200, 0), dwell_s=(9.0, 1.0, 2.0), duration_s=500)
    one, two, other = (bursts.path(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.edges_s, two.edges_s)
    assert not np.array_equal(one.edges_s[:5], other.edges_s[:5])


class AlongPath:
    """A process along a given path."""

    peak_per_s = 0.0

    def __init__(self, path):
        self._path = path
        self.duration_s = path.duration_s
        self.requests_expected = path.requests_expected

    def path(self, rng):
        return self._path

    def chunks(self, rng):
        return path_chunks(self._path, rng)


@given(paths, paths)
def test_a_sum_of_paths_has_both_rates(one, two):
    """At any time the sum's rate is the sum of the parts'; a part that has ended adds nothing."""
    parts = tuple(AlongPath(path) for path in (one, two))
    total = path_of(added(parts), np.random.default_rng(0))
    assert total is not None
    assert total.duration_s == max(one.duration_s, two.duration_s)
    edges = np.union1d(one.edges_s, two.edges_s)
    middles = (edges[1:] + edges[:-1]) / 2
    assert total.at(middles) == pytest.approx(one.at(middles) + two.at(middles))


def test_sums_and_multiples():
    """A sum along paths is played as one; others are merged in order; a multiple has more requests."""
    steady, burst = PoissonArrivals(100, 60), FlashArrivals(0, 500, 100, at_s=20, hold_s=10)
    both = added((steady, burst))
    path = path_of(both, np.random.default_rng(0))
    assert path is not None
    assert both.duration_s == path.duration_s == 100
    assert path.at(np.array([10.0, 25.0, 70.0])).tolist() == [100, 600, 0]
    assert both.requests_expected == pytest.approx(6000 + 5000)
    mixed = added((steady, ConstantArrivals(50, 30), both))
    assert isinstance(mixed, MergedArrivals)
    times = times_of(mixed)
    assert np.all(np.diff(times) >= 0)
    assert within_poisson(times.size, mixed.requests_expected)
    assert scaled(both, 3).requests_expected == pytest.approx(33_000)
    counted = CountArrivals(CountTrace(1.0, np.array([10.0, 0.0, 30.0])))
    assert times_of(scaled(counted, 2)).size == 80
    assert scaled(ConstantArrivals(50, 30), 2).requests_expected == 3000
    assert path_of(mixed, np.random.default_rng(0)) is None


def test_single_arrivals_cannot_be_multiplied():
    """Recorded arrivals have no rate; the message says what to do."""
    recorded = arrivals_of(TimestampTrace(np.array([0.0, 1.0]), 1.0))
    with pytest.raises(SpecError, match="factor: needs rates or counts, got single arrivals; count them"):
        scaled(recorded, 2)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: DiurnalArrivals(10, 25, 60), "peak: must be from the mean (10) to twice that, got 25"),
        (lambda: DiurnalArrivals(0, 0, 60), "mean: must be a finite number > 0, got 0"),
        (lambda: DiurnalArrivals(1, 1, 1e9, 1e-3), "period: must change the rate at most 10000000 times"),
        (lambda: FlashArrivals(1, 2, 10, at_s=10), "at: must be before the end (10 s), got 10"),
        (lambda: FlashArrivals(1, 2, 10, at_s=1, rise_s=-1), "rise: must be >= 0 and finite, got -1"),
        (lambda: MmppArrivals((1,), (1,), 10), "rates: must be at least two, and as many as dwell times"),
        (lambda: MmppArrivals((0, 0), (1, 1), 10), "rates: must be >= 0 and not all 0, got [0, 0]"),
        (lambda: MmppArrivals((1, 2), (1e-9, 1e-9), 1e3), "dwell: must change the rate at most"),
        (lambda: RatePath(np.array([0, 1]), np.array([-1])), "rates_per_s: must be finite numbers >= 0"),
        (lambda: RatePath(np.array([1, 2]), np.array([1])), "edges_s: must be finite and ascending from 0"),
        (lambda: added(()), "parts: must be at least one, got none"),
    ],
)
def test_what_cannot_be_is_refused(make, text):
    """Each bad value is named with what must hold."""
    with pytest.raises(SpecError) as caught:
        make()
    assert text in str(caught.value)
