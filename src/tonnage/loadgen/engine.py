"""The open loop: requests go when they are due, whatever became of those before them.

Theory of operation. Arrivals are numbered in order of their intended times, and the arrays
``intended``, ``sent``, ``done`` and ``status`` hold one entry for each. Two numbers describe where
the run stands: arrivals below ``due`` have been taken up, those below ``next`` were sent; what lies
between waits for a free connection, so the queue needs no memory of its own. A timer calls
``dispatch``, which moves ``due`` to the present and sends as long as connections are free; an
answer's connection takes the next waiting arrival at once. All waiting counts, since latency is
taken from the intended time: this is what "free of coordinated omission" means.

A third arrangement saves the timer most of its work: an answer that comes when the next arrival is
due dispatches it too.

Source: G. Tene, "How NOT to Measure Latency", for coordinated omission and its cure.
"""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

import numpy as np
import numpy.typing as npt

from tonnage.loadgen.connection import IDLE, Connection
from tonnage.loadgen.heads import HeadTable
from tonnage.loadgen.outcome import PENDING, Failure
from tonnage.loadgen.plan import LoadPlan
from tonnage.loadgen.pool import Pool
from tonnage.loadgen.records import FloatArray, Records, StatusArray
from tonnage.loadgen.timer import WakeUp, wake_up
from tonnage.traffic import every_nth

TICK_S = 0.000_25
"""Shortest time between two timer calls: arming one costs up to 15 µs on a virtual machine."""

SWEEP_S = 0.02
"""How often timeouts and the end are looked for."""

