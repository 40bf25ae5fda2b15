"""Reads the wanted metrics of a Prometheus page and skips all others.

A thousand pods asked every five seconds are two hundred pages a second, most of whose lines nobody wants.
So the page is searched for the wanted names, and only what follows them is parsed: strictly, since a line
that is misread scales a fleet. Prometheus' text format and OpenMetrics are the same for what is read here.

Source: Prometheus' exposition formats, text-based format; OpenMetrics 1.0, ABNF.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

PAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"""A larger page is refused by whoever reads it from the network."""
SERIES_MAX: Final = 20_000
"""Series of wanted metrics on one page."""

_LINE: Final = re.compile(
    rb"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    rb"(?:[ \t]*\{(?P<labels>(?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\}[ \t]*|[ \t]+)"
    rb"(?P<value>[^ \t#_{}]+)(?:[ \t]+(?P<time>-?[0-9.eE+]+))?[ \t]*(?:#.*)?"
)
_LABEL: Final = re.compile(rb"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*\"((?:[^\"\\]|\\.)*)\"\s*(?:,|$)")
_ESCAPED: Final = re.compile(r'\\([\\n"])')  # any other backslash stands for itself


class BadPage(Exception):
    """A line of a wanted metric cannot be read; the message has the line."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line.

    Attributes:
        labels: By name.
        value: Finite or not.
    """

    labels: Mapping[str, str]
    value: float


Page = Mapping[str, tuple[Series, ...]]
"""Metric name, with its suffix such as ``_bucket``, to its series."""


def read_page(text: bytes, wanted: Iterable[str]) -> Page:
    """Parse the lines of some metrics.

    Args:
        text: The page.
        wanted: Names as they stand at the start of a line, such as ``request_seconds_bucket``.

    Returns:
        Only names that are on the page; series in the page's order.

    Raises:
        BadPage: A line of a wanted name is not of the format, or there are too many.
    """
    found: dict[str, tuple[Series, ...]] = {}
    for name in wanted:
        series = tuple(_series_of(text, name.encode()))
        if series:
            found[name] = series
    return found


def _series_of(text: bytes, name: bytes) -> Iterable[Series]:
    count = 0
    at = 0 if text.startswith(name) else text.find(b"\n" + name) + 1
    while at or (count == 0 and text.startswith(name)):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        after = text[at + len(name) : at + len(name) + 1]
        if after in (b"{", b" ", b"\t"):
            count += 1
            if count > SERIES_MAX:
                raise BadPage(f"{name.decode()}: must have at most {SERIES_MAX} series, got more")
            yield _read_line(text[at:end].rstrip(b"\r"))
        at = text.find(b"\n" + name, end) + 1
        if at == 0:
            return


def _read_line(line: bytes) -> Series:
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadPage(f"must be a line of Prometheus' text format, got {line[:120]!r}")
    try:
        value = float(match["value"])
    except ValueError:
        raise BadPage(f"must end with a number, got {line[:120]!r}") from None
    return Series(_labels(match["labels"] or b"", line), value)


def _labels(text: bytes, line: bytes) -> dict[str, str]:
    labels: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            if text[at:].strip(b" \t,"):
                raise BadPage(f"must have labels of Prometheus' text format, got {line[:120]!r}")
            break
        labels[match[1].decode()] = _ESCAPED.sub(_unescape, match[2].decode(errors="replace"))
        at = match.end()
    return labels


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def bound_of(text: str) -> float:
    """The value of a label ``le``; infinity for ``+Inf``.

    Raises:
        BadPage: It is no number.
    """
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if math.isnan(bound):
        raise BadPage(f'label le: must be a number, got "{text[:40]}"')
    return bound
