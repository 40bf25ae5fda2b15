"""The logs of all workers of a training as one: what is there by time, then each line as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from tonnage.cluster.api import Api
from tonnage.cluster.faults import ClusterFault, Forbidden
from tonnage.cluster.lines import LogLine, Unseen, merged
from tonnage.cluster.logs import LogPart, LogSource, follow_log, life_of, read_log
from tonnage.cluster.training.state import JobState, LiveState
from tonnage.cluster.training.workers import Worker, by_worker

_QUEUE_MAX: Final = 10_000
"""Lines that may wait to be printed; the nodes are asked for no more until some are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which logs are wanted.

    Attributes:
        part: Which part of each.
        workers: Titles of workers; empty for all.
    """

    part: LogPart
    workers: frozenset[str] = frozenset()


def sources_of(state: JobState, wanted: Wanted) -> list[tuple[LogSource, LogPart]]:
    """The containers to read, one for each worker, and which part of each.

    A worker's log is that of its newest pod. Its previous one is that of the life before: of the same pod
    where its container was started again, else of the pod that it replaced.

    Args:
        state: The training.
        wanted: Which logs.
    """
    found = []
    for worker, pods in by_worker(state.pods).items():
        if wanted.workers and worker.title not in wanted.workers:
            continue
        newest, part = pods[-1], wanted.part
        if part.previous and life_of(newest, container_of(newest)).restarts == 0 and len(pods) > 1:
            newest, part = pods[-2], replace(part, previous=False)
        found.append((_source(newest, worker), part))
    return found


async def read_logs(
    api: Api,
    sources: Sequence[tuple[LogSource, LogPart]],
    seen: Mapping[LogSource, Unseen],
    told: Callable[[str], None],
) -> AsyncIterator[LogLine]:
    """What all workers have written, by time.

    Args:
        api: Of the server.
        sources: The containers, and which part of each.
        seen: Notes what was read of each.
        told: Takes why a worker's log is not there.

    Raises:
        Forbidden: Logs are not ours to read.
    """

    async def one(source: LogSource, part: LogPart) -> AsyncIterator[LogLine]:
        try:
            async for line in read_log(api, source, part):
                seen[source].passes(line)
                yield line
        except Forbidden:
            raise
        except ClusterFault as fault:
            told(f"{source.title}: {fault}")

    async for line in merged([one(source, part) for source, part in sources]):
        yield line


async def follow_logs(
    api: Api, live: LiveState, wanted: Wanted, told: Callable[[str], None]
) -> AsyncIterator[LogLine]:
    """What all workers have written, and then each line as it comes, until the training has ended.

    Args:
        api: Of the server.
        live: The training.
        wanted: Which logs.
        told: Takes restarts, new pods, and why nothing comes.

    Raises:
        Forbidden: Logs are not ours to read.
        ClusterFault: The server is away for too long.
    """
    seen: dict[LogSource, Unseen] = {}
    first = [
        (source, part)
        for source, part in sources_of(live.now, wanted)
        if life_of(live.pod(source.pod), source.container).key
    ]
    for source, _ in first:
        seen[source] = Unseen()
    async for line in read_logs(api, first, seen, told):
        yield line
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(_QUEUE_MAX)
    async with aclosing(_gathered(api, live, wanted, seen, queue, told)) as lines:
        async for line in lines:
            yield line


async def _gathered(
    api: Api,
    live: LiveState,
    wanted: Wanted,
    seen: dict[LogSource, Unseen],
    queue: asyncio.Queue[LogLine | None],
    told: Callable[[str], None],
) -> AsyncGenerator[LogLine, None]:
    """Lines of all followed containers, as they come."""

    async def pump(source: LogSource) -> None:
        unseen, part = seen[source], None if seen[source].last_ns else wanted.part
        current = lambda: live.pod(source.pod)  # noqa: E731
        async for line in follow_log(api, source, current, seen=unseen, part=part, told=told):
            await queue.put(line)

    async def manage(group: asyncio.TaskGroup) -> None:
        tasks: dict[LogSource, asyncio.Task[None]] = {}
        away = ""
        waits: tuple[str, ...] = ()
        async for state in live.states():
            if live.followed.away != away:
                away = live.followed.away
                told(away or "the API server answers again")
            if state.status.waits != waits and state.status.waits:
                waits = state.status.waits
                told(f"{state.name} waits: {'; '.join(waits)}")
            for source, _ in sources_of(state, replace(wanted, part=LogPart())):
                if source not in tasks:
                    if source not in seen:
                        seen[source] = Unseen()
                        if tasks and any(one.title == source.title for one in tasks):
                            told(f"{source.title}: goes on as pod {source.pod}")
                    tasks[source] = group.create_task(pump(source))
            if (state.main is None or state.status.ended) and not away:
                await asyncio.gather(*tasks.values())
                return

    async def run() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(manage(group))
        finally:
            await queue.put(None)

    task = asyncio.create_task(run())
    try:
        while (line := await queue.get()) is not None:
            yield line
        await task
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    finally:
        task.cancel()
        while not task.done():  # whoever waits for room must end too
            while not queue.empty():
                queue.get_nowait()
            await asyncio.wait([task], timeout=0.05)


def container_of(pod: Mapping[str, Any]) -> str:
    """The container of a pod that trains: the one that it names as the default, else its first."""
    metadata = pod.get("metadata") or {}
    named = (metadata.get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    return str(named or pod["spec"]["containers"][0]["name"])


def _source(pod: Mapping[str, Any], worker: Worker) -> LogSource:
    metadata = pod["metadata"]
    return LogSource(str(metadata["namespace"]), str(metadata["name"]), container_of(pod), worker.title)
