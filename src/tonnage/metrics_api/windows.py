"""What a pod said lately: cumulative counts in, the last half minute out.

A page holds counts since the process began. What happened in a window is the difference of two pages; a
count that fell says that the process began anew, and then what it says now is all there is since. Histograms
of several pods are merged by adding their buckets: the fleet's p99 is the p99 of all requests, which a mean
of the pods' p99s is not.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

PAGES_MAX: Final = 64
"""Pages kept of one pod; the window is as long as the older of them reaches."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts by upper bound; Prometheus' cumulative buckets, made apart.

    Attributes:
        bounds: Ascending; the last is infinity.
        counts: In each bucket alone.
    """

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @classmethod
    def cumulative(cls, buckets: Mapping[float, float]) -> Histogram:
        """Make it of ``le`` to cumulative count; a missing last bound holds nothing."""
        bounds = sorted(buckets)
        if not bounds or bounds[-1] != math.inf:
            bounds.append(math.inf)
        counts, before = [], 0.0
        for bound in bounds:
            upto = max(before, buckets.get(bound, before))
            counts.append(upto - before)
            before = upto
        return cls(tuple(bounds), tuple(counts))

    @property
    def total(self) -> float:
        """All that was counted."""
        return sum(self.counts)

    def since(self, earlier: Histogram) -> Histogram:
        """What was counted after an earlier state of the same histogram."""
        if earlier.bounds != self.bounds:
            return self
        counts = tuple(b - a for a, b in zip(earlier.counts, self.counts, strict=True))
        # a count that fell: the process began anew
        return self if min(counts) < 0 else Histogram(self.bounds, counts)

    def quantile(self, q: float) -> float | None:
        """The value below which a share ``q`` lies; None when nothing was counted.

        Inside a bucket values are taken to lie evenly; in the last one, at its lower bound.

        Source: Prometheus' ``histogram_quantile`` for classic histograms.
        """
        total = self.total
        if total <= 0:
            return None
        rank = q * total
        reached = 0.0
        for index, count in enumerate(self.counts):
            if count > 0 and reached + count >= rank:
                low = self.bounds[index - 1] if index else 0.0
                high = self.bounds[index]
                if math.isinf(high):
                    return low
                return low + (high - low) * (rank - reached) / count
            reached += count
        return self.bounds[-2] if len(self.bounds) > 1 else None


def merged(histograms: Iterable[Histogram]) -> Histogram | None:
    """All counts in one, over all bounds that occur; None of none.

    A bucket goes whole to the bound that it had, so that bounds which differ lose no count and at most the
    resolution of the coarser histogram.
    """
    given = list(histograms)
    if not given:
        return None
    bounds = sorted({bound for one in given for bound in one.bounds})
    counts = [0.0] * len(bounds)
    for one in given:
        for bound, count in zip(one.bounds, one.counts, strict=True):
            counts[bisect_left(bounds, bound)] += count
    return Histogram(tuple(bounds), tuple(counts))


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page says.

    Attributes:
        at_s: When it was read [s, monotonic].
        gauges: By name of the metric as it is answered.
        counters: Of all time, by name.
        histograms: Of all time, by name.
    """

    at_s: float
    gauges: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


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
        """What was counted inside the window; None where there are not two readings of it."""
        if len(self._readings) < 2:
            return None
        earlier, last = self._readings[0].histograms.get(name), self._readings[-1].histograms.get(name)
        if last is None:
            return None
        return last.since(earlier) if earlier is not None else last

    def increase(self, name: str) -> float | None:
        """By how much a counter grew inside the window; None where there are not two readings of it."""
        values = [one.counters[name] for one in self._readings if name in one.counters]
        if len(values) < 2:
            return None
        return grown(values)


def grown(values: Sequence[float]) -> float:
    """How much a counter grew over its values in order; a fall is a new beginning at 0."""
    return sum(b - a if b >= a else b for a, b in zip(values, values[1:], strict=False))
