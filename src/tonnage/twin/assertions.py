"""Assertions: statements such as ``p99<=100ms`` that a run must fulfil, read, judged and explained.

An assertion that does not hold is answered by more than a number: when it was broken first, by how much, for
how long, and what the records say about that time.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np

from tonnage.errors import Problem, SpecError
from tonnage.twin.causes import causes_between
from tonnage.twin.evidence import Evidence
from tonnage.twin.measures import MEASURES, Measure, MeasureKind
from tonnage.twin.records import PodRecord, ScalingDecision
from tonnage.twin.result import Result
from tonnage.twin.verdict import Verdict, joined_of, stretches_of
from tonnage.twin.wording import show_number, show_span, show_time
from tonnage.units import UnitError, parse_duration, parse_rate

_COMPARE: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9._-]*)\s*(<=|>=|==|<|>)\s*([0-9].*?)\s*")
_FORM_SHOWN: Final = "p99<=100ms, drops==0 or replicas.max<=20"
_SYNONYMS: Final = {
    "latency": "p99",
    "p999": "p99.9",
    "median": "p50",
    "dropped": "drops",
    "failures": "errors",
    "error_rate": "errors",
    "gpus": "gpus.max",
    "nodes": "nodes.max",
    "replicas": "replicas.max",
    "pods": "replicas.max",
    "pending": "pending.max",
    "queue": "queue.max",
    "violations": "violations.seconds",
    "slo": "slo.misses",
    "price": "cost",
    "oom": "oom.kills",
    "thrash": "reversals",
    "throughput": "rate",
}
"""What people call a measure."""
_PASSING_S: Final = 30.0
"""How long after a sum passed its limit is looked for what it was [s]."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """One statement about a run.

    Attributes:
        text: As it was written, without spaces around it.
        measure: What it is about.
        comparison: ``<=``, ``>=``, ``==``, ``<`` or ``>``.
        limit: In the measure's unit: seconds, a share, or a number.
    """

    text: str
    measure: Measure
    comparison: str
    limit: float

    def holds_for(self, value: float) -> bool:
        """Decide about one value; one that does not exist never fulfils anything."""
        return not math.isnan(value) and _COMPARE[self.comparison](value, self.limit)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a run says about an assertion.

    Attributes:
        assertion: The statement.
        holds: Whether it holds.
        value: What was found, in the measure's unit; nan when it does not exist.
        found: The same, for people.
        explanation: When and why it was broken first; empty when it holds.
    """

    assertion: Assertion
    holds: bool
    value: float
    found: str
    explanation: str

    def __str__(self) -> str:
        if self.holds:
            return f"{self.assertion.text}: holds, got {self.found}"
        tail = f"; {self.explanation}" if self.explanation else ""
        return f"{self.assertion.text}: must hold, got {self.found}{tail}"


def parse_assertions(texts: Iterable[str]) -> tuple[Assertion, ...]:
    """Read several assertions.

    Raises:
        SpecError: Some are wrong; it names them all.
    """
    found: list[Assertion] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            found.append(parse_assertion(text))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return tuple(found)


