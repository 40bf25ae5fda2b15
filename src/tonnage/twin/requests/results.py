"""What a request world tells: per slot for the metrics pipeline, per interval for the reports.

Counts only grow, so any window is the difference of two readings; histograms have the server's own
layout and merge by addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tonnage.twin.requests.buckets import BUCKETS, quantile
from tonnage.twin.requests.model import CAUSES, Cause

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SlotTotals:
    """What the pod in a slot has done since it started, as the server sees it.

    Attributes:
        time_s: When this was read [s].
        answered: Requests whose batch ended; those whose client had gone included.
        failed: Attempts that failed here, by ``CAUSES``. A timeout is the client's word for a
            request that the server still has, or answers too late.
        batches: Batches that ended.
        busy_s: Time with a batch running, summed over workers and parallel places [s].
        cpu_s: CPU time of batches and overheads [s]; of running ones the part that has passed.
        in_flight_s: Requests at the pod (waiting and running), integrated over time [request-seconds].
        wait_s: Time from arrival to the start of the batch, summed over batches that ended [s].
        latency_s: Server-observed latency, summed over answered requests [s].
        latency: Server-observed latencies as bucket counts, layout of ``buckets``.
    """

    time_s: float
    answered: int
    failed: IntArray
    batches: int
    busy_s: float
    cpu_s: float
    in_flight_s: float
    wait_s: float
    latency_s: float
    latency: IntArray

    @classmethod
    def none(cls, time_s: float) -> SlotTotals:
        """A pod that has done nothing by a time [s]."""
        causes, buckets = np.zeros(len(CAUSES), np.int64), np.zeros(BUCKETS, np.int64)
        return cls(time_s, 0, causes, 0, 0.0, 0.0, 0.0, 0.0, 0.0, buckets)

    def since(self, earlier: SlotTotals) -> SlotTotals:
        """What came after an earlier reading of the same pod; ``time_s`` is then the length [s]."""
        return SlotTotals(
            self.time_s - earlier.time_s,
            self.answered - earlier.answered,
            self.failed - earlier.failed,
            self.batches - earlier.batches,
            self.busy_s - earlier.busy_s,
            self.cpu_s - earlier.cpu_s,
            self.in_flight_s - earlier.in_flight_s,
            self.wait_s - earlier.wait_s,
            self.latency_s - earlier.latency_s,
            self.latency - earlier.latency,
        )

    def failures(self, cause: Cause) -> int:
        """Attempts that failed for one cause."""
        return int(self.failed[CAUSES.index(cause)])

    def quantile_s(self, q: float) -> float | None:
        """Server-observed latency below which a share ``q`` of answers lies [s]; None without answers."""
        return quantile(self.latency, q)


@dataclass(frozen=True, slots=True)
class SlotWindow:
    """One reading of a slot.

    Attributes:
        total: Since the pod started.
        window: Since the last ``read_slot`` of this slot, or the pod's start; ``window.time_s`` is
            its length [s].
        in_flight: Requests at the pod now, waiting and running.
        waiting: Of these, those that wait.
    """

    total: SlotTotals
    window: SlotTotals
    in_flight: int
    waiting: int


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What happened in each interval so far, as clients see it; the last interval may be unfinished.

    Row k covers [k * interval_s, (k + 1) * interval_s). A retry is no new arrival.

    Attributes:
        interval_s: Width of an interval [s].
        arrived: Requests that came, shape ``(intervals,)``.
        answered: Requests answered.
        slow: Answered requests whose client-observed latency was above the objective.
        retried: Attempts after the first that were sent off.
        dropped: Requests given up, by ``CAUSES`` of their last attempt, shape ``(intervals, len(CAUSES))``.
        failed: Attempts that failed, by ``CAUSES``, retried or not; same shape.
        quantiles_s: Client-observed latency [s] at ``QUANTILES``, shape ``(intervals, len(QUANTILES))``;
            NaN where nothing was answered.
        latency: Client-observed latencies of the whole run as bucket counts.
    """

    interval_s: float
    arrived: IntArray
    answered: IntArray
    slow: IntArray
    retried: IntArray
    dropped: IntArray
    failed: IntArray
    quantiles_s: FloatArray
    latency: IntArray

    def quantile_s(self, q: float) -> float | None:
        """Client-observed latency of the whole run [s] below which a share ``q`` of answers lies."""
        return quantile(self.latency, q)


@dataclass(frozen=True, slots=True)
class Balance:
    """Where all requests are; ``arrived == answered + sum(dropped) + in_flight`` at any time.

    Attributes:
        arrived: Requests that came.
        answered: Requests answered in time for their client.
        dropped: Requests given up, by ``CAUSES``.
        at_servers: Requests at pods whose client still waits, counted at the pods.
        to_retry: Requests between two attempts, counted in the clients.
    """

    arrived: int
    answered: int
    dropped: tuple[int, ...]
    at_servers: int
    to_retry: int

    @property
    def in_flight(self) -> int:
        """Requests that are neither answered nor given up."""
        return self.at_servers + self.to_retry


@dataclass(frozen=True, slots=True)
class LoggedBatch:
    """One line of the log.

    Attributes:
        slot: Whose it was.
        worker: Which worker of the pod.
        cause: None for a batch; else why a request was refused or dropped.
        start_s: When the batch started, or the request failed [s].
        end_s: When the batch was to end at the speed it started with [s].
        items: Requests in it.
    """

    slot: int
    worker: int
    cause: Cause | None
    start_s: float
    end_s: float
    items: int


QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Of each interval's latency."""
