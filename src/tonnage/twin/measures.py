"""What an assertion can be about: the named measures of a run, each with its unit and its own place in time.

A measure is one number of a whole run. Most are also told interval by interval, so that a limit that is
broken can be answered by the moment at which it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from tonnage.twin.lives import pod_lives
from tonnage.twin.records import PodRecord, RolloutRecord, ScalingDecision
from tonnage.twin.result import FloatArray, Result
from tonnage.twin.verdict import Verdict, percentile_of, unanswered_of
from tonnage.twin.wording import show_latency, show_number, show_ratio, show_span

MeasureKind = Literal["latency", "span", "ratio", "count", "rate", "money"]
"""How a limit is written and a value shown."""
Family = Literal["service", "size", "spending", "autoscaler", "pods"]
"""What explains a broken limit: what hurt requests, who asked for so much, what it went to, or records."""

_Value = Callable[[Result, Verdict], float]
_Course = Callable[[Result], FloatArray]

_SHOWN: Final[Mapping[MeasureKind, Callable[[float], str]]] = {
    "latency": show_latency,
    "span": show_span,
    "ratio": show_ratio,
    "count": show_number,
    "rate": lambda value: f"{show_number(value)}/s",
    "money": lambda value: f"{value:,.2f}",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One number about a run.

    Attributes:
        name: As assertions write it.
        kind: How its limits are written.
        meaning: In words.
        family: What explains it.
        value: Reads it from a run; nan when it does not exist.
        course: Reads it in each interval, in the same unit; None when it has no place in time.
        adds_up: Whether the course only grows: a sum since the start.
    """

    name: str
    kind: MeasureKind
    meaning: str
    family: Family
    value: _Value
    course: _Course | None = None
    adds_up: bool = False

    def shown(self, value: float) -> str:
        """Write a value for people."""
        return _SHOWN[self.kind](value)


def _latency(name: str, percentile: float, course: _Course | None) -> Measure:
    meaning = f"latency below which {percentile:g}% of all answers lie"
    return Measure(
        name, "latency", meaning, "service", lambda result, _: percentile_of(result, percentile), course
    )


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    shares: FloatArray = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return shares


def _errors(result: Result) -> FloatArray:
    unanswered = unanswered_of(result.series)
    return _share(unanswered, unanswered + result.series.answered)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def _service_measures() -> tuple[Measure, ...]:
    return (
        _latency("p50", 50, lambda result: result.series.p50_s),
        _latency("p90", 90, None),
        _latency("p95", 95, lambda result: result.series.p95_s),
        _latency("p99", 99, lambda result: result.series.p99_s),
        # Where p99 is beyond a limit, so is p99.9.
        _latency("p99.9", 99.9, lambda result: result.series.p99_s),
        Measure(
            "drops", "count", "requests that were not answered", "service",
            lambda result, _: result.totals.drops, lambda result: np.cumsum(unanswered_of(result.series)),
            adds_up=True,
        ),
        Measure(
            "errors", "ratio", "share of requests that were not answered", "service",
            lambda result, verdict: verdict.error_ratio if result.totals.offered else 0.0, _errors,
        ),
        Measure(
            "slo.misses", "ratio", "share of requests that were slower than the objective or not answered",
            "service", lambda result, _: result.totals.slo_miss_ratio,
            lambda result: _share(
                result.series.slo_misses, unanswered_of(result.series) + result.series.answered
            ),
        ),
        Measure(
            "violations.seconds", "span", "time in which the objective was missed", "service",
            lambda _, verdict: verdict.violated_s if verdict.objective else float("nan"),
        ),
        Measure(
            "violations.count", "count", "spans in which the objective was missed", "service",
            lambda _, verdict: len(verdict.violations) if verdict.objective else float("nan"),
        ),
        Measure(
            "retries", "count", "further attempts by clients", "service",
            lambda result, _: result.totals.retried, lambda result: np.cumsum(result.series.retried),
            adds_up=True,
        ),
        Measure(
            "answered", "count", "requests that were answered", "service",
            lambda result, _: result.totals.answered,
        ),
        Measure(
            "rate", "rate", "requests answered per second, over the whole run", "service",
            lambda result, _: _ratio(result.totals.answered, result.scenario.duration_s),
        ),
        Measure(
            "queue.max", "count", "requests that waited in servers at one time", "service",
            lambda result, _: _most(result.series.queue), lambda result: result.series.queue,
        ),
    )  # fmt: skip


