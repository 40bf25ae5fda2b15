"""Traffic as one line of text, as a command line takes it: ``poisson:rate=10k,for=10m``.

A line is one or more parts joined by ``+``, all at once; a part is a kind, a colon, and ``key=value`` pairs
with commas between. Lists have slashes. ``for`` is how long, and may be left out where the caller has a
length for all; ``scale`` multiplies the rate. What is wrong is reported all at once, with kind and key.

    poisson:rate=10k                                    constant:rate=500
    diurnal:mean=4k,peak=7k,period=24h,peak-at=14h      flash:base=1k,peak=8k,at=5m,rise=10s,hold=2m,fall=1m
    mmpp:rates=200/3k,dwell=50s/5s                      trace:FILE,scale-peak=10k,speedup=60,spacing=constant

This module opens no file: who calls it brings a function that reads a trace.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from tonnage.errors import Problem, SpecError
from tonnage.traffic.arrivals import (
    ArrivalProcess,
    ConstantArrivals,
    PoissonArrivals,
    Spacing,
    arrivals_of,
    clipped,
)
from tonnage.traffic.mixtures import added, scaled
from tonnage.traffic.parse import TraceFormat
from tonnage.traffic.paths import DiurnalArrivals, FlashArrivals, MmppArrivals
from tonnage.traffic.trace import Trace, scaled_to_peak, sped_up
from tonnage.units import UnitError, parse_duration, parse_rate

OpenTrace = Callable[[str, TraceFormat | None], Trace]
"""Reads the trace in a file; raises ``SpecError`` where it cannot."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a kind.

    Attributes:
        read: From its text to its value; raises ``ValueError``, saying what must hold.
        required: Whether it must be given.
    """

    read: Callable[[str], Any]
    required: bool = False


def _seconds(text: str) -> float:
    return parse_duration(text).seconds


def _rate(text: str) -> float:
    return parse_rate(text).per_second


def _several(read: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    return lambda text: tuple(read(part) for part in text.split("/"))


def _one_of(*names: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return text

    return read


_COMMON: Final = {"for": _Key(_seconds), "scale": _Key(_rate)}
_KINDS: Final[Mapping[str, Mapping[str, _Key]]] = {
    "poisson": {"rate": _Key(_rate, required=True)},
    "constant": {"rate": _Key(_rate, required=True)},
    "diurnal": {
        "mean": _Key(_rate, required=True),
        "peak": _Key(_rate, required=True),
        "period": _Key(_seconds),
        "peak-at": _Key(_seconds),
    },
    "flash": {
        "base": _Key(_rate, required=True),
        "peak": _Key(_rate, required=True),
        "at": _Key(_seconds, required=True),
        "rise": _Key(_seconds),
        "hold": _Key(_seconds),
        "fall": _Key(_seconds),
    },
    "mmpp": {
        "rates": _Key(_several(_rate), required=True),
        "dwell": _Key(_several(_seconds), required=True),
    },
    "trace": {
        "format": _Key(_one_of(*get_args(TraceFormat))),
        "spacing": _Key(_one_of(*get_args(Spacing))),
        "speedup": _Key(_rate),
        "scale-peak": _Key(_rate),
        "bin": _Key(_seconds),
    },
}
_PART: Final = re.compile(rf"\+(?=(?:{'|'.join(_KINDS)}):)")
_FIELDS: Final = {
    "mean": "mean_per_s",
    "base": "base_per_s",
    "peak": "peak_per_s",
    "period": "period_s",
    "peak-at": "peak_at_s",
    "at": "at_s",
    "rise": "rise_s",
    "hold": "hold_s",
    "fall": "fall_s",
    "rates": "rates_per_s",
    "dwell": "dwell_s",
}


def parse_traffic(text: str, *, open_trace: OpenTrace, duration_s: float | None = None) -> ArrivalProcess:
    """Read a line of traffic.

    Args:
        text: The line.
        open_trace: Reads the trace in a file, in a format or in the one of its header.
        duration_s: Length of each part that has no ``for`` of its own [s, > 0]; also cuts a trace.

    Raises:
        SpecError: Every problem of all parts: no such kind or key, a missing key, a value that cannot be.
    """
    problems: list[Problem] = []
    parts = []
    for part in _PART.split(text.strip()):
        try:
            parts.append(_parse_part(part.strip(), open_trace, duration_s))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return added(tuple(parts))


def _parse_part(part: str, open_trace: OpenTrace, duration_s: float | None) -> ArrivalProcess:
    kind, colon, rest = part.partition(":")
    keys = _KINDS.get(kind)
    if keys is None or not colon:
        close = difflib.get_close_matches(kind, _KINDS, n=1)
        hint = f'did you mean "{close[0]}:"?' if close else "such as poisson:rate=10k,for=10m"
        message = f"must start with one of {', '.join(_KINDS)} and a colon, got {part!r}"
        raise SpecError([Problem("traffic", message, hint=hint)])
    pairs = rest.split(",") if rest else []
    path = f"traffic.{kind}"
    file = ""
    if kind == "trace":
        file = pairs.pop(0).strip() if pairs else ""
        if not file:
            raise SpecError([Problem(path, "must name a file, got none", hint="such as trace:day.csv")])
    values = _values(path, pairs, {**keys, **_COMMON})
    length_s = values.pop("for", duration_s)
    factor = values.pop("scale", None)
    if length_s is None and kind != "trace":
        message = "must be given, got no length"
        raise SpecError([Problem(f"{path}.for", message, hint="such as for=10m")])
    try:
        process = _trace(file, values, open_trace) if kind == "trace" else _made(kind, values, length_s)
        process = process if factor is None else scaled(process, factor)
    except SpecError as error:
        raise SpecError([_placed(problem, path) for problem in error.problems]) from None
    return process if length_s is None or kind != "trace" else clipped(process, duration_s=length_s)


def _values(path: str, pairs: list[str], keys: Mapping[str, _Key]) -> dict[str, Any]:
    """The values of ``key=value`` pairs."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = (piece.strip() for piece in pair.partition("="))
        key = keys.get(name)
        if key is None or not equals:
            close = difflib.get_close_matches(name, keys, n=1)
            hint = f'did you mean "{close[0]}="?' if close and close[0] != name else None
            message = f"must be key=value with a key out of {', '.join(keys)}, got {pair!r}"
            problems.append(Problem(path, message, hint=hint))
        elif name in values:
            problems.append(Problem(f"{path}.{name}", f"must be given once, got {text!r} too"))
        else:
            try:
                values[name] = key.read(text)
            except ValueError as error:
                hint = error.hint if isinstance(error, UnitError) else None
                problems.append(Problem(f"{path}.{name}", f"{error}, got {text!r}", hint=hint))
                values[name] = None
    problems += [
        Problem(f"{path}.{name}", "must be given, got none")
        for name, key in keys.items()
        if key.required and name not in values
    ]
    if problems:
        raise SpecError(problems)
    return values


