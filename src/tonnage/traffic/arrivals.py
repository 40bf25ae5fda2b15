"""When requests arrive: processes that yield arrival times in chunks, in order, from a seed.

A process is a value; it becomes times only when ``chunks`` is walked, a bounded number at a time, so
that a day of 10,000 requests/s costs no more memory than a second of it. The same process, seed and
library versions give the same times, whoever asks and however fast they walk.

Inside a bin of a trace the number of arrivals is known, and given that number the arrivals of a
Poisson process are independent and uniform over the bin; so they are drawn that way and sorted, and
the trace's own counts stay exact.

Source: conditional uniformity of Poisson arrivals, Ross, Introduction to Probability Models, 12th
ed., theorem 5.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tonnage.traffic.trace import CountTrace, FloatArray, TimestampTrace, Trace, require_positive

Spacing = Literal["poisson", "constant"]

ARRIVALS_PER_CHUNK_MAX = 8192
"""Bound of one chunk: large enough to hide numpy's cost per call, small enough to make in 0.2 ms."""


class ArrivalProcess(Protocol):
    """Arrival times over a stretch of time that starts at 0."""

    @property
    def duration_s(self) -> float:
        """Length of the stretch [s]; every arrival lies in [0, duration_s]."""

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""

    @property
    def peak_per_s(self) -> float:
        """Highest planned rate [requests/s]."""

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s], at most ``ARRIVALS_PER_CHUNK_MAX`` at a time."""


@dataclass(frozen=True, slots=True)
class ConstantArrivals:
    """One request every ``1 / rate_per_s`` seconds, the first at 0.

    Attributes:
        rate_per_s: Requests per second, > 0.
        duration_s: Length [s], > 0.
    """

    rate_per_s: float
    duration_s: float

    def __post_init__(self) -> None:
        require_positive("rate", self.rate_per_s)
        require_positive("duration", self.duration_s)

    @property
    def requests_expected(self) -> float:
        """Number of arrivals, always a whole one."""
        return float(math.ceil(self.rate_per_s * self.duration_s - 1e-6))

    @property
    def peak_per_s(self) -> float:
        """The rate itself [requests/s]."""
        return self.rate_per_s

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:  # noqa: ARG002 - nothing is random
        """Yield ascending arrival times [s]; ``rng`` is not used."""
        total = int(self.requests_expected)
        for start in range(0, total, ARRIVALS_PER_CHUNK_MAX):
            stop = min(start + ARRIVALS_PER_CHUNK_MAX, total)
            # Divided, not summed: a sum of steps drifts by the end of a long run.
            yield np.arange(start, stop, dtype=np.float64) / self.rate_per_s


@dataclass(frozen=True, slots=True)
class PoissonArrivals:
    """Independent users: exponential gaps with mean ``1 / rate_per_s``.

    Attributes:
        rate_per_s: Mean requests per second, > 0.
        duration_s: Length [s], > 0.
    """

    rate_per_s: float
    duration_s: float

    def __post_init__(self) -> None:
        require_positive("rate", self.rate_per_s)
        require_positive("duration", self.duration_s)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return self.rate_per_s * self.duration_s

    @property
    def peak_per_s(self) -> float:
        """The mean rate itself [requests/s]."""
        return self.rate_per_s

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]; the number of them is Poisson distributed."""
        now_s = 0.0
        while True:
            times = now_s + np.cumsum(rng.exponential(1.0 / self.rate_per_s, ARRIVALS_PER_CHUNK_MAX))
            now_s = float(times[-1])
            if now_s < self.duration_s:
                yield times
                continue
            last = times[: int(np.searchsorted(times, self.duration_s))]
            if last.size:
                yield last
            return


@dataclass(frozen=True, slots=True)
class TimestampArrivals:
    """Arrivals exactly as a trace recorded them.

    Attributes:
        trace: The recorded arrivals.
    """

    trace: TimestampTrace

    @property
    def duration_s(self) -> float:
        """The trace's duration [s]."""
        return self.trace.duration_s

    @property
    def requests_expected(self) -> float:
        """Number of arrivals."""
        return float(self.trace.requests)

    @property
    def peak_per_s(self) -> float:
        """Rate in the busiest second [requests/s]."""
        index = self.trace.times_s.astype(np.int64)
        return float(np.unique(index, return_counts=True)[1].max())

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:  # noqa: ARG002 - nothing is random
        """Yield ascending arrival times [s]; ``rng`` is not used."""
        for start in range(0, self.trace.requests, ARRIVALS_PER_CHUNK_MAX):
            yield self.trace.times_s[start : start + ARRIVALS_PER_CHUNK_MAX]


