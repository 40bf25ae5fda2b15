"""Running a plan: in this process, or shared among several that start at the same moment.

Processes are started afresh and not forked, since a fork would copy event loops and threads of
whoever calls. Each gets every n-th arrival of the same seeded process, so that together they send
exactly what one would; the monotonic clock is one for the whole machine, so their records join.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

import numpy as np
import uvloop

from tonnage.errors import EnvironmentFault, TargetUnreachable
from tonnage.loadgen.engine import Engine, Snapshot
from tonnage.loadgen.plan import LoadPlan
from tonnage.loadgen.records import Records, merged
from tonnage.loadgen.result import LoadResult, RunFacts, summarise

OnSnapshot = Callable[[Snapshot], None]

SNAPSHOT_S = 0.5
_HEAD_START_S = 0.02
_JOIN_S = 5.0


@dataclass(frozen=True, slots=True)
class LoadRun:
    """A finished run.

    Attributes:
        result: What it says.
        records: Every request, for whoever wants more than the result holds.
    """

    result: LoadResult
    records: Records


def run_load(plan: LoadPlan, *, on_snapshot: OnSnapshot | None = None) -> LoadRun:
    """Carry a plan out; blocks until every request has its end.

    SIGINT, when this runs in the main thread, ends the run early with what there is.

    Args:
        plan: What to do.
        on_snapshot: Called about twice a second, in this thread.

    Raises:
        TargetUnreachable: No connection could be opened at the start.
        EnvironmentFault: A generator process died.
    """
    if plan.processes > 1:
        parts = _run_processes(plan, on_snapshot)
        records = merged([part[0] for part in parts])
        facts = [part[1] for part in parts]
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            records, fact = runner.run(generate(plan, on_snapshot=on_snapshot))
        facts = [fact]
    return LoadRun(summarise(records, plan, facts), records)


async def generate(
    plan: LoadPlan,
    *,
    on_snapshot: OnSnapshot | None = None,
    agree_on_start: Callable[[], float] | None = None,
) -> tuple[Records, RunFacts]:
    """Carry a plan out in the running event loop, which should be uvloop's.

    Args:
        plan: What to do; its ``processes`` only says which arrivals are this one's.
        on_snapshot: Called about twice a second.
        agree_on_start: Called when the connections are open; returns when to start on
            ``time.monotonic`` [s].

    Raises:
        TargetUnreachable: No connection could be opened.
    """
    engine = Engine(plan)
    watcher: asyncio.Task[None] | None = None
    try:
        await engine.pool.start()
        start_s = agree_on_start() if agree_on_start else time.monotonic() + _HEAD_START_S
        if on_snapshot is not None:
            watcher = asyncio.create_task(_watch(engine, plan, on_snapshot))
        with _stopping_on_interrupt(engine), _rare_collection():
            cpu_s, wall_s = time.process_time(), time.monotonic()
            records = await engine.run(start_s=start_s)
            cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        members = len(engine.pool.members)
    finally:
        if watcher is not None:
            watcher.cancel()
        await engine.pool.close()
    return records, RunFacts(cpu_s / wall_s, members, engine.pool.opened, engine.interrupted)


async def _watch(engine: Engine, plan: LoadPlan, on_snapshot: OnSnapshot) -> None:
    while True:
        await asyncio.sleep(SNAPSHOT_S)
        on_snapshot(engine.snapshot(plan.expect_status))


@contextmanager
def _stopping_on_interrupt(engine: Engine) -> Iterator[None]:
    """Let SIGINT end the run instead of the process; only a main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, engine.stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


