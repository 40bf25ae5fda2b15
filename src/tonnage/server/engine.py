"""Drives the batching policy with real time: calls in, batches through the model, answers out.

Theory of operation. Everything but the model runs in the event loop. ``submit`` puts a call into the
queue and, if the model is free, asks for one ``_turn`` at the end of the loop's turn, so that all
requests that arrived together are there. A turn takes one batch. The model runs either inline, when
its largest batch is far below a millisecond and a thread would cost more than it, or in one thread of
its own, with the loop free to read and answer meanwhile. When it is done, the next turn follows.

A batch that raises is run again request by request, so that one poisonous request fails alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from tonnage.batching import Batch, BatchQueue, Refusal, ServiceTimes, Wait
from tonnage.batching import Limits as BatchLimits
from tonnage.contract.server_config import BatchingConfig
from tonnage.server.assemble import assemble
from tonnage.server.call import Call
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip.datatypes import Array
from tonnage.server.oip.encode import BatchAnswers, answer_start
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.runtimes.base import RequestContext, Runtime
from tonnage.server.tracing import Tracer

_clock = time.monotonic

Outcome = Mapping[str, Array] | BaseException


class Engine:
    """One loaded model and the calls that wait for it.

    Args:
        runtime: The model.
        name: Its name.
        version: Its version.
        batching: How to gather.
        times: Service times as warm-up measured them; learnt on from here.
        recorder: Where measurements go.
        tracer: Who is told of each batch; None for nobody.
        inline: Run the model in the event loop.
        gather_max: Items up to which requests are gathered; None for the largest batch.

    Attributes:
        in_flight: Calls submitted and not yet answered.
        busy_since_s: Start of the model call that runs now [s, monotonic]; 0 for none.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        name: str,
        version: str,
        batching: BatchingConfig,
        times: ServiceTimes,
        recorder: Recorder,
        inline: bool,
        gather_max: int | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._runtime = runtime
        self._signature = runtime.signature
        self._padding = batching.padding
        size_max = batching.size_max if runtime.signature.batches else 1
        limits = BatchLimits(size_max, batching.wait_s_max, batching.queue_max, gather_max)
        self._queue: BatchQueue[Call] = BatchQueue(limits, times)
        self._times = times
        self._recorder = recorder
        self._tracer = tracer if tracer is not None and tracer.enabled else None
        self._start = answer_start(name, version)
        self._loop = asyncio.get_running_loop()
        self._alone: deque[Call] = deque()  # of batches that raised
        self._armed = False
        self._timer: asyncio.TimerHandle | None = None
        self._busy_items = 0
        self._cycle_s = 0.0  # since when the batch that runs has been the next one
        self._freed_s = 0.0  # when the model became free with more waiting; 0 when nothing waited
        self._thread = None if inline else _ModelThread(self._compute, self._loop, self._done)
        self.busy_since_s = 0.0
        self.in_flight = 0

    @property
    def queue_length(self) -> int:
        """Calls that wait for a batch."""
        return len(self._queue) + len(self._alone)

    def expected_answer_s(self, now_s: float) -> float:
        """When a request that arrived now would be answered, as far as is known [s, monotonic]."""
        return now_s + self._queue.until_answered(1, self._free_s(now_s))

    def submit(self, call: Call, now_s: float) -> None:
        """Take a call in; it is answered, or failed, in time."""
        self.in_flight += 1
        refusal = self._queue.offer(call, now_s, self._free_s(now_s))
        if refusal is not None:
            self._refuse(call, refusal, now_s)
        elif not self._armed and not self.busy_since_s:
            self._armed = True
            self._loop.call_soon(self._turn)

    def expire(self, now_s: float) -> None:
        """Fail what waited past its deadline; called now and then, for a model that hangs."""
        late = self._queue.expire(now_s)
        if self._alone:
            late += [call for call in self._alone if call.deadline_s <= now_s]
            self._alone = deque(call for call in self._alone if call.deadline_s > now_s)
        for call in late:
            self._refuse(call, Refusal.DEADLINE, now_s)

    def fail_waiting(self, error: InferenceError) -> None:
        """Fail everything that waits, at the end of the server's time."""
        for call in [*self._alone, *self._queue.clear()]:
            self._fail(call, error)
        self._alone.clear()

    def close(self) -> None:
        """Let the model's thread end when it is free."""
        if self._thread is not None:
            self._thread.close()

    def _free_s(self, now_s: float) -> float | None:
        """How long the model is expected to be busy; None when it is free."""
        if not self.busy_since_s:
            return None
        return max(0.0, self._cycle_s + self._times.of(self._busy_items) - now_s)

    def _turn(self) -> None:
        """Give the free model its next batch."""
        self._armed = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.busy_since_s:
            return
        if self._alone:
            self._run([self._alone.popleft()], _clock())
            return
        while True:
            now_s = _clock()
            decision = self._queue.take(now_s)
            if decision is None:
                self._freed_s = 0.0
                return
            if isinstance(decision, Wait):
                self._freed_s = 0.0
                self._timer = self._loop.call_later(decision.until_s - now_s, self._turn)
                return
            self._drop_late(decision, now_s)
            if decision.requests:
                self._run(decision.requests, now_s)
                return

    def _run(self, calls: list[Call], now_s: float) -> None:
        self.busy_since_s = now_s
        self._cycle_s = self._freed_s or now_s
        if self._thread is not None:
            self._busy_items = sum(call.items for call in calls)
            self._thread.start(calls)
        else:
            outcome = self._compute(calls)
            self._done(calls, outcome, _clock())

    def _compute(self, calls: list[Call]) -> Outcome:
        """Run the model; in its thread or inline. Never raises."""
        try:
            inputs = assemble(self._signature, [call.request for call in calls], self._padding)
            context = tuple(map(_context, calls)) if self._runtime.wants_context else ()
            outputs = self._runtime.run(inputs, context)
            if self._signature.batches:
                _check_rows(outputs, sum(call.items for call in calls))
        except BaseException as error:
            return error
        return outputs

    def _done(self, calls: list[Call], outcome: Outcome, ended_s: float) -> None:
        """Answer a batch, in the event loop."""
        started_s = self.busy_since_s
        self.busy_since_s = 0.0
        try:
            if isinstance(outcome, BaseException):
                self._on_raise(calls, outcome, started_s, ended_s)
            else:
                self._answer(calls, outcome, started_s, ended_s)
        finally:
            self._freed_s = 0.0
            if self._queue or self._alone:
                self._freed_s = _clock()
                if not self._armed:
                    self._armed = True
                    self._loop.call_soon(self._turn)

    def _answer(
        self, calls: list[Call], outputs: Mapping[str, Array], started_s: float, ended_s: float
    ) -> None:
        try:
            answers = BatchAnswers(self._start, outputs, self._signature)
        except Exception as error:
            fault = error if isinstance(error, InferenceError) else _not_serializable(error)
            for call in calls:
                self._fail(call, fault)
            return
        at = 0
        ok = self._recorder.ok
        for call in calls:
            try:
                call.answer(answers, at)
                ok[call.protocol] += 1
            except InferenceError as error:
                call.fail(error)
            except Exception as error:
                call.fail(_not_serializable(error))
            at += call.items
        self.in_flight -= len(calls)
        now_s = _clock()
        recorder = self._recorder
        recorder.batches.append((at, ended_s - started_s))
        recorder.latencies_s += [now_s - call.arrived_s for call in calls]
        recorder.waits_s += [started_s - call.arrived_s for call in calls]
        # with more waiting, what passes between two batches (reading, refusing) is part of each one's time
        self._times.observe(at, now_s - self._cycle_s)
        if self._tracer is not None:
            self._tracer.record(calls, started_s, ended_s, now_s)

    def _on_raise(self, calls: list[Call], error: BaseException, started_s: float, ended_s: float) -> None:
        if len(calls) > 1:
            self._alone.extend(calls)
            return
        if self._tracer is not None:
            self._tracer.record(calls, started_s, ended_s, ended_s, error)
        if not isinstance(error, InferenceError):
            error = InferenceError(Fault.MODEL, f"model: raised {type(error).__name__}: {error}"[:2000])
        self._fail(calls[0], error)

    def _drop_late(self, batch: Batch[Call], now_s: float) -> None:
        for call in batch.late:
            self._refuse(call, Refusal.DEADLINE, now_s)

    def _refuse(self, call: Call, refusal: Refusal, now_s: float) -> None:
        wait_s = self.expected_answer_s(now_s) - now_s
        if refusal is Refusal.QUEUE_FULL:
            message = "queue: is full; ask again later or add replicas"
        else:
            message = (
                f"deadline: must be met, got {call.deadline_s - call.arrived_s:.3g} s allowed "
                f"and {now_s - call.arrived_s + wait_s:.3g} s expected"
            )
        self._fail(call, InferenceError(Fault.OVERLOADED, message, retry_after_s=wait_s))

    def _fail(self, call: Call, error: InferenceError) -> None:
        self.in_flight -= 1
        call.fail(error)


