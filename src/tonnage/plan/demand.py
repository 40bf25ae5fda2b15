"""From traffic to the rates that a plan needs: percentiles, peaks over windows, rises that outrun scaling.

Three questions are asked of traffic. How high does it go, over the time that a latency percentile looks
at (that decides the maximum)? How low does it go (that decides the minimum)? And how fast does it rise?
An autoscaler that sees a rate now has replicas for it only some minutes later, so whatever rises faster
than that must be carried by replicas that are there anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tonnage.traffic import (
    ArrivalProcess,
    ClippedArrivals,
    ConstantArrivals,
    CountArrivals,
    CountTrace,
    PoissonArrivals,
    TimestampArrivals,
    binned,
    path_of,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

REQUESTS_DRAWN_MAX: Final = 50_000_000
"""Arrivals that are drawn to learn the rates of a process that does not tell them."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Rates over consecutive bins of time.

    Attributes:
        bin_s: Width of a bin [s, > 0].
        rates_per_s: Rate in each [1/s, >= 0], shape ``(bins,)``.
    """

    bin_s: float
    rates_per_s: FloatArray

    def __post_init__(self) -> None:
        if not 0 < self.bin_s < math.inf:
            raise ValueError(f"bin_s: must be > 0 and finite, got {self.bin_s}")
        if self.rates_per_s.ndim != 1 or self.rates_per_s.size == 0:
            raise ValueError(f"rates_per_s: must be a row of numbers, got shape {self.rates_per_s.shape}")
        if not bool(np.all(np.isfinite(self.rates_per_s) & (self.rates_per_s >= 0))):
            raise ValueError("rates_per_s: must be finite and >= 0")

    @property
    def duration_s(self) -> float:
        """Length of the traffic [s]."""
        return self.bin_s * self.rates_per_s.size

    @property
    def mean_per_s(self) -> float:
        """Mean rate [1/s]."""
        return float(self.rates_per_s.mean())

    def over(self, window_s: float) -> FloatArray:
        """Mean rate over every stretch of a length, one for each bin that it can end with [1/s].

        Args:
            window_s: Length [s, > 0]; no finer than a bin and no longer than the whole.
        """
        bins = self.bins_of(window_s)
        total = np.concatenate(([0.0], np.cumsum(self.rates_per_s)))
        return np.asarray((total[bins:] - total[:-bins]) / bins, dtype=np.float64)

    def bins_of(self, window_s: float) -> int:
        """Bins that a stretch of time covers, at least one and at most all."""
        return int(min(max(1, math.ceil(window_s / self.bin_s - 1e-9)), self.rates_per_s.size))

    def peak_per_s(self, window_s: float) -> float:
        """The highest mean rate over a length of time [1/s]."""
        return float(self.over(window_s).max())

    def percentile_per_s(self, percentile: float, window_s: float) -> float:
        """The rate not exceeded for ``percentile`` % of the time, over windows of a length [1/s]."""
        return float(np.percentile(self.over(window_s), percentile))


def steady(rate_per_s: float) -> Demand:
    """A rate that never changes."""
    return Demand(1.0, np.array([rate_per_s]))


def demand_of(process: ArrivalProcess, *, bin_s: float, seed: int) -> Demand:
    """The rates of an arrival process.

    Args:
        process: Traces and processes along a path tell their rates; of any other the arrivals are drawn.
        bin_s: Width of a bin where arrivals are counted [s, > 0].
        seed: Decides what is drawn [>= 0].

    Raises:
        ValueError: More than ``REQUESTS_DRAWN_MAX`` arrivals would have to be drawn.
    """
    if isinstance(process, ConstantArrivals | PoissonArrivals):
        return steady(process.rate_per_s)
    if isinstance(process, ClippedArrivals):
        whole = demand_of(process.process, bin_s=bin_s, seed=seed)
        bins = whole.bins_of(process.duration_s)
        return Demand(whole.bin_s, whole.rates_per_s[:bins])
    if isinstance(process, CountArrivals):
        return _from_counts(process.trace)
    if isinstance(process, TimestampArrivals):
        return _from_counts(binned(process.trace, bin_s=bin_s))
    bins = max(1, math.ceil(process.duration_s / bin_s - 1e-9))
    path = path_of(process, np.random.default_rng([seed, 3]))
    if path is not None:
        passed = np.concatenate(([0.0], np.cumsum(path.rates_per_s * np.diff(path.edges_s))))
        ends = np.minimum(bin_s * np.arange(bins + 1, dtype=np.float64), path.duration_s)
        counts = np.diff(np.interp(ends, path.edges_s, passed))
        return Demand(bin_s, counts / np.maximum(np.diff(ends), 1e-9))
    if process.requests_expected > REQUESTS_DRAWN_MAX:
        raise ValueError(
            f"traffic: must have at most {REQUESTS_DRAWN_MAX:,} requests to be counted, "
            f"got {process.requests_expected:,.0f}"
        )
    counts = np.zeros(bins)
    for times in process.chunks(np.random.default_rng([seed, 0])):
        index = np.minimum((times / bin_s).astype(np.int64), bins - 1)
        counts += np.bincount(index, minlength=bins)
    return Demand(bin_s, counts / bin_s)


def _from_counts(trace: CountTrace) -> Demand:
    return Demand(trace.bin_s, trace.counts / trace.bin_s)


@dataclass(frozen=True, slots=True)
class Following:
    """How an autoscaler follows a rate.

    Attributes:
        behind_s: From a rise of the rate to ready replicas for it [s, >= 0].
        kept_s: How long replicas are kept after the rate fell [s, >= 0].
    """

    behind_s: float
    kept_s: float


@dataclass(frozen=True, slots=True)
class Range:
    """Between which numbers of replicas an autoscaler moves for some traffic.

    Attributes:
        lowest: For the lowest rate.
        rise: For the rises that outrun scaling; 0 where none does.
        highest: For the highest rate.
        mean: Replicas on average over the traffic, when they follow it between minimum and maximum.
    """

    lowest: int
    rise: int
    highest: int
    mean: float

    @property
    def minimum(self) -> int:
        """The larger of ``lowest`` and ``rise``."""
        return max(self.lowest, self.rise)


def range_of(
    demand: Demand,
    following: Following,
    *,
    window_s: float,
    serving: Callable[[float], int],
    sized: Callable[[float], int],
) -> Range:
    """Finds the range of replicas.

    A rise outruns scaling where a rate needs more replicas than the autoscaler wanted, head-room included,
    for the highest rate that it saw from ``behind_s + kept_s`` to ``behind_s`` before. Before its
    beginning the traffic counts as having been what it was in its first window.

    Args:
        demand: The traffic.
        following: How the autoscaler follows.
        window_s: Time over which a rate must be carried [s, > 0].
        serving: Replicas that carry a rate [1/s] and nothing more.
        sized: Replicas wanted for a rate [1/s], head-room and loss included.
    """
    rates = np.maximum(demand.over(window_s), 1e-12)
    distinct, place = np.unique(rates, return_inverse=True)
    least = np.array([serving(float(rate)) for rate in distinct], dtype=np.int64)[place]
    wanted = np.array([sized(float(rate)) for rate in distinct], dtype=np.int64)[place]
    behind = math.ceil(following.behind_s / demand.bin_s)
    kept = max(1, math.ceil(following.kept_s / demand.bin_s))
    held = np.concatenate((np.full(behind, wanted[0]), _highest_of_last(wanted, kept)))[: rates.size]
    outrun = least > held
    rise = int(least[outrun].max()) if bool(outrun.any()) else 0
    lowest, highest = int(wanted.min()), int(wanted.max())
    mean = float(np.clip(held, max(lowest, rise), highest).mean())
    return Range(lowest, rise, highest, mean)


def _highest_of_last(values: IntArray, count: int) -> IntArray:
    """The largest of each value and the ``count - 1`` before it, by doubling the span looked at."""
    result = values.copy()
    lowest = values.min()
    span = 1
    while span < min(count, values.size):
        step = min(span, count - span)
        before = np.concatenate((np.full(step, lowest), result))[: result.size]
        result = np.maximum(result, before)
        span += step
    return result
