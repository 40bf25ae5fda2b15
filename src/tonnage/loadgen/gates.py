"""Gates: statements such as ``p99<=5ms`` that a result must fulfil."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from tonnage.errors import Problem, SpecError
from tonnage.loadgen.result import LoadResult
from tonnage.units import UnitError, parse_duration, parse_rate

_Compare = Callable[[float, float], bool]
_COMPARE: dict[str, _Compare] = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}

_DURATIONS: dict[str, Callable[[LoadResult], float]] = {
    "p50": lambda result: result.latency.p50_s,
    "p90": lambda result: result.latency.p90_s,
    "p95": lambda result: result.latency.p95_s,
    "p99": lambda result: result.latency.p99_s,
    "p99.9": lambda result: result.latency.p99_9_s,
    "max": lambda result: result.latency.max_s,
    "mean": lambda result: result.latency.mean_s,
    "lag": lambda result: result.generator_lag.lag.p99_s,
}
_RATIOS: dict[str, Callable[[LoadResult], float]] = {"errors": lambda result: result.error_ratio}
_RATES: dict[str, Callable[[LoadResult], float]] = {"rate": lambda result: result.achieved_per_s}
_FORM = re.compile(r"\s*([a-z0-9.]+)\s*(<=|>=|<|>)\s*([0-9].*?)\s*")


@dataclass(frozen=True, slots=True)
class Gate:
    """One statement about a result.

    Attributes:
        text: As the user wrote it.
        metric: Such as ``p99``, ``errors``, ``rate``.
        comparison: ``<=``, ``>=``, ``<`` or ``>``.
        limit: In seconds, as a ratio, or in requests/s, by the metric.
    """

    text: str
    metric: str
    comparison: str
    limit: float

    def holds(self, result: LoadResult) -> bool:
        """Decide whether a result fulfils it; a value that does not exist never does."""
        found = self.value(result)
        return not math.isnan(found) and _COMPARE[self.comparison](found, self.limit)

    def value(self, result: LoadResult) -> float:
        """Give the metric's value in a result, in the limit's unit."""
        return (_DURATIONS | _RATIOS | _RATES)[self.metric](result)

    def shown(self, result: LoadResult) -> str:
        """Give the metric's value for people."""
        found = self.value(result)
        if self.metric in _DURATIONS:
            return f"{found * 1e3:.3f}ms"
        return f"{found:.3%}" if self.metric in _RATIOS else f"{found:.1f}"


def parse_gate(text: str) -> Gate:
    """Read a gate.

    Raises:
        SpecError: The form, the metric or the unit is not known.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise SpecError(
            [Problem("assert", f"must be like p99<=5ms, errors<=0.1% or rate>=9900, got {text!r}")]
        )
    metric, comparison, limit = match.groups()
    try:
        return Gate(text.strip(), metric, comparison, _limit(metric, limit))
    except UnitError as error:
        message = f"limit of {metric} {error}, got {limit!r}"
        raise SpecError([Problem("assert", message, hint=error.hint)]) from error
    except KeyError:
        known = ", ".join([*_DURATIONS, *_RATIOS, *_RATES])
        raise SpecError([Problem("assert", f"must name one of {known}, got {metric!r}")]) from None


def _limit(metric: str, text: str) -> float:
    """Read a limit in its metric's unit; KeyError for a metric that does not exist."""
    if metric in _DURATIONS:
        return parse_duration(text).seconds
    if metric in _RATES:
        return parse_rate(text).per_second
    if metric in _RATIOS:
        return parse_rate(text.removesuffix("%")).per_second / (100 if text.endswith("%") else 1)
    raise KeyError(metric)