def _not_serializable(error: Exception) -> InferenceError:
    return InferenceError(Fault.MODEL, f"model: its answer must be serializable, got {error!r}"[:2000])


def _context(call: Call) -> RequestContext:
    return RequestContext(call.request.id, call.items, call.request.parameters or {}, call.traceparent)


def _check_rows(outputs: Mapping[str, Array], rows: int) -> None:
    for name, array in outputs.items():
        if array.ndim == 0 or array.shape[0] != rows:
            raise InferenceError(
                Fault.MODEL,
                f'output "{name}": must have {rows} rows as the inputs have, got shape {array.shape}',
            )


class _ModelThread:
    """One thread that runs the model, one batch at a time."""

    def __init__(
        self,
        compute: Callable[[list[Call]], Outcome],
        loop: asyncio.AbstractEventLoop,
        done: Callable[[list[Call], Outcome, float], Any],
    ) -> None:
        self._batches: SimpleQueue[list[Call] | None] = SimpleQueue()
        self._compute = compute
        self._loop = loop
        self._done = done
        # a daemon, so that a model that hangs cannot keep the process from its end
        threading.Thread(target=self._work, name="model", daemon=True).start()

    def start(self, calls: list[Call]) -> None:
        """Run ``calls`` as a batch; ``done`` is called in the loop."""
        self._batches.put(calls)

    def close(self) -> None:
        """End when free."""
        self._batches.put(None)

    def _work(self) -> None:
        while (calls := self._batches.get()) is not None:
            outcome = self._compute(calls)
            try:
                self._loop.call_soon_threadsafe(self._done, calls, outcome, _clock())
            except RuntimeError:  # the loop is closed: the process is ending
                return
