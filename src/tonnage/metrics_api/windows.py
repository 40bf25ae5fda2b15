"""What a pod said lately: cumulative counts in, the last half minute out.

A page holds counts since the process began. What happened in a window is the sum of what happened between
two pages each; a count that fell says that the process began anew, and then what it says now is all there is
since. Histograms of several pods are merged by adding their buckets: the fleet's p99 is the p99 of all
requests, which a mean of the pods' p99s is not.

A server may also tell its own window (``Reading.windows``), which is then taken as it is.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from tonnage.contract import latency_buckets as layout

PAGES_MAX: Final = 64
"""Pages kept of one pod; the window is as long as the older of them reaches."""
FINE_BOUNDS_S: Final = (*(layout.bound_s(index) for index in range(layout.BUCKETS - 1)), math.inf)
"""Upper bounds of our own layout [s]."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts by upper bound; Prometheus' cumulative buckets, made apart.

    Attributes:
        bounds: Ascending; the last is infinity.
        counts: In each bucket alone; finite, >= 0; never changed.
    """

    bounds: tuple[float, ...]
    counts: npt.NDArray[np.float64]

    @classmethod
    def cumulative(cls, buckets: Mapping[float, float]) -> Histogram:
        """Make it of ``le`` to cumulative count; a missing last bound holds nothing.

        A count below that of a smaller bound, which a page in the middle of an update may have, is taken
        for as much as that.
        """
        bounds = sorted(buckets)
        if not bounds or bounds[-1] != math.inf:
            bounds.append(math.inf)
        upto = np.array([buckets.get(bound, 0.0) for bound in bounds])
        return cls(tuple(bounds), np.diff(np.maximum.accumulate(upto), prepend=0.0))

    @property
    def total(self) -> float:
        """All that was counted."""
        return float(self.counts.sum())

    def since(self, earlier: Histogram) -> Histogram:
        """What was counted after an earlier state of the same histogram."""
        if earlier.bounds != self.bounds:
            return self
        counts = self.counts - earlier.counts
        # a count that fell: the process began anew
        return self if counts.min() < 0 else Histogram(self.bounds, counts)

    def quantile(self, q: float) -> float | None:
        """The value below which a share ``q`` lies; None when nothing was counted.

        In our own layout it is the middle of its bucket, as the server says it. In any other, values are
        taken to lie evenly inside a bucket, and in the last one at its lower bound.

        Args:
            q: In (0, 1].

        Source: Prometheus' ``histogram_quantile`` for classic histograms.
        """
        upto = np.cumsum(self.counts)
        total = float(upto[-1])
        if total <= 0:
            return None
        if self.bounds is FINE_BOUNDS_S:
            return layout.middle_s(int(np.searchsorted(upto, max(1, math.ceil(q * total)))))
        rank = q * total
        index = int(np.searchsorted(upto, rank))
        high = self.bounds[index]
        if math.isinf(high):
            return self.bounds[-2] if len(self.bounds) > 1 else None
        if index == 0 and high <= 0:
            return high
        low = self.bounds[index - 1] if index else 0.0
        reached = float(upto[index - 1]) if index else 0.0
        return low + (high - low) * (rank - reached) / float(self.counts[index])


def merged(histograms: Iterable[Histogram]) -> Histogram | None:
    """All counts in one, over all bounds that occur; None of none.

    A bucket goes whole to the bound that it had, so that bounds which differ lose no count and at most the
    resolution of the coarser histogram.
    """
    alike: list[tuple[tuple[float, ...], list[npt.NDArray[np.float64]]]] = []
    for one in histograms:
        for bounds, counts in alike:
            if bounds is one.bounds or bounds == one.bounds:
                counts.append(one.counts)
                break
        else:
            alike.append((one.bounds, [one.counts]))
    sums = [Histogram(bounds, sum_of(counts)) for bounds, counts in alike]
    if len(sums) < 2:
        return sums[0] if sums else None
    union = sorted({bound for one in sums for bound in one.bounds})
    total = np.zeros(len(union))
    for one in sums:
        total[[bisect_left(union, bound) for bound in one.bounds]] += one.counts
    return Histogram(tuple(union), total)


def sum_of(counts: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Counts of equal layout, added."""
    return counts[0] if len(counts) == 1 else np.add.reduce(counts)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page says; names are those by which presets read: ``latency``, ``requests``, ``in_flight``.

    Attributes:
        at_s: When it was read [s, monotonic].
        gauges: Now; finite.
        counters: Of all time; finite.
        histograms: Of all time.
        windows: Of the server's own window.
        window_s: Length of that window [s].
    """

    at_s: float
    gauges: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    windows: Mapping[str, Histogram] = field(default_factory=dict)
    window_s: float = 0.0


class Window:
    """The readings of one pod that its window needs.

    Args:
        length_s: How far back it looks [s, > 0].
    """

    __slots__ = ("_length_s", "_readings")

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._readings: deque[Reading] = deque(maxlen=PAGES_MAX)

    def add(self, reading: Reading) -> None:
        """Take a reading in, and forget what the window no longer needs."""
        readings = self._readings
        readings.append(reading)
        while len(readings) > 2 and readings[1].at_s <= reading.at_s - self._length_s:
            readings.popleft()

    @property
    def last(self) -> Reading | None:
        """The newest reading."""
        return self._readings[-1] if self._readings else None

    @property
    def length_s(self) -> float:
        """How long the time is that differences cover [s]; 0 with fewer than two readings."""
        return self._readings[-1].at_s - self._readings[0].at_s if self._readings else 0.0

    def histogram(self, name: str) -> Histogram | None:
        """What was counted inside the window; None where nothing can be said of it yet."""
        last = self.last
        if last is not None and name in last.windows:
            return last.windows[name]
        if len(self._readings) < 2:
            return None
        states = [one.histograms[name] for one in self._readings if name in one.histograms]
        # a labelled series is there from its first count on: before, it was 0
        born = [states[0]] if states and name not in self._readings[0].histograms else []
        return merged([*born, *(later.since(earlier) for earlier, later in pairwise(states))])

    def increase(self, name: str) -> float | None:
        """By how much a counter grew inside the window; None where nothing can be said of it yet."""
        if len(self._readings) < 2:
            return None
        values = [one.counters[name] for one in self._readings if name in one.counters]
        born = [0.0] if values and name not in self._readings[0].counters else []
        return grown([*born, *values]) if values else None

    def mean(self, name: str) -> float | None:
        """The mean of a gauge over the window's readings; None where none has it."""
        since_s = self._readings[-1].at_s - self._length_s if self._readings else 0.0
        values = [one.gauges[name] for one in self._readings if name in one.gauges and one.at_s >= since_s]
        return sum(values) / len(values) if values else None


def grown(values: Sequence[float]) -> float:
    """How much a counter grew over its values in order; a fall is a new beginning at 0."""
    return sum(later - earlier if later >= earlier else later for earlier, later in pairwise(values))
