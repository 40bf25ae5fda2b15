"""Recorded traffic as values, and the ways to reshape it without losing its shape.

A trace is either counts per bin of time (what log summaries publish) or single arrival times. Both
start at 0 s; dates are gone by now, since only the distances between arrivals drive a server.
Counts are floats because scaling makes fractions; they become whole arrivals in ``arrivals.py``,
where rounding is done on the running total so that no request is lost or gained over the trace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tonnage.errors import Problem, SpecError

FloatArray = npt.NDArray[np.float64]


def require_positive(name: str, value: float) -> None:
    """Refuse a value that is not a finite number above zero.

    Raises:
        SpecError: The value is zero, negative, infinite or NaN.
    """
    if not (math.isfinite(value) and value > 0):
        raise SpecError([Problem(name, f"must be a finite number > 0, got {value!r}")])


def _frozen(values: npt.ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, eq=False)
class CountTrace:
    """Expected requests in each of consecutive bins of equal width.

    Attributes:
        bin_s: Width of a bin [s], > 0.
        counts: Requests per bin, each >= 0 and finite, shape ``(bins,)``, read-only.
    """

    bin_s: float
    counts: FloatArray

    def __post_init__(self) -> None:
        require_positive("bin_s", self.bin_s)
        counts = _frozen(self.counts)
        if counts.ndim != 1 or counts.size == 0:
            message = f"must be a non-empty row of numbers, got shape {counts.shape}"
            raise SpecError([Problem("counts", message)])
        if not bool(np.all(np.isfinite(counts) & (counts >= 0))):
            raise SpecError([Problem("counts", "must be finite numbers >= 0, got others among them")])
        object.__setattr__(self, "counts", counts)

    @property
    def duration_s(self) -> float:
        """Time from the first bin's start to the last bin's end [s]."""
        return self.bin_s * int(self.counts.size)

    @property
    def requests(self) -> float:
        """Requests in the whole trace; a fraction after scaling."""
        return float(self.counts.sum())

    @property
    def peak_per_s(self) -> float:
        """Rate in the busiest bin [requests/s]."""
        return float(self.counts.max()) / self.bin_s


@dataclass(frozen=True, slots=True, eq=False)
class TimestampTrace:
    """Single arrivals, as recorded.

    Attributes:
        times_s: Arrival times [s], ascending, first >= 0, shape ``(requests,)``, read-only.
        duration_s: End of the trace [s], at or after the last arrival.
    """

    times_s: FloatArray
    duration_s: float

    def __post_init__(self) -> None:
        times = _frozen(self.times_s)
        if times.ndim != 1 or times.size == 0:
            message = f"must be a non-empty row of numbers, got shape {times.shape}"
            raise SpecError([Problem("times_s", message)])
        if not bool(np.all(np.isfinite(times))) or times[0] < 0 or bool(np.any(np.diff(times) < 0)):
            raise SpecError([Problem("times_s", "must be finite, ascending and >= 0, got others among them")])
        if not (math.isfinite(self.duration_s) and self.duration_s >= times[-1]):
            message = f"must be >= the last arrival at {times[-1]} s, got {self.duration_s!r}"
            raise SpecError([Problem("duration_s", message)])
        object.__setattr__(self, "times_s", times)

    @property
    def requests(self) -> int:
        """Requests in the whole trace."""
        return int(self.times_s.size)


Trace = CountTrace | TimestampTrace


def binned(trace: TimestampTrace, *, bin_s: float) -> CountTrace:
    """Count arrivals per bin.

    Args:
        trace: Single arrivals.
        bin_s: Width of a bin [s], > 0.

    Returns:
        Counts that cover the trace's whole duration; the last bin may reach past its end.
    """
    require_positive("bin_s", bin_s)
    bins = max(1, math.ceil(trace.duration_s / bin_s))
    index = np.minimum((trace.times_s / bin_s).astype(np.int64), bins - 1)
    return CountTrace(bin_s, np.bincount(index, minlength=bins).astype(np.float64))


def sped_up(trace: Trace, factor: float) -> Trace:
    """Play the same requests in less time: 60 turns a minute into a second.

    Args:
        trace: Any trace.
        factor: How many times faster, > 0; below 1 slows down.

    Returns:
        The trace with the same number of requests and its duration divided by ``factor``.
    """
    require_positive("speedup", factor)
    if isinstance(trace, CountTrace):
        return CountTrace(trace.bin_s / factor, trace.counts)
    return TimestampTrace(trace.times_s / factor, trace.duration_s / factor)


def scaled_to_peak(trace: Trace, *, peak_per_s: float, bin_s: float = 1.0) -> CountTrace:
    """Multiply all rates by one factor, so that the busiest bin has the given rate.

    Single arrivals are counted per bin first, since there is no other way to have more of them with
    the same shape. A narrow bin then takes the noise of a quiet trace for its shape: an hour with
    five requests a second has seconds with fifteen. Widen ``bin_s`` to keep the slower swing only.

    Args:
        trace: Any trace with at least one request.
        peak_per_s: Rate wanted in the busiest bin [requests/s], > 0.
        bin_s: Bin for single arrivals [s], > 0; counts keep their own bin.

    Raises:
        SpecError: A value is out of range, or the trace holds no request to scale.
    """
    require_positive("scale-peak", peak_per_s)
    counted = trace if isinstance(trace, CountTrace) else binned(trace, bin_s=bin_s)
    if counted.peak_per_s <= 0:
        raise SpecError([Problem("scale-peak", "needs a trace with at least one request, got none")])
    return CountTrace(counted.bin_s, counted.counts * (peak_per_s / counted.peak_per_s))
