"""Lines of logs: read from the kubelet's form, put in order of time, each let through once. Asks nobody.

Source: kubernetes v1.37.2, k8s.io/cri-client pkg/logs/logs.go (timeFormatOut, logWriter.write).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final

LINE_BYTES_MAX: Final = 1024 * 1024
"""A longer line comes in parts."""
_OPENED_MAX: Final = 32
"""Streams that are opened at the same time."""
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line.

    Attributes:
        time_ns: When its node noted it [ns since 1970].
        source: Who wrote it.
        text: It, without its end.
    """

    time_ns: int
    source: str
    text: str


def time_ns(text: str) -> int | None:
    """Read a time as the API writes it [ns since 1970]; None where it is none."""
    found = _STAMP.fullmatch(text)
    if found is None:
        return None
    try:
        whole = dt.datetime.fromisoformat(found[1] + found[3])
    except ValueError:
        return None
    return int(whole.timestamp()) * 10**9 + int((found[2] or "").ljust(9, "0"))


def time_text(stamp_ns: int) -> str:
    """A time as the API takes it: the second in which it lies."""
    return f"{dt.datetime.fromtimestamp(stamp_ns // 10**9, dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def full_time(stamp_ns: int) -> str:
    """A time for people and programs: RFC 3339 with milliseconds."""
    whole = dt.datetime.fromtimestamp(stamp_ns // 10**9, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{stamp_ns % 10**9 // 10**6:03d}Z"


async def split_lines(parts: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Lines of a stream of bytes; only a line feed ends one, so that a progress bar's line stays one."""
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")
        while len(rest) > LINE_BYTES_MAX:
            yield rest[:LINE_BYTES_MAX].decode(errors="replace")
            rest = rest[LINE_BYTES_MAX:]
    if rest:
        yield rest.decode(errors="replace")


@dataclass(slots=True)
class Unseen:
    """Lets each line of a log pass once, when parts of it are read again.

    A log is asked for from a second on, and what of that second was seen must not come again. Times rise, and
    lines of one time are known by their text.

    Attributes:
        last_ns: Time of the last line that passed; 0 before the first.
    """

    last_ns: int = 0
    _texts: list[str] = field(default_factory=list)
    _again: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A stream begins, whose first lines may have been seen."""
        self._again = list(self._texts)

    def passes(self, line: LogLine) -> bool:
        """Whether a line is new."""
        if line.time_ns < self.last_ns:
            return False
        if line.time_ns == self.last_ns and line.text in self._again:
            self._again.remove(line.text)
            return False
        if line.time_ns > self.last_ns:
            self.last_ns, self._texts = line.time_ns, []
        self._texts.append(line.text)
        return True


async def merged(streams: Sequence[AsyncIterator[LogLine]]) -> AsyncIterator[LogLine]:
    """Lines of several streams, each in its order, by time; of one time, those of the first stream first."""
    room = asyncio.Semaphore(_OPENED_MAX)

    async def begin(stream: AsyncIterator[LogLine]) -> LogLine | None:
        async with room:
            return await anext(stream, None)

    first = await asyncio.gather(*(begin(stream) for stream in streams))
    heads = {number: line for number, line in enumerate(first) if line is not None}
    while heads:
        number = min(heads, key=lambda one: (heads[one].time_ns, one))
        yield heads.pop(number)
        line = await anext(streams[number], None)
        if line is not None:
            heads[number] = line
