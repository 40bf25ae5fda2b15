"""Exact durations, rates and counts as people write them: ``100ms``, ``1h30m``, ``10k``, ``1.5M``.

Text is turned into integers (nanoseconds) or fractions, never by way of a float, so that a value
reads back as it was written and two documents can be compared. Inside the program time is in
seconds; the conversion to a float happens once, at ``Duration.seconds`` and ``Rate.per_second``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

NANOSECONDS_PER_SECOND: Final = 10**9
_DURATION_NS_MAX: Final = 2**63 - 1
_COUNT_MAX: Final = 2**63 - 1
_TEXT_MAX: Final = 64

_DURATION_UNITS: Final = {
    "d": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
_COUNT_SUFFIXES: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}

_DURATION_PART: Final = r"[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h|d)"
DURATION_PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$"
"""The form of a duration, as a regular expression for JSON Schema."""
COUNT_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?[kMG]?$"
"""The form of a count or rate, as a regular expression for JSON Schema."""

_PARTS: Final = re.compile(rf"(?:{_DURATION_PART})+", re.ASCII)
_PART: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h|d)", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?([kMG]?)", re.ASCII)


class UnitError(ValueError):
    """A duration, rate or count is malformed; the message says what must hold, ``hint`` what to do."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, exact to the nanosecond.

    Attributes:
        nanoseconds: The length [ns, 0 to 2**63 - 1].
    """

    nanoseconds: int

    def __post_init__(self) -> None:
        if not 0 <= self.nanoseconds <= _DURATION_NS_MAX:
            raise UnitError("must be from 0s to 292 years")

    @property
    def seconds(self) -> float:
        """The length as the nearest float [s]."""
        return self.nanoseconds / NANOSECONDS_PER_SECOND

    @property
    def is_whole_seconds(self) -> bool:
        """Whether Kubernetes' whole-second fields can hold it."""
        return self.nanoseconds % NANOSECONDS_PER_SECOND == 0

    def __str__(self) -> str:
        """Writes it with the largest unit that needs no fraction: 1.5 s is ``1500ms``."""
        if self.nanoseconds == 0:
            return "0s"
        for unit, unit_ns in _DURATION_UNITS.items():
            if unit != "d" and self.nanoseconds % unit_ns == 0:
                return f"{self.nanoseconds // unit_ns}{unit}"
        raise AssertionError("unreachable: every length is whole in nanoseconds")


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """A number of events in a second, exact.

    Attributes:
        exact_per_second: The rate [1/s, >= 0].
    """

    exact_per_second: Fraction

    def __post_init__(self) -> None:
        if self.exact_per_second < 0:
            raise UnitError("must be >= 0")

    @property
    def per_second(self) -> float:
        """The rate as the nearest float [1/s]."""
        return float(self.exact_per_second)

    def __str__(self) -> str:
        """Writes it with the largest suffix that needs no fraction, or as a decimal number."""
        if self.exact_per_second.denominator == 1:
            return format_count(self.exact_per_second.numerator)
        return _decimal_text(self.exact_per_second)


def parse_duration(text: str) -> Duration:
    """Reads a duration such as ``100ms``, ``1.5s``, ``2m`` or ``1h30m``.

    Args:
        text: Numbers, each with a unit out of d, h, m, s, ms, us (or µs), ns, largest unit first.

    Returns:
        The exact length.

    Raises:
        UnitError: The text is not of that form, is finer than a nanosecond, or is too long a time.
    """
    if len(text) > _TEXT_MAX or _PARTS.fullmatch(text) is None:
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII) if len(text) <= _TEXT_MAX else None
        raise UnitError(
            "must be a duration with a unit, such as 100ms, 30s or 5m",
            f"write {text}s, or {text}ms for milliseconds" if bare else None,
        )
    total = Fraction(0)
    unit_ns_before = _DURATION_NS_MAX
    for whole, part, unit in _PART.findall(text):
        unit_ns = _DURATION_UNITS["us" if unit == "µs" else unit]
        if unit_ns >= unit_ns_before:
            raise UnitError("must name each unit once, the largest first, such as 1h30m")
        unit_ns_before = unit_ns
        total += _fraction(whole, part) * unit_ns
    if total.denominator != 1:
        raise UnitError("must be a whole number of nanoseconds")
    return Duration(total.numerator)


def parse_rate(text: str) -> Rate:
    """Reads a rate such as ``10k``, ``1.5M`` or ``0.5`` [1/s].

    Raises:
        UnitError: The text is not a number with an optional suffix k, M or G.
    """
    return Rate(_number(text, "must be a number such as 500, 10k or 1.5M"))


def parse_count(text: str) -> int:
    """Reads a whole number such as ``4096`` or ``10k``.

    Raises:
        UnitError: The text is not a whole number with an optional suffix k, M or G, or exceeds 2**63 - 1.
    """
    number = _number(text, "must be a whole number such as 500 or 10k")
    if number.denominator != 1:
        raise UnitError("must be a whole number such as 500 or 10k")
    return number.numerator


def format_count(count: int) -> str:
    """Writes a whole number with the largest suffix that needs no fraction: 10000 is ``10k``."""
    for suffix in ("G", "M", "k"):
        if count and count % _COUNT_SUFFIXES[suffix] == 0:
            return f"{count // _COUNT_SUFFIXES[suffix]}{suffix}"
    return str(count)


def _number(text: str, what: str) -> Fraction:
    match = _COUNT.fullmatch(text) if len(text) <= _TEXT_MAX else None
    if match is None:
        raise UnitError(what)
    number = _fraction(match[1], match[2]) * _COUNT_SUFFIXES[match[3]]
    if number > _COUNT_MAX:
        raise UnitError("must be at most 2**63 - 1")
    return number


def _fraction(whole: str, part: str | None) -> Fraction:
    part = part or ""
    return Fraction(int(whole + part), 10 ** len(part))


def _decimal_text(value: Fraction) -> str:
    """Writes a fraction whose denominator has only the factors 2 and 5 as a decimal number."""
    places = 0
    scaled = value
    while scaled.denominator != 1 and places < _TEXT_MAX:
        scaled *= 10
        places += 1
    if scaled.denominator != 1:
        return str(float(value))
    digits = str(scaled.numerator).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}"
