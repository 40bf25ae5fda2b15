"""What a run says about its objective: held or not, when not, for how long, how badly, and why.

Over the whole run the objective holds when enough of the answers were in time and few enough requests were
left unanswered. Beside that stand the spans in which it was missed: a moment misses the objective when, in
the ten seconds around it, the share of slow answers or of unanswered requests was above what the objective
allows. Ten seconds, because in a single second of a quiet service one slow request is more than one percent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tonnage.twin.causes import causes_between
from tonnage.twin.evidence import Cause, Evidence, course_of
from tonnage.twin.remarks import remarks_of
from tonnage.twin.result import FloatArray, Result, Series
from tonnage.twin.scenario import Objective
from tonnage.twin.wording import counted, show_latency, show_number, show_ratio, show_span

WINDOW_S: Final = 10.0
"""Width of the window around a moment in which shares are counted [s]."""
_JOIN_S: Final = 10.0
"""Spans closer than this are one [s]."""

_BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Violation:
    """A span in which the objective was missed.

    Attributes:
        from_s: Its beginning [s].
        to_s: Its end [s].
        latency_s_worst: The highest percentile in any interval of it [s]; nan when nothing was answered.
        error_ratio: Share of its requests that were not answered [0 to 1].
        requests: Requests in it that were slow or not answered.
        unanswered: Of these, not answered.
        causes: Why, the weightiest first.
    """

    from_s: float
    to_s: float
    latency_s_worst: float
    error_ratio: float
    requests: int
    unanswered: int
    causes: tuple[Cause, ...]

    @property
    def length_s(self) -> float:
        """How long it lasted [s]."""
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run says about its objective.

    Attributes:
        objective: What had to hold; None when nothing had to.
        held: Whether it held over the whole run; None without an objective.
        latency_s: The objective's percentile over the whole run [s]; p99 without an objective.
        error_ratio: Share of all requests that were not answered [0 to 1].
        violations: Spans in which it was missed, in order.
        cost: Of the run, in the currency of the prices.
        drops: Requests that were not answered.
        gpus_peak: GPUs held at one time, at most.
        replicas_peak: Replicas ready at one time, at most.
        headline: All of it in one sentence.
        remarks: What else the reader must know, whether the objective held or not, as sentences.
    """

    objective: Objective | None
    held: bool | None
    latency_s: float
    error_ratio: float
    violations: tuple[Violation, ...]
    cost: float
    drops: int
    gpus_peak: int
    replicas_peak: int
    headline: str
    remarks: tuple[str, ...] = ()

    @property
    def violated_s(self) -> float:
        """Length of all violations together [s]."""
        return sum(violation.length_s for violation in self.violations)


def verdict_of(result: Result) -> Verdict:
    """Judge a run.

    Args:
        result: The run; its scenario's objective is what is judged.
    """
    totals, objective = result.totals, result.scenario.objective
    error_ratio = totals.drops / totals.offered if totals.offered else 0.0
    percentile = objective.percentile if objective else 99.0
    latency_s = percentile_of(result, percentile)
    held = None
    if objective is not None:
        slow = max(0, totals.slo_misses - totals.drops)
        # Counted, not read from the histogram: its buckets are one percent wide.
        in_time = slow <= (1 - percentile / 100) * totals.answered
        nothing_served = totals.offered > 0 and totals.answered == 0
        held = in_time and error_ratio <= objective.error_ratio_max and not nothing_served
    violations = _violations(result, objective) if objective else ()
    return Verdict(
        objective=objective,
        held=held,
        latency_s=latency_s,
        error_ratio=error_ratio,
        violations=violations,
        cost=totals.cost,
        drops=totals.drops,
        gpus_peak=totals.gpus_peak,
        replicas_peak=totals.replicas_peak,
        headline=_headline(objective, held, latency_s, error_ratio, violations),
        remarks=remarks_of(result),
    )


def percentile_of(result: Result, percentile: float) -> float:
    """Latency below which a share of all answers lies [s]; nan when nothing was answered.

    Args:
        result: The run.
        percentile: The share [%, 0 to 100].

    Returns:
        That of the totals where they have it, else the geometric middle of the histogram's bucket.
    """
    totals = result.totals
    named = {50: totals.p50_s, 90: totals.p90_s, 95: totals.p95_s, 99: totals.p99_s, 99.9: totals.p999_s}
    if percentile in named:
        return named[percentile]
    running, bound_s = np.cumsum(result.histogram.count), result.histogram.bound_s
    if running.size == 0 or running[-1] == 0:
        return float("nan")
    rank = max(1, int(np.ceil(percentile / 100 * int(running[-1]) - 1e-9)))
    index = int(np.searchsorted(running, rank))
    lower, upper = float(bound_s[max(0, index - 1)]), float(bound_s[index])
    return math.sqrt(lower * upper) if math.isfinite(upper) else lower