_STOP_WAIT_S = 1.0
_FAR_S = float("inf")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a run stands, for a live view.

    Attributes:
        elapsed_s: Time since the start [s].
        due: Arrivals taken up so far.
        answered: Requests with an end of any kind.
        failures: Ends that were not a success.
        in_flight: Requests sent and not answered.
        waiting: Arrivals that wait for a free connection.
        latency_s: Latencies of recent successes, at most about 1,000, for percentiles.
    """

    elapsed_s: float
    due: int
    answered: int
    failures: int
    in_flight: int
    waiting: int
    latency_s: FloatArray


class Engine:
    """One run in one event loop."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._chunks = self._arrival_chunks()
        self._choices = np.random.default_rng([plan.seed, 1, plan.share or 0])
        self._payloads = list(plan.requests)
        self._timeout_s = plan.timeout_s
        self._keeps = plan.keep_alive
        self._start_s = 0.0
        self._exhausted = False
        self._finished = self._loop.create_future()
        self._timer: WakeUp | None = None
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._give_up_s = _FAR_S
        self._wake_s = _FAR_S
        self._settled = 0
        self._settled_failures = 0
        self.interrupted = False
        self.heads = HeadTable(answers_head=plan.answers_head)
        self._intended = array("d")
        self._sent = array("d")
        self._done = array("d")
        self._status = array("h")
        self._choice = array("i")
        self._loaded = 0
        self._due = 0
        self._next = 0
        self._tick_s = array("d")
        self._tick_due = array("q")
        self.pool = Pool(
            owner=self,
            target=plan.target,
            size=plan.connections,
            size_max=plan.connections_max,
            keeps=plan.keep_alive,
            connect_timeout_s=plan.timeout_s,
            on_free=self._on_free,
        )
        self._free = self.pool.free

    def _arrival_chunks(self) -> Iterator[FloatArray]:
        plan = self._plan
        chunks = plan.arrivals.chunks(np.random.default_rng([plan.seed, 0]))
        if plan.share is None or plan.processes == 1:
            return chunks
        return every_nth(chunks, index=plan.share, step=plan.processes)

    async def run(self, *, start_s: float) -> Records:
        """Send everything and wait for the answers.

        Args:
            start_s: Time of ``time.monotonic`` that counts as 0 of the arrival process [s].

        Returns:
            One row per request; none is pending unless the run was interrupted.
        """
        self._start_s = start_s
        self._refill()
        self._timer = wake_up(self._loop, self._on_timer)
        try:
            self._on_timer()
            self._sweep()
            await self._finished
        finally:
            self._timer.close()
            if self._sweep_handle is not None:
                self._sweep_handle.cancel()
        return self._records()

    def stop(self) -> None:
        """Send nothing more and wait only briefly for what is in flight."""
        if self.interrupted:
            self._give_up_s = 0.0
            return
        self.interrupted = True
        self._exhausted = True
        self._loaded = self._due
        self._wake_s = _FAR_S
        self._give_up_s = monotonic() + min(_STOP_WAIT_S, self._timeout_s)

    def _refill(self) -> None:
        """Load arrivals until some lie ahead, or there are no more."""
        now_s = monotonic()
        while not self._exhausted and (self._loaded == 0 or self._intended[self._loaded - 1] <= now_s):
            times = next(self._chunks, None)
            if times is None:
                self._exhausted = True
                return
            count = times.size
            self._intended.frombytes((times + self._start_s).tobytes())
            self._sent.frombytes(bytes(8 * count))
            self._done.frombytes(bytes(8 * count))
            self._status.frombytes(bytes(2 * count))
            chosen = self._choices.integers(len(self._payloads), size=count, dtype=np.int32)
            self._choice.frombytes(chosen.tobytes())
            self._loaded += count

    def _on_free(self) -> None:
        if self._timer is not None:
            self.dispatch()

    def _on_timer(self) -> None:
        self.dispatch()
        if self._timer is not None and self._wake_s < _FAR_S:
            self._timer.arm(max(self._wake_s - monotonic(), TICK_S))

    def dispatch(self) -> None:
        """Take up every arrival that is due, and send as many as there are free connections."""
        now_s = monotonic()
        due = bisect_right(self._intended, now_s, self._due, self._loaded)
        if due != self._due:
            self._tick_s.append(now_s)
            self._tick_due.append(due)
            self._due = due
        index = self._next
        free = self._free
        if index < due and free:
            sent = self._sent
            choice = self._choice
            payloads = self._payloads
            while index < due and free:
                connection = free.popleft()
                connection.request = index
                sent[index] = now_s
                connection.write(payloads[choice[index]])
                index += 1
            self._next = index
        if due == self._loaded and not self._exhausted:
            self._refill()
        self._wake_s = self._intended[due] if due < self._loaded else _FAR_S
        if index < due:
            self._relieve()

    def _relieve(self) -> None:
        """Do what can be done for arrivals that found no free connection."""
        if self.pool.refused:
            self._fail_waiting(Failure.CONNECT, monotonic())
        else:
            self.pool.grow(self._due - self._next)

    def _fail_waiting(self, failure: Failure, now_s: float) -> None:
        for index in range(self._next, self._due):
            self._status[index] = failure
            self._done[index] = now_s
        self._next = self._due

    def answered(self, connection: Connection, status: int, keep_alive: bool) -> None:
        """Note an answer, and use its connection for the next arrival if one waits."""
        now_s = monotonic()
        index = connection.request
        self._done[index] = now_s
        self._status[index] = status
        if not keep_alive or not self._keeps:
            connection.request = IDLE
            self.pool.retire(connection)
            return
        index = self._next
        if index < self._due:
            if self._intended[index] + self._timeout_s < now_s:
                index = self._expire_waiting(now_s)
            if index < self._due:
                self._next = index + 1
                connection.request = index
                self._sent[index] = now_s
                connection.write(self._payloads[self._choice[index]])
                return
        connection.request = IDLE
        self._free.append(connection)
        if now_s >= self._wake_s:
            self.dispatch()

    def failed(self, connection: Connection, failure: Failure) -> None:
        """Note a failure, and replace the connection."""
        index = connection.request
        self._done[index] = monotonic()
        self._status[index] = failure
        connection.request = IDLE
        self.pool.drop(connection)

    def lost(self, connection: Connection) -> None:
        """Replace an idle connection that ended."""
        self.pool.drop(connection)

    def _expire_waiting(self, now_s: float) -> int:
        """Give up arrivals whose users have waited too long; returns the next that has not."""
        index = self._next
        while index < self._due and self._intended[index] + self._timeout_s < now_s:
            self._status[index] = Failure.TIMEOUT_UNSENT
            self._done[index] = self._intended[index] + self._timeout_s
            index += 1
        self._next = index
        return index

    def _sweep(self) -> None:
        now_s = monotonic()
        self._expire_waiting(now_s)
        for connection in tuple(self.pool.members):
            index = connection.request
            if index >= 0 and self._intended[index] + self._timeout_s < now_s:
                self._done[index] = self._intended[index] + self._timeout_s
                self._status[index] = Failure.TIMEOUT
                connection.request = IDLE
                self.pool.drop(connection)
        if self._next < self._due:
            self._relieve()
        ended = self._exhausted and self._next >= self._loaded and self.pool.in_flight <= 0
        if ended or now_s > self._give_up_s:
            if not self._finished.done():
                self._finished.set_result(None)
            return
        self._sweep_handle = self._loop.call_later(SWEEP_S, self._sweep)

    def snapshot(self, expect_status: frozenset[int]) -> Snapshot:
        """Describe where the run stands; costs time in proportion to what is unsettled."""
        now_s = monotonic()
        first, last = self._settled, self._next
        # Copies, since a view of an array forbids it to grow.
        status = np.array(self._status[first:last], dtype=np.int16)
        latency_s = np.array(self._done[first:last]) - np.array(self._intended[first:last])
        good = succeeded(status, expect_status)
        failures = int(np.count_nonzero(~good & (status != PENDING)))
        pending = np.flatnonzero(status == PENDING)
        snapshot = Snapshot(
            elapsed_s=now_s - self._start_s,
            due=self._due,
            answered=last - int(pending.size),
            failures=self._settled_failures + failures,
            in_flight=self.pool.in_flight,
            waiting=self._due - self._next,
            latency_s=latency_s[good][:: max(1, int(good.sum()) // 1000)],
        )
        kept = int(pending[0]) if pending.size else int(status.size)
        self._settled_failures += int(np.count_nonzero(~good[:kept]))
        self._settled += kept
        return snapshot

    def _records(self) -> Records:
        count = self._loaded
        start_s = self._start_s
        sent = np.array(self._sent[:count]) - start_s
        sent[sent == -start_s] = np.nan
        taken = np.array(self._tick_due, dtype=np.int64)
        ticks = taken - np.concatenate(([0], taken[:-1]))
        records = Records(
            intended_s=np.array(self._intended[:count]) - start_s,
            dispatched_s=np.repeat(np.array(self._tick_s) - start_s, ticks),
            sent_s=sent,
            done_s=np.array(self._done[:count]) - start_s,
            status=np.array(self._status[:count], dtype=np.int16),
        )
        return records.settled() if self.interrupted else records


def succeeded(status: StatusArray, expect_status: frozenset[int]) -> npt.NDArray[np.bool_]:
    """Mark outcomes that count as success: those expected, or 200 to 299 if none is named."""
    if expect_status:
        return np.isin(status, sorted(expect_status))
    return (status >= 200) & (status < 300)