def parse_assertion(text: str) -> Assertion:
    """Read an assertion, such as ``p99<=100ms``.

    Args:
        text: A measure, a comparison (<=, >=, ==, <, >) and a limit with the measure's unit.

    Raises:
        SpecError: The form, the measure or the limit is not known.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        hint = "write == for equality" if re.search(r"[^<>=]=[^=]", text) else None
        raise SpecError([Problem("assert", f"must be like {_FORM_SHOWN}, got {text!r}", hint=hint)])
    name, comparison, limit = match.groups()
    measure = MEASURES.get(name)
    if measure is None:
        raise SpecError([_unknown(name)])
    try:
        return Assertion(text.strip(), measure, comparison, _limit(measure.kind, limit))
    except UnitError as error:
        message = f"limit of {name} {error}, got {limit!r}"
        raise SpecError([Problem("assert", message, hint=error.hint)]) from error


def _unknown(name: str) -> Problem:
    key = name.casefold().replace("_", ".").replace("-", ".")
    near = _SYNONYMS.get(name.casefold()) or _SYNONYMS.get(key.replace(".", "_"))
    if near is None:
        close = get_close_matches(key, MEASURES, n=1, cutoff=0.7)
        near = close[0] if close else None
    known = f"known are {', '.join(MEASURES)}"
    hint = f'did you mean "{near}"? {known}' if near else known
    return Problem("assert", f"must name a measure, got {name!r}", hint=hint)


def _limit(kind: MeasureKind, text: str) -> float:
    """Read a limit.

    Raises:
        UnitError: It has not the form of its kind.
    """
    if kind == "latency":
        return parse_duration(text).seconds
    if kind == "span":
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) is not None
        return parse_duration(f"{text}s" if bare else text).seconds
    if kind == "ratio":
        share = parse_rate(text.removesuffix("%").strip()).per_second
        if text.endswith("%"):
            return share / 100
        if share > 1:
            raise UnitError("must be at most 1, or have a %", f"write {text}% for a percentage")
        return share
    return parse_rate(text.removesuffix("/s").strip() if kind == "rate" else text).per_second


def judge(assertions: Iterable[Assertion], result: Result, verdict: Verdict) -> tuple[Judgement, ...]:
    """Judge a run.

    Args:
        assertions: What must hold.
        result: The run.
        verdict: What the run says about its objective.

    Returns:
        One judgement for each assertion, in order.
    """
    evidence = Evidence.of(result)
    return tuple(_judged(assertion, result, verdict, evidence) for assertion in assertions)


def _judged(assertion: Assertion, result: Result, verdict: Verdict, evidence: Evidence) -> Judgement:
    measure = assertion.measure
    value = float(measure.value(result, verdict))
    holds = assertion.holds_for(value)
    why = "" if holds else _explained(assertion, result, verdict, evidence, value)
    return Judgement(assertion, holds, value, measure.shown(value), why)


def _explained(
    assertion: Assertion, result: Result, verdict: Verdict, evidence: Evidence, value: float
) -> str:
    measure = assertion.measure
    if math.isnan(value):
        lacks_objective = measure.name.startswith("violations") and verdict.objective is None
        return "the run has no objective" if lacks_objective else "the run has no such value"
    if measure.name.startswith("violations") and verdict.violations:
        first = verdict.violations[0]
        return _sentence(first.from_s, first.length_s, "", [cause.text for cause in first.causes])
    broken = _first_broken(assertion, result)
    if broken is None:
        return ""
    from_s, to_s, reached = broken
    if measure.adds_up:
        # It stays beyond its limit for ever; what happened when it got there is what explains it.
        reasons = _reasons(measure, result, evidence, from_s, from_s + _PASSING_S)
        return "; ".join([f"passed at {show_time(from_s)}", *reasons])
    reasons = _reasons(measure, result, evidence, from_s, to_s)
    return _sentence(from_s, to_s - from_s, f" ({measure.shown(reached)})", reasons)


def _sentence(from_s: float, length_s: float, reached: str, reasons: list[str]) -> str:
    return "; ".join([f"first at {show_time(from_s)}{reached}, for {show_span(length_s)}", *reasons])


def _first_broken(assertion: Assertion, result: Result) -> tuple[float, float, float] | None:
    """The first stretch in which the measure was beyond the limit: its ends [s] and the farthest value."""
    measure, series = assertion.measure, result.series
    if measure.course is None:
        return None
    course = measure.course(result)
    if assertion.comparison in (">=", ">") and not measure.name.endswith(".min"):
        # A sum or a maximum that stayed too small was too small at every moment; none is the first.
        return None
    with np.errstate(invalid="ignore"):
        if assertion.comparison == "==":
            beyond = course > assertion.limit
        else:
            beyond = np.isfinite(course) & ~_COMPARED[assertion.comparison](course, assertion.limit)
    ranges = joined_of(stretches_of(beyond), result.scenario.interval_s)
    if not ranges:
        return None
    start, stop = ranges[0]
    farthest = np.nanmin if assertion.comparison in (">=", ">") else np.nanmax
    to_s = min(float(series.time_s[stop - 1]) + result.scenario.interval_s, result.scenario.duration_s)
    return float(series.time_s[start]), to_s, float(farthest(course[start:stop]))


_COMPARED: Final = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}


def _reasons(
    measure: Measure, result: Result, evidence: Evidence, from_s: float, to_s: float
) -> list[str]:
    """What the records say about a time, as far as it explains a measure."""
    if measure.family in ("service", "pods"):
        if measure.family == "pods":
            events = _pod_events(result, from_s - result.scenario.interval_s, from_s + 60.0)
            if events:
                return events
        # What was broken in the first minutes is what is asked for, not all that followed.
        until_s = min(to_s, from_s + 600.0)
        return [cause.text for cause in causes_between(result, evidence, from_s, until_s)]
    series = result.series
    index = min(int(np.searchsorted(series.time_s, from_s)), series.time_s.size - 1)
    said = []
    if measure.family == "spending":
        nodes, gpus = series.nodes[index], series.gpus_total[index]
        said.append(f"{show_number(float(nodes))} nodes with {show_number(float(gpus))} GPUs were paid for")
    before = [
        one
        for one in evidence.decisions
        if one.rescaled and one.at_s <= from_s + result.scenario.interval_s
    ]
    return [*said, _asked(before[-1])] if before else said


def _asked(decision: ScalingDecision) -> str:
    change = f"{decision.spec_replicas} to {decision.desired}"
    return f"the HPA had changed {change} at {show_time(decision.at_s)} ({decision.reason})"


_TELLING: Final = frozenset(
    {"unschedulable", "oom_killed", "killed", "crashed", "evicted", "lost", "preempted", "restarted"}
)


def _pod_events(result: Result, from_s: float, to_s: float) -> list[str]:
    """What happened to pods in a time, told for one of them each."""
    found: dict[str, list[PodRecord]] = {}
    for record in result.records:
        if isinstance(record, PodRecord) and record.what in _TELLING and from_s <= record.at_s <= to_s:
            found.setdefault(record.what, []).append(record)
    texts = []
    for what, records in found.items():
        first = records[0]
        detail = f": {first.detail}" if first.detail else ""
        more = f" (and {len(records) - 1} more)" if len(records) > 1 else ""
        texts.append(f"{first.pod} {what.replace('_', ' ')} at {show_time(first.at_s)}{detail}{more}")
    return texts[:3]
