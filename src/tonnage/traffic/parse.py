"""From a trace's text to a trace: the format from the header, every wrong line reported at once.

Three formats are known, all comma-separated with the time first:

- ``counts-per-minute``, header ``minute,requests``
- ``counts-per-second``, header ``second,requests``
- ``arrivals``, header starting with ``timestamp``, ``time``, ``time_s``, ``arrival`` or ``arrival_s``
  in any case; further columns (token counts, say) are left unread

Times are ISO dates or plain numbers: seconds for arrivals, the bin's number for counts. Times are
read as whole nanoseconds, since a double of seconds since 1970 is no finer than 0.2 µs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Literal

import numpy as np

from tonnage.errors import Problem, SpecError
from tonnage.traffic.trace import CountTrace, TimestampTrace, Trace

TraceFormat = Literal["counts-per-minute", "counts-per-second", "arrivals"]

PROBLEMS_MAX = 50
"""Beyond this many, the rest is only counted: a file in the wrong format is wrong on every line."""

_SECOND_NS = 1_000_000_000
_BIN_S: dict[TraceFormat, int] = {"counts-per-minute": 60, "counts-per-second": 1}
_ARRIVAL_HEADERS = frozenset({"timestamp", "time", "time_s", "arrival", "arrival_s"})
_KNOWN = (
    'the header must be "minute,requests", "second,requests" or start with '
    '"timestamp", "time", "time_s", "arrival" or "arrival_s"'
)


@dataclass(slots=True)
class _Problems:
    """Collects what is wrong, up to a bound."""

    source: str
    found: list[Problem] = field(default_factory=list)
    more: int = 0

    def add(self, line: int | None, message: str, hint: str | None = None) -> None:
        if len(self.found) < PROBLEMS_MAX:
            self.found.append(Problem("", message, file=self.source, line=line, hint=hint))
        else:
            self.more += 1

    def raise_if_any(self) -> None:
        if self.found:
            raise self.error()

    def error(self) -> SpecError:
        if self.more:
            self.found.append(Problem("", f"{self.more} more lines are wrong", file=self.source))
        return SpecError(self.found)


def parse_trace(lines: Iterable[str], *, source: str, trace_format: TraceFormat | None = None) -> Trace:
    """Read a trace.

    Args:
        lines: The file's lines, with or without line ends; empty ones are skipped.
        source: The file's name, for messages.
        trace_format: The format; None takes it from the header. With a format given, the first
            line is a header only when its first column is neither a number nor a date.

    Returns:
        Counts or single arrivals, moved to start at 0 s.

    Raises:
        SpecError: Every problem with its line, up to ``PROBLEMS_MAX``: no known header, a bad number
            or date, a gap between counts, times that go backwards, or no data at all.
    """
    problems = _Problems(source)
    rows = _rows(lines)
    first = next(rows, None)
    if first is None:
        problems.add(None, "must hold a header and at least one row, got an empty file")
        raise problems.error()
    line, cells = first
    known = trace_format or _format_of(cells)
    if known is None:
        hint = "or name the format with --trace-format"
        problems.add(line, f"{_KNOWN}, got {','.join(cells)!r}", hint)
        raise problems.error()
    body = rows if _time_ns(cells[0]) is None else chain([first], rows)
    if known == "arrivals":
        return _arrivals(body, problems)
    return _counts(body, _BIN_S[known], problems)


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    for number, text in enumerate(lines, start=1):
        stripped = text.strip().lstrip("\ufeff")
        if stripped:
            yield number, [cell.strip() for cell in stripped.split(",")]


def _format_of(header: list[str]) -> TraceFormat | None:
    names = [cell.lower() for cell in header]
    if names[:2] == ["minute", "requests"]:
        return "counts-per-minute"
    if names[:2] == ["second", "requests"]:
        return "counts-per-second"
    return "arrivals" if names[0] in _ARRIVAL_HEADERS else None


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _time_ns(text: str) -> int | None:
    """Read a number of seconds or an ISO date (UTC unless it says otherwise) as nanoseconds."""
    # A date has a dash after its year; this keeps "20231116" a number.
    if "-" not in text[1:]:
        value = _number(text)
        return None if value is None else round(value * _SECOND_NS)
    whole, dot, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    if dot and not digits:
        return None
    try:
        moment = datetime.fromisoformat(whole + tail[len(digits) :])
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _SECOND_NS + (int(digits[:9].ljust(9, "0")) if digits else 0)


def _show(previous_text: str, step_s: int) -> str:
    """What label must follow another, written as the file writes it."""
    number = _number(previous_text)
    if number is not None:
        return str(number + 1)
    stamp = (_time_ns(previous_text) or 0) // _SECOND_NS + step_s
    return datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _counts(rows: Iterator[tuple[int, list[str]]], bin_s: int, problems: _Problems) -> CountTrace:
    counts: list[float] = []
    previous: tuple[int, str] | None = None
    for line, cells in rows:
        if len(cells) < 2:
            problems.add(line, f'must be "time,requests", got {",".join(cells)!r}')
            continue
        stamp_ns = _time_ns(cells[0])
        count = _number(cells[1])
        if stamp_ns is None:
            problems.add(line, f"time must be a date or a number, got {cells[0]!r}")
        if count is None or count < 0:
            problems.add(line, f"requests must be a number >= 0, got {cells[1]!r}")
        if stamp_ns is None:
            previous = None  # no second complaint about a distance that cannot be known
            continue
        numbered = _number(cells[0]) is not None
        step_ns = _SECOND_NS if numbered else bin_s * _SECOND_NS
        if previous is not None and stamp_ns - previous[0] != step_ns:
            expected = _show(previous[1], bin_s)
            kind = "a gap" if stamp_ns - previous[0] > step_ns else "times out of order"
            problems.add(line, f"time must be {expected!r}, got {cells[0]!r}", f"there is {kind} before it")
        previous = (stamp_ns, cells[0])
        counts.append(float(count) if count is not None else 0.0)
    if not counts and not problems.found:
        problems.add(None, "must hold at least one row after the header, got none")
    problems.raise_if_any()
    return CountTrace(float(bin_s), np.array(counts))


def _arrivals(rows: Iterator[tuple[int, list[str]]], problems: _Problems) -> TimestampTrace:
    stamps: list[int] = []
    previous_text = ""
    for line, cells in rows:
        stamp_ns = _time_ns(cells[0])
        if stamp_ns is None:
            problems.add(line, f"time must be a date or a number of seconds, got {cells[0]!r}")
            continue
        if stamps and stamp_ns < stamps[-1]:
            problems.add(line, f"time must be >= {previous_text!r} of the row before, got {cells[0]!r}")
        stamps.append(stamp_ns)
        previous_text = cells[0]
    if not stamps and not problems.found:
        problems.add(None, "must hold at least one row after the header, got none")
    problems.raise_if_any()
    times_s = (np.array(stamps, dtype=np.int64) - stamps[0]) / _SECOND_NS
    return TimestampTrace(times_s, float(times_s[-1]))
