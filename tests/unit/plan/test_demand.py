"""Rates of traffic: percentiles, peaks, and rises that outrun an autoscaler."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.plan.demand import Demand, Following, demand_of, range_of, steady
from tonnage.traffic import (
    ConstantArrivals,
    CountTrace,
    FlashArrivals,
    MmppArrivals,
    PoissonArrivals,
    TimestampTrace,
    arrivals_of,
    clipped,
)

rows = st.lists(st.floats(0.0, 100.0), min_size=1, max_size=60)


def demand(values: list[float], bin_s: float = 10.0) -> Demand:
    return Demand(bin_s, np.array(values))


def ranged(traffic: Demand, behind_s: float, kept_s: float, window_s: float = 10.0):
    def serving(rate: float) -> int:
        return max(1, math.ceil(rate / 10 - 1e-9))

    return range_of(traffic, Following(behind_s, kept_s), window_s=window_s, serving=serving, sized=serving)


def test_a_wider_window_sees_a_lower_peak():
    """A spike of one bin is diluted by the window that it is seen through."""
    traffic = demand([0, 0, 60, 0, 0, 0])
    assert [traffic.peak_per_s(window) for window in (10, 20, 60, 600)] == [60, 30, 10, 10]


@given(values=rows, window=st.floats(1.0, 700.0))
def test_a_peak_lies_among_the_bins_and_over_all_of_them_it_is_the_mean(values, window):
    traffic = demand(values)
    assert min(values) - 1e-6 <= traffic.peak_per_s(window) <= max(values) + 1e-6
    assert traffic.peak_per_s(1e9) == pytest.approx(traffic.mean_per_s)


def test_steady_processes_are_one_rate():
    """Constant and Poisson arrivals have the rate that they are made of."""
    for process in (ConstantArrivals(50, 10), PoissonArrivals(50, 10)):
        assert demand_of(process, bin_s=1, seed=0).peak_per_s(1) == 50


def test_counts_keep_their_bins():
    """A trace of counts per minute has a rate for each minute, clipped traces only the first ones."""
    process = arrivals_of(CountTrace(60, [60, 120, 600]))
    assert demand_of(process, bin_s=1, seed=0).rates_per_s.tolist() == [1, 2, 10]
    assert demand_of(clipped(process, duration_s=120), bin_s=1, seed=0).rates_per_s.tolist() == [1, 2]


def test_single_arrivals_are_counted():
    """Recorded arrivals are counted per bin."""
    process = arrivals_of(TimestampTrace([0.1, 0.2, 1.5], 3.0))
    assert demand_of(process, bin_s=1, seed=0).rates_per_s.tolist() == [2, 1, 0]


def test_a_step_that_outruns_scaling_sets_the_minimum():
    """From 10 to 80 requests/s at once, eight replicas must be there before the autoscaler has seen it."""
    found = ranged(demand([10] * 10 + [80] * 10), behind_s=30, kept_s=60)
    assert (found.lowest, found.rise, found.highest, found.minimum) == (1, 8, 8, 8)


def test_a_ramp_that_scaling_follows_needs_no_more_than_its_start():
    """Head-room for two bins of a ramp is enough when the autoscaler is two bins behind."""
    ramp = demand([10.0 + 5 * n for n in range(20)])
    found = range_of(
        ramp,
        Following(20, 60),
        window_s=10,
        serving=lambda rate: math.ceil(rate / 10 - 1e-9),
        sized=lambda rate: math.ceil((rate + 10) / 10 - 1e-9),
    )
    assert (found.rise, found.minimum, found.highest) == (0, 2, 12)


def test_a_kept_peak_meets_the_next_one():
    """A second spike finds the replicas of the first when they are kept long enough."""
    spikes = [80.0] * 6 + [10.0] * 6 + [80.0] * 6
    assert ranged(demand(spikes), behind_s=10, kept_s=30).rise == 8
    assert ranged(demand(spikes), behind_s=10, kept_s=600).rise == 0


@given(values=rows, behind=st.floats(0, 300), kept=st.floats(0, 300), later=st.floats(0, 300))
def test_replicas_kept_for_longer_never_raise_the_minimum(values, behind, kept, later):
    traffic = demand(values)
    found = ranged(traffic, behind, kept)
    assert found.lowest <= found.minimum <= found.highest
    assert found.minimum - 1e-9 <= found.mean <= found.highest + 1e-9
    assert ranged(traffic, behind, kept + later).rise <= found.rise


@given(values=rows, behind=st.integers(0, 30), kept=st.integers(1, 30))
def test_the_range_is_that_of_its_definition(values, behind, kept):
    """Rises found at once are those found by looking at each bin."""
    traffic = demand(values, bin_s=1.0)
    found = ranged(traffic, behind, kept, window_s=1.0)
    need = [max(1, math.ceil(value / 10 - 1e-9)) for value in values]
    rise = 0
    for index, wanted in enumerate(need):
        seen = need[max(0, index - behind - kept + 1) : index - behind + 1] if index >= behind else need[:1]
        if wanted > max(seen):
            rise = max(rise, wanted)
    assert found.rise == rise


def test_bad_values_are_refused():
    """Rates are finite and not negative, bins have a width."""
    with pytest.raises(ValueError, match="bin_s: must be > 0 and finite, got 0"):
        Demand(0, np.array([1.0]))
    with pytest.raises(ValueError, match="rates_per_s: must be finite and >= 0"):
        Demand(1, np.array([-1.0]))
    assert steady(5).mean_per_s == 5


def test_a_path_of_rates_is_taken_as_it_is():
    """A flash crowd has its base, its peak, and the same mean as its path; no arrival is drawn."""
    process = FlashArrivals(1000.0, 8000.0, 3600.0, 300.0, 10.0, 120.0, 60.0)
    traffic = demand_of(process, bin_s=1.0, seed=0)
    assert traffic.rates_per_s[0] == pytest.approx(1000)
    assert traffic.peak_per_s(60) == pytest.approx(8000)
    assert traffic.mean_per_s == pytest.approx(process.requests_expected / 3600, rel=1e-6)


def test_a_random_path_is_the_seeds():
    """Bursts fall where the seed puts them, the same each time."""
    process = MmppArrivals((200.0, 3000.0), (50.0, 5.0), 600.0)
    one, again, other = (demand_of(process, bin_s=1.0, seed=seed).rates_per_s for seed in (1, 1, 2))
    assert one.tolist() == again.tolist() != other.tolist()