def unanswered_of(series: Series) -> FloatArray:
    """Requests that were dropped, whatever the cause, in each interval."""
    return series.refused_queue + series.refused_deadline + series.failed + series.timed_out


def stretches_of(mask: _BoolArray) -> list[tuple[int, int]]:
    """Where a mask is true, as half-open ranges of indices, in order."""
    edges = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def missed_of(result: Result, objective: Objective) -> _BoolArray:
    """Which intervals miss the objective, by what happened in the window around each."""
    series, interval_s = result.series, result.scenario.interval_s
    unanswered = unanswered_of(series)
    slow = np.maximum(series.slo_misses - unanswered, 0.0)
    half = max(0, round((WINDOW_S / interval_s - 1) / 2))
    slow_near, lost_near, answered_near = (
        _summed(values, half) for values in (slow, unanswered, series.answered)
    )
    too_slow = slow_near > (1 - objective.percentile / 100) * answered_near
    too_few = lost_near > objective.error_ratio_max * (answered_near + lost_near)
    mask: _BoolArray = (too_slow & (slow_near > 0)) | (too_few & (lost_near > 0))
    return mask


def _summed(values: FloatArray, half: int) -> FloatArray:
    """Sum over the window of ``2 * half + 1`` intervals around each, cut at the ends."""
    totals = np.concatenate(([0.0], np.cumsum(values)))
    index = np.arange(values.size)
    upper = np.minimum(index + half + 1, values.size)
    window: FloatArray = totals[upper] - totals[np.maximum(index - half, 0)]
    # Counts are whole; the cumulative sum of them is exact below 2**53.
    return window


def _violations(result: Result, objective: Objective) -> tuple[Violation, ...]:
    series, interval_s = result.series, result.scenario.interval_s
    misses = series.slo_misses > 0
    evidence = Evidence.of(result)
    found = []
    for start, stop in joined_of(stretches_of(missed_of(result, objective)), interval_s):
        inside = np.flatnonzero(misses[start:stop])
        if inside.size == 0:
            continue
        # The window is wider than the misses that filled it.
        stop = start + int(inside[-1]) + 1
        start += int(inside[0])
        found.append(_violation(result, objective, evidence, start, stop))
    return tuple(found)


def joined_of(ranges: list[tuple[int, int]], interval_s: float) -> list[tuple[int, int]]:
    """Ranges of intervals, with those that are less than ten seconds apart made one."""
    gap = _JOIN_S / interval_s
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return joined


def _violation(
    result: Result, objective: Objective, evidence: Evidence, start: int, stop: int
) -> Violation:
    series, scenario = result.series, result.scenario
    from_s = float(series.time_s[start])
    to_s = min(float(series.time_s[stop - 1]) + scenario.interval_s, scenario.duration_s)
    latencies = course_of(series, objective.percentile)[start:stop]
    known = latencies[np.isfinite(latencies)]
    unanswered = float(unanswered_of(series)[start:stop].sum())
    ended = float(series.answered[start:stop].sum()) + unanswered
    return Violation(
        from_s=from_s,
        to_s=to_s,
        latency_s_worst=float(known.max()) if known.size else float("nan"),
        error_ratio=unanswered / ended if ended else 0.0,
        requests=round(float(series.slo_misses[start:stop].sum())),
        unanswered=round(unanswered),
        causes=causes_between(result, evidence, from_s, to_s),
    )


def _headline(
    objective: Objective | None,
    held: bool | None,
    latency_s: float,
    error_ratio: float,
    violations: tuple[Violation, ...],
) -> str:
    if objective is None:
        facts = f"p99 {show_latency(latency_s)}, {show_ratio(error_ratio)} not answered"
        return f"No objective was given: {facts}"
    name = f"p{show_number(objective.percentile)}"
    facts = (
        f"{name} {show_latency(latency_s)} against {show_latency(objective.latency_s)}, "
        f"{show_ratio(error_ratio)} not answered against {show_ratio(objective.error_ratio_max)}"
    )
    violated_s = sum(violation.length_s for violation in violations)
    spans = f"{show_span(violated_s)} in {counted(len(violations), 'span')}"
    if not held:
        return f"The objective was missed: {facts}; missed for {spans}"
    if violations:
        return f"The objective held over the run, but not at all times: {facts}; missed for {spans}"
    return f"The objective held at all times: {facts}"