@dataclass(frozen=True, slots=True)
class CountArrivals:
    """Arrivals that fill the bins of a trace of counts.

    Attributes:
        trace: Counts per bin.
        spacing: ``poisson`` places a bin's arrivals at random, ``constant`` at even distances.
    """

    trace: CountTrace
    spacing: Spacing = "poisson"

    @property
    def duration_s(self) -> float:
        """The trace's duration [s]."""
        return self.trace.duration_s

    @property
    def requests_expected(self) -> float:
        """Number of arrivals, always a whole one."""
        return float(whole_counts(self.trace.counts).sum())

    @property
    def peak_per_s(self) -> float:
        """Rate in the busiest bin [requests/s]."""
        return self.trace.peak_per_s

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s], bin after bin."""
        counts = whole_counts(self.trace.counts)
        # Which bins share a chunk: those whose running totals fall into the same step.
        first = 0
        while first < counts.size:
            totals = np.cumsum(counts[first : first + ARRIVALS_PER_CHUNK_MAX])
            last = first + max(1, int(np.searchsorted(totals, ARRIVALS_PER_CHUNK_MAX, side="right")))
            if last == first + 1:
                yield from self._large_bin(first, int(counts[first]), rng)
            else:
                yield self._small_bins(first, counts[first:last], rng)
            first = last

    def _small_bins(self, first: int, counts: npt.NDArray[np.int64], rng: np.random.Generator) -> FloatArray:
        """Arrivals of several whole bins at once; sorting all sorts each, as bins do not overlap."""
        total = int(counts.sum())
        index = np.repeat(np.arange(first, first + counts.size, dtype=np.float64), counts)
        if self.spacing == "poisson":
            return np.sort((index + rng.random(total)) * self.trace.bin_s)
        rank = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
        within = (rank + 0.5) / np.repeat(counts, counts)
        return np.asarray((index + within) * self.trace.bin_s, dtype=np.float64)

    def _large_bin(self, index: int, count: int, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Arrivals of one bin, in as many equal parts of its time as the bound asks for."""
        # Half full on average, so that a random share of the bin does not pass the bound by chance.
        parts = max(1, math.ceil(count / (ARRIVALS_PER_CHUNK_MAX // 2)))
        if self.spacing == "constant":
            for start in range(0, count, ARRIVALS_PER_CHUNK_MAX):
                rank = np.arange(start, min(start + ARRIVALS_PER_CHUNK_MAX, count), dtype=np.float64)
                yield (index + (rank + 0.5) / count) * self.trace.bin_s
            return
        shares = rng.multinomial(count, np.full(parts, 1.0 / parts))
        for part, share in enumerate(shares.tolist()):
            within = (part + np.sort(rng.random(share))) / parts
            if share:
                yield (index + within) * self.trace.bin_s


def whole_counts(counts: FloatArray) -> npt.NDArray[np.int64]:
    """Round counts so that every running total is off by at most one half.

    Args:
        counts: Counts per bin, >= 0, fractions allowed, shape ``(bins,)``.

    Returns:
        Whole counts, each within one of its own, same shape; whole counts come back unchanged.
    """
    totals = np.rint(np.cumsum(counts)).astype(np.int64)
    return np.diff(totals, prepend=np.int64(0))


def arrivals_of(trace: Trace, *, spacing: Spacing = "poisson") -> CountArrivals | TimestampArrivals:
    """Make the process that plays a trace.

    Args:
        trace: Counts per bin or single arrivals.
        spacing: Where arrivals lie inside a bin; single arrivals have their own times.
    """
    if isinstance(trace, CountTrace):
        return CountArrivals(trace, spacing)
    return TimestampArrivals(trace)


@dataclass(frozen=True, slots=True)
class ClippedArrivals:
    """The start of another process, the same arrivals up to its end.

    Attributes:
        process: The whole.
        duration_s: How much of it [s], > 0 and at most the whole's duration.
    """

    process: ArrivalProcess
    duration_s: float

    def __post_init__(self) -> None:
        require_positive("duration", self.duration_s)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals, as if the whole had a steady rate."""
        return self.process.requests_expected * self.duration_s / self.process.duration_s

    @property
    def peak_per_s(self) -> float:
        """Highest planned rate of the whole [requests/s]."""
        return self.process.peak_per_s

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield the whole's arrival times [s] that lie before the end."""
        for times in self.process.chunks(rng):
            if times[-1] < self.duration_s:
                yield times
                continue
            last = times[: int(np.searchsorted(times, self.duration_s))]
            if last.size:
                yield last
            return


def clipped(process: ArrivalProcess, *, duration_s: float) -> ArrivalProcess:
    """Keep the start of a process; more than it has leaves it as it is.

    Args:
        process: Any process.
        duration_s: How much of it [s], > 0.
    """
    return ClippedArrivals(process, duration_s) if duration_s < process.duration_s else process


def every_nth(chunks: Iterator[FloatArray], *, index: int, step: int) -> Iterator[FloatArray]:
    """Keep arrivals ``index``, ``index + step``, ...: one share of ``step`` that together make all.

    Args:
        chunks: Ascending arrival times [s].
        index: Which share, 0 <= index < step.
        step: Number of shares, >= 1.
    """
    skip = index
    for times in chunks:
        kept = times[skip::step]
        skip = (skip - times.size) % step
        if kept.size:
            yield kept