def _made(kind: str, values: dict[str, Any], duration_s: float) -> ArrivalProcess:
    if kind == "poisson":
        return PoissonArrivals(values["rate"], duration_s)
    if kind == "constant":
        return ConstantArrivals(values["rate"], duration_s)
    fields = {_FIELDS[name]: value for name, value in values.items()}
    if kind == "diurnal":
        return DiurnalArrivals(duration_s=duration_s, **fields)
    if kind == "flash":
        return FlashArrivals(duration_s=duration_s, **fields)
    return MmppArrivals(duration_s=duration_s, **fields)


def _trace(file: str, values: dict[str, Any], open_trace: OpenTrace) -> ArrivalProcess:
    trace = open_trace(file, values.get("format"))
    if "speedup" in values:
        trace = sped_up(trace, values["speedup"])
    if "scale-peak" in values:
        trace = scaled_to_peak(trace, peak_per_s=values["scale-peak"], bin_s=values.get("bin", 1.0))
    return arrivals_of(trace, spacing=cast("Spacing", values.get("spacing", "poisson")))


def _placed(problem: Problem, path: str) -> Problem:
    """A problem with a value, under the part that holds it; one of a file stays as it is."""
    if problem.file is not None:
        return problem
    place = f"{path}.{problem.path}" if problem.path else path
    return Problem(place, problem.message, hint=problem.hint)