def _most(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else float("nan")


def _least(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.min()) if known.size else float("nan")


def _size_measures() -> tuple[Measure, ...]:
    return (
        Measure(
            "replicas.max", "count", "replicas that were wanted at one time", "size",
            lambda result, _: _most(result.series.replicas_wanted),
            lambda result: result.series.replicas_wanted,
        ),
        Measure(
            "replicas.min", "count", "replicas that were wanted, at the least", "size",
            lambda result, _: _least(result.series.replicas_wanted),
            lambda result: result.series.replicas_wanted,
        ),
        Measure(
            "ready.max", "count", "replicas that were ready at one time", "size",
            lambda result, _: result.totals.replicas_peak, lambda result: result.series.replicas_ready,
        ),
        Measure(
            "ready.min", "count", "replicas that were ready, at the least", "pods",
            lambda result, _: _least(result.series.replicas_ready),
            lambda result: result.series.replicas_ready,
        ),
        Measure(
            "pending.max", "count", "pods that were without a node at one time", "pods",
            lambda result, _: _most(result.series.pods_pending), lambda result: result.series.pods_pending,
        ),
        Measure(
            "gpus.max", "count", "GPUs held at one time", "size",
            lambda result, _: result.totals.gpus_peak, lambda result: result.series.gpus_used,
        ),
        Measure(
            "gpu.hours", "count", "GPU hours paid for", "spending",
            lambda result, _: result.totals.gpu_hours,
            lambda result: np.cumsum(result.series.gpus_total) * result.scenario.interval_s / 3600,
            adds_up=True,
        ),
        Measure(
            "nodes.max", "count", "nodes paid for at one time", "spending",
            lambda result, _: result.totals.nodes_peak, lambda result: result.series.nodes,
        ),
        Measure(
            "cost", "money", "cost of the run, in the currency of the prices", "spending",
            lambda result, _: result.totals.cost, lambda result: result.series.cost, adds_up=True,
        ),
        Measure(
            "cost.hourly", "money", "cost of an hour, on average", "spending",
            lambda result, _: result.totals.cost / result.scenario.duration_s * 3600,
        ),
        Measure(
            "cost.million", "money", "cost of a million answers", "spending",
            lambda result, _: _ratio(result.totals.cost * 1e6, result.totals.answered),
        ),
    )  # fmt: skip


def _control_measures() -> tuple[Measure, ...]:
    return (
        Measure(
            "rescales", "count", "times that the HPA changed the replicas", "autoscaler",
            lambda result, _: result.totals.rescales,
            lambda result: _counted_up(result, [one.at_s for one in _rescales(result)]),
            adds_up=True,
        ),
        Measure(
            "reversals", "count", "times that the HPA changed its direction", "autoscaler",
            lambda result, _: len(_reversals(result)),
            lambda result: _counted_up(result, _reversals(result)),
            adds_up=True,
        ),
        Measure(
            "restarts", "count", "times that a container was started again", "pods",
            lambda result, _: result.totals.restarts,
            lambda result: _counted_up(result, _moments(result, "restarted")),
            adds_up=True,
        ),
        Measure(
            "oom.kills", "count", "containers that ran out of memory", "pods",
            lambda result, _: len(_moments(result, "oom_killed")),
            lambda result: _counted_up(result, _moments(result, "oom_killed")),
            adds_up=True,
        ),
        Measure(
            "pending.seconds", "span", "longest time that a pod was without a node", "pods",
            lambda result, _: _longest_pending_s(result),
        ),
        Measure(
            "rollout.seconds", "span", "longest rollout, from the edit to its completion", "pods",
            lambda result, _: _rollout_s(result),
        ),
    )  # fmt: skip


def _rescales(result: Result) -> list[ScalingDecision]:
    return [one for one in result.records if isinstance(one, ScalingDecision) and one.rescaled]


def _reversals(result: Result) -> list[float]:
    """When the replicas went the other way than at the change before."""
    changes = _rescales(result)
    ups = [one.desired > one.spec_replicas for one in changes]
    return [changes[i].at_s for i in range(1, len(changes)) if ups[i] != ups[i - 1]]


def _moments(result: Result, what: str) -> list[float]:
    return [one.at_s for one in result.records if isinstance(one, PodRecord) and one.what == what]


def _counted_up(result: Result, moments: list[float]) -> FloatArray:
    """How many of some moments had come by the end of each interval."""
    ends_s = result.series.time_s + result.scenario.interval_s
    return np.searchsorted(np.array(moments), ends_s, side="right").astype(np.float64)


def _longest_pending_s(result: Result) -> float:
    lives = pod_lives(result.records, duration_s=result.scenario.duration_s)
    waits = [one.length_s for life in lives for one in life.stretches if one.phase == "pending"]
    return max(waits, default=0.0)


def _rollout_s(result: Result) -> float:
    """The longest rollout [s]; infinite when one did not end, nan when there was none."""
    began: dict[int, float] = {}
    longest_s = float("nan")
    for one in result.records:
        if isinstance(one, RolloutRecord) and one.what == "began":
            began[one.revision] = one.at_s
        elif isinstance(one, RolloutRecord) and one.what == "complete" and one.revision in began:
            longest_s = float(np.fmax(longest_s, one.at_s - began.pop(one.revision)))
    return float("inf") if began else longest_s


MEASURES: Final[Mapping[str, Measure]] = {
    measure.name: measure
    for measure in (*_service_measures(), *_size_measures(), *_control_measures())
}
"""Every measure by its name, in the order in which they are listed."""
