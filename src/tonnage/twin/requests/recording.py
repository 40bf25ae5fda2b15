"""The series of a world: counts by interval, and each interval's latencies in as little room as they need.

The kernel adds to the latencies of a few open intervals; an interval is closed when nothing can fall into it
any more, and only the stretch of buckets that was used is kept. A day of seconds takes some 50 MB.
"""

from __future__ import annotations

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

    __slots__ = ("_interval_s", "_kept", "_per_interval", "_quantiles_s", "counts", "total")

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._per_interval = 1.0 / interval_s
        self.counts: IntArray = np.zeros((OPEN_INTERVALS, COLUMNS), np.int64)
        self.total: IntArray = np.zeros(BUCKETS, np.int64)
        # first bucket used, and the counts from there on
        self._kept: list[tuple[int, npt.NDArray[np.int32]]] = []
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
        for row in range(len(self._kept), self.row(until_s)):
            counts = open_latency[row & (OPEN_INTERVALS - 1)]
            used = np.flatnonzero(counts)
            if used.size == 0:
                self._kept.append((0, counts[:0].copy()))
                continue
            first, end = int(used[0]), int(used[-1]) + 1
            kept = counts[first:end].copy()
            self._kept.append((first, kept))
            self.total[first:end] += kept
            counts[first:end] = 0

    def latency_of(self, first: int, end: int, open_latency: Array) -> IntArray:
        """Latencies of intervals ``first`` to ``end - 1`` as bucket counts."""
        counts = np.zeros(BUCKETS, np.int64)
        for at, kept in self._kept[first:end]:
            counts[at : at + kept.size] += kept
        for row in range(max(first, len(self._kept)), min(end, len(self._kept) + OPEN_INTERVALS)):
            counts += open_latency[row & (OPEN_INTERVALS - 1)]
        return counts

    def series(self, now_s: float, open_latency: Array) -> Series:
        """All intervals up to now, the last one as far as it has got."""
        rows = self.row(now_s) + 1
        for row in range(len(self._quantiles_s), len(self._kept)):
            self._quantiles_s.append(quantiles(self._kept[row][1], QUANTILES, first=self._kept[row][0]))
        still_open = [
            quantiles(self.latency_of(row, row + 1, open_latency), QUANTILES)
            for row in range(len(self._kept), rows)
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
            quantiles_s=np.array([*self._quantiles_s, *still_open]).reshape(rows, len(QUANTILES)),
            latency=self.total + open_latency.sum(axis=0, dtype=np.int64),
        )
