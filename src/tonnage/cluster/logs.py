"""What a container writes: as far as it is written, or followed through broken lines and restarts.

While a container is followed, each of its lives is one stream. When a stream ends, the pod says why: the
container has ended (the next life is waited for), or the line has (it goes on where it was). A line of text
comes once, whatever is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.cluster.api import Api
from tonnage.cluster.faults import Action, Busy, ClusterFault, Invalid, Missing, Unclear, Unreachable
from tonnage.cluster.lines import LogLine, Unseen, split_lines, time_ns, time_text
from tonnage.cluster.resources import PODS

WAIT_S: Final = 0.5
WAIT_S_MAX: Final = 10.0
_LOOK_S: Final = 0.1
_TRIES_MAX: Final = 3
"""How often the log of a container that is over is asked for."""
_SETTLE_S: Final = 2.0
"""How long after the end of a stream its pod may take to say that the container has ended."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """A container whose log is read.

    Attributes:
        namespace: Of the pod.
        pod: Its name.
        container: The container's.
        title: What lines of it are marked with.
    """

    namespace: str
    pod: str
    container: str
    title: str


@dataclass(frozen=True, slots=True)
class LogPart:
    """Which part of a log is wanted.

    Attributes:
        tail: Lines at most, from the end; None for all.
        since_s: Only what is younger than that [s]; None for all.
        previous: The life before the present one.
    """

    tail: int | None = None
    since_s: int | None = None
    previous: bool = False

    @property
    def params(self) -> dict[str, str]:
        """Of the query."""
        found = {"previous": "true"} if self.previous else {}
        if self.tail is not None:
            found["tailLines"] = str(self.tail)
        if self.since_s is not None:
            found["sinceSeconds"] = str(max(1, self.since_s))  # the API takes no less
        return found


@dataclass(frozen=True, slots=True)
class Life:
    """The last life of a container that began, as its pod tells of it.

    Attributes:
        key: What no other life of it has; empty where none has begun.
        restarts: How often the container was started again.
        running: Whether it goes on.
        over: Whether there will be no other life.
        waits: Why the container does not run; empty where it does, or has ended.
    """

    key: str
    restarts: int
    running: bool
    over: bool
    waits: str = ""


def life_of(pod: Mapping[str, Any] | None, container: str) -> Life:
    """What a pod tells of a container; a pod that is gone has none that goes on."""
    if pod is None:
        return Life("", 0, running=False, over=True)
    status = pod.get("status") or {}
    known = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    one: Mapping[str, Any] = next((each for each in known if each.get("name") == container), {})
    state = one.get("state") or {}
    running, terminated = state.get("running"), state.get("terminated")
    last = terminated or (one.get("lastState") or {}).get("terminated") or {}
    key = ""
    if running is not None:
        key = f"{one.get('containerID', '')} {running.get('startedAt', '')}"
    elif last:
        key = f"{last.get('containerID', '')} {last.get('startedAt', '')}"
    never = (pod.get("spec") or {}).get("restartPolicy") == "Never"
    return Life(
        key=key,
        restarts=int(one.get("restartCount") or 0),
        running=running is not None,
        over=status.get("phase") in ("Succeeded", "Failed") or (terminated is not None and never),
        waits=str((state.get("waiting") or {}).get("reason") or ""),
    )


async def read_log(
    api: Api, source: LogSource, part: LogPart, *, follow: bool = False, after_ns: int = 0
) -> AsyncIterator[LogLine]:
    """Lines of one life of a container.

    Args:
        api: Of the server.
        source: The container.
        part: Which part.
        follow: Whether to go on until it ends.
        after_ns: Only lines of that second and later [ns since 1970]; goes before the part's.

    Raises:
        Invalid: It has not begun, or there is no previous life.
        Missing: The pod is not there.
        ClusterFault: The server or the node did not say, or the line was lost.
    """
    action = Action("get", "pods/log", source.pod, source.namespace)
    params = {**part.params, "container": source.container, "timestamps": "true"}
    if follow:
        params["follow"] = "true"
    if after_ns:
        params.pop("sinceSeconds", None)
        params["sinceTime"] = time_text(after_ns)
    path = f"{PODS.path(source.namespace, source.pod)}/log"
    before_ns = 0
    async with api.stream(path, action, params=params, silence_s_max=None if follow else 60.0) as response:
        async for line in split_lines(response.aiter_bytes()):
            stamp, _, text = line.partition(" ")
            found = time_ns(stamp)
            before_ns = found if found is not None else before_ns
            yield LogLine(before_ns, source.title, text if found is not None else line)


async def follow_log(
    api: Api,
    source: LogSource,
    pod_now: Callable[[], Mapping[str, Any] | None],
    *,
    after_ns: int = 0,
    seen: Unseen | None = None,
    part: LogPart | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[LogLine]:
    """Lines of a container as they come, until it will write no more.

    Args:
        api: Of the server.
        source: The container.
        pod_now: The pod as it is now; None when it is gone.
        after_ns: Only lines of that second and later [ns since 1970].
        seen: What of it was read already.
        part: Which part of what is there at first.
        told: Takes what a person should know: restarts, and why nothing comes.

    Raises:
        Forbidden: Its log is not ours to read.
    """
    seen = seen or Unseen()
    reading, ended, failures, last_text = "", False, 0, ""
    while True:
        now = life_of(pod_now(), source.container)
        if not now.key or (now.key == reading and ended):
            if now.over:
                return
            await asyncio.sleep(_LOOK_S)
            continue
        if reading and now.key != reading and now.running:
            told(f"{source.title}: its container was started again ({now.restarts})")
            async for line in _rest(api, source, seen):
                yield line
        reading, ended = now.key, False
        first = LogPart() if seen.last_ns or part is None else part
        try:
            seen.begin()
            begin_ns = seen.last_ns or after_ns
            async for line in read_log(api, source, first, follow=True, after_ns=begin_ns):
                failures = 0
                if seen.passes(line):
                    yield line
        except (Busy, Unreachable, Unclear, Invalid, Missing) as fault:
            failures += 1
            over = life_of(pod_now(), source.container).over
            if failures > 1 and str(fault) != last_text:  # a line that only broke is nothing to tell
                last_text = str(fault)
                told(f"{source.title}: {last_text}")
            if over and failures >= _TRIES_MAX:
                return
            await asyncio.sleep(min(WAIT_S * 2.0 ** min(failures - 1, 10), WAIT_S_MAX))
        else:
            ended = await _has_ended(pod_now, source, reading)


async def _has_ended(pod_now: Callable[[], Mapping[str, Any] | None], source: LogSource, key: str) -> bool:
    """Wait for the pod to say that a life has ended; False when it does not: then only the line has."""
    clock = asyncio.get_running_loop().time
    end_s = clock() + _SETTLE_S
    while clock() < end_s:
        now = life_of(pod_now(), source.container)
        if now.over or not now.running or now.key != key:
            return True
        await asyncio.sleep(_LOOK_S)
    return False


async def _rest(api: Api, source: LogSource, seen: Unseen) -> AsyncIterator[LogLine]:
    """What the life before wrote after the last line that was seen."""
    seen.begin()
    try:
        async for line in read_log(api, source, LogPart(previous=True), after_ns=seen.last_ns):
            if seen.passes(line):
                yield line
    except ClusterFault:
        return  # the node keeps it no longer