@contextmanager
def _rare_collection() -> Iterator[None]:
    """Keep the garbage collector from pausing the run.

    Requests make no reference cycles; only connections that end do, so rare collections of young
    objects are enough, and what exists already is never looked at.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 50, 1000)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _child(plan: LoadPlan, pipe: Pipe, snapshots: bool) -> None:
    """Be one generator process: report ``ready``, wait for the start, report the rest."""

    def agree() -> float:
        pipe.send(("ready", None))
        start_s = pipe.recv()
        if start_s is None:  # another process found the target unreachable
            os._exit(0)
        return float(start_s)

    on_snapshot = (lambda snapshot: pipe.send(("snapshot", snapshot))) if snapshots else None
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            part = runner.run(generate(plan, on_snapshot=on_snapshot, agree_on_start=agree))
        pipe.send(("done", part))
    except TargetUnreachable as error:
        pipe.send(("unreachable", str(error)))
    except (EOFError, BrokenPipeError):
        pass  # the parent is gone; nobody waits for the answer


def _run_processes(plan: LoadPlan, on_snapshot: OnSnapshot | None) -> list[tuple[Records, RunFacts]]:
    context = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    children: list[SpawnProcess] = []
    try:
        # Children inherit what is ignored, so an interrupt cannot hit them before they handle it.
        with _on_interrupt(signal.SIG_IGN):
            for share in plan.shares():
                here, there = context.Pipe()
                child = context.Process(target=_child, args=(share, there, on_snapshot is not None))
                child.start()
                there.close()
                pipes.append(here)
                children.append(child)
        _start_together(pipes)
        # From now on they end their runs on an interrupt, and we wait for what they have.
        with _on_interrupt(lambda *_: None):
            return _gather(pipes, on_snapshot)
    finally:
        for pipe in pipes:
            pipe.close()
        for child in children:
            child.join(_JOIN_S)
            if child.is_alive():
                child.kill()
                child.join()


@contextmanager
def _on_interrupt(action: signal.Handlers | Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle SIGINT otherwise for a while; only a main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, action)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _receive(pipe: Pipe) -> tuple[str, object]:
    try:
        kind, value = pipe.recv()
    except EOFError as error:
        raise EnvironmentFault(
            "load generator: every process must live to the end, got one that died"
        ) from error
    return kind, value


def _start_together(pipes: list[Pipe]) -> None:
    answers = [_receive(pipe) for pipe in pipes]
    unreachable = [value for kind, value in answers if kind != "ready"]
    if unreachable:
        for pipe, (kind, _) in zip(pipes, answers, strict=True):
            if kind == "ready":
                pipe.send(None)
        raise TargetUnreachable(str(unreachable[0]))
    start_s = time.monotonic() + _HEAD_START_S
    for pipe in pipes:
        pipe.send(start_s)


def _gather(pipes: list[Pipe], on_snapshot: OnSnapshot | None) -> list[tuple[Records, RunFacts]]:
    parts: dict[Pipe, tuple[Records, RunFacts]] = {}
    latest: dict[Pipe, Snapshot] = {}
    while len(parts) < len(pipes):
        for ready in wait([pipe for pipe in pipes if pipe not in parts]):
            assert isinstance(ready, Pipe)
            kind, value = _receive(ready)
            if kind == "done":
                parts[ready] = value  # type: ignore[assignment]
            else:
                latest[ready] = value  # type: ignore[assignment]
                if on_snapshot is not None and ready is pipes[0]:
                    on_snapshot(joined(list(latest.values())))
    return [parts[pipe] for pipe in pipes]


def joined(snapshots: list[Snapshot]) -> Snapshot:
    """Add up what several processes say of themselves."""
    return Snapshot(
        elapsed_s=max(snapshot.elapsed_s for snapshot in snapshots),
        due=sum(snapshot.due for snapshot in snapshots),
        answered=sum(snapshot.answered for snapshot in snapshots),
        failures=sum(snapshot.failures for snapshot in snapshots),
        in_flight=sum(snapshot.in_flight for snapshot in snapshots),
        waiting=sum(snapshot.waiting for snapshot in snapshots),
        latency_s=np.concatenate([snapshot.latency_s for snapshot in snapshots]),
    )
