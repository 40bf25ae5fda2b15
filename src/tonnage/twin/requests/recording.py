"""The series of a world: counts by interval, and each interval's latencies in little room.

The kernel adds to the latencies of a few open intervals; an interval is closed when nothing can fall into it
any more, and only the buckets that were used are kept. A day of seconds takes some 50 MB.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import numpy as np
import numpy.typing as npt

from tonnage.twin.requests.buckets import BUCKETS, quantiles
from tonnage.twin.requests.model import CAUSES
from tonnage.twin.requests.results import QUANTILES, IntArray, Series
from tonnage.twin.requests.state import (
    ANSWERED,
    ARRIVED,
    COLUMNS,
    DROPPED,
    FAILED,
    OPEN_INTERVALS,
    RETRIED,
    SLOW,
    Array,
)


class Recording:
    """What was counted in each interval.

    Args:
        interval_s: Width of an interval [s, > 0].

    Attributes:
        counts: By interval and column; the kernel adds to it.
        total: Latencies of all closed intervals as bucket counts.
    """

    __slots__ = (
        "_closed",
        "_firsts",
        "_interval_s",
        "_kept",
        "_per_interval",
        "_quantiles_s",
        "counts",
        "total",
    )

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._per_interval = 1.0 / interval_s
        self.counts: IntArray = np.zeros((OPEN_INTERVALS, COLUMNS), np.int64)
        self.total: IntArray = np.zeros(BUCKETS, np.int64)
        # of each stretch of intervals: the first bucket used, and counts by interval from there on
        self._kept: list[tuple[int, npt.NDArray[np.int32]]] = []
        self._firsts: list[int] = []  # the first interval of each stretch
        self._closed = 0
        self._quantiles_s: list[npt.NDArray[np.float64]] = []

    def row(self, time_s: float) -> int:
        """The interval of a time, exactly as the kernel finds it."""
        return int(time_s * self._per_interval)

    def open_until_s(self, now_s: float) -> float:
        """How far the kernel may play before intervals have to be closed [s]."""
        return (self.row(now_s) + OPEN_INTERVALS - 2) * self._interval_s

    def reserve(self, until_s: float) -> None:
        """Make room for counts of all intervals up to a time."""
        rows = self.row(until_s) + 2
        if rows > len(self.counts):
            larger = np.zeros((rows + rows // 2, COLUMNS), np.int64)
            larger[: len(self.counts)] = self.counts
            self.counts = larger

    def close(self, open_latency: Array, until_s: float) -> None:
        """Keep the latencies of intervals that end at or before a time, and clear their place."""
        rows = np.arange(self._closed, self.row(until_s)) & (OPEN_INTERVALS - 1)
        if rows.size == 0:
            return
        counts = open_latency[rows]
        used = np.flatnonzero(counts.any(axis=0))
        first, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
        kept = counts[:, first:end].copy()
        self.total[first:end] += kept.sum(axis=0)
        open_latency[rows] = 0
        self._kept.append((first, kept))
        self._firsts.append(self._closed)
        self._closed += rows.size

    def latency_of(self, first: int, end: int, open_latency: Array) -> IntArray:
        """Latencies of intervals ``first`` to ``end - 1`` as bucket counts."""
        counts = np.zeros(BUCKETS, np.int64)
        for stretch in range(max(0, bisect_right(self._firsts, first) - 1), bisect_left(self._firsts, end)):
            at, kept = self._kept[stretch]
            start = self._firsts[stretch]
            counts[at : at + kept.shape[1]] += kept[max(0, first - start) : max(0, end - start)].sum(axis=0)
        for row in range(max(first, self._closed), min(end, self._closed + OPEN_INTERVALS)):
            counts += open_latency[row & (OPEN_INTERVALS - 1)]
        return counts

    def series(self, now_s: float, open_latency: Array) -> Series:
        """All intervals up to now, the last one as far as it has got."""
        rows = self.row(now_s) + 1
        for first, kept in self._kept[len(self._quantiles_s) :]:
            found = [quantiles(counts, QUANTILES, first=first) for counts in kept]
            self._quantiles_s.append(np.array(found))
        still_open = [
            quantiles(self.latency_of(row, row + 1, open_latency), QUANTILES)
            for row in range(self._closed, rows)
        ]
        counts = self.counts[:rows].copy()
        return Series(
            interval_s=self._interval_s,
            arrived=counts[:, ARRIVED],
            answered=counts[:, ANSWERED],
            slow=counts[:, SLOW],
            retried=counts[:, RETRIED],
            dropped=counts[:, DROPPED : DROPPED + len(CAUSES)],
            failed=counts[:, FAILED : FAILED + len(CAUSES)],
            quantiles_s=np.concatenate([*self._quantiles_s, np.array(still_open)]),
            latency=self.total + open_latency.sum(axis=0, dtype=np.int64),
        )
