"""What a run recorded, sorted so that a span of it can be explained, and what a cause is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import numpy as np

from tonnage.twin.lives import Life, pod_lives
from tonnage.twin.records import NodeRecord, PipelineRecord, Record, RolloutRecord, ScalingDecision
from tonnage.twin.result import FloatArray, Result, Series
from tonnage.twin.wording import show_number

CauseKind = Literal[
    "node", "interruption", "crash", "outage", "rollout", "load", "scaled_down", "pending", "loading",
    "autoscaler", "refusals", "capacity", "unloaded", "unready", "terminating",
]  # fmt: skip

BEFORE_S: Final = 60.0
"""How long before a span its causes are looked for [s]."""
_Timed = TypeVar("_Timed", bound=Record)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason, as a sentence about what was recorded.

    Attributes:
        kind: Of what sort it is.
        text: The sentence, without a full stop.
        at_s: When it began [s]; None when it was so all the time.
    """

    kind: CauseKind
    text: str
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Records of a run, sorted by who they are about, so that many spans can be explained quickly.

    Attributes:
        pods: Lives of the pods.
        decisions: What the autoscaler decided.
        nodes: What happened to nodes.
        rollouts: Steps of rollouts.
        pipelines: What happened to metrics and controllers.
    """

    pods: tuple[Life, ...]
    decisions: tuple[ScalingDecision, ...]
    nodes: tuple[NodeRecord, ...]
    rollouts: tuple[RolloutRecord, ...]
    pipelines: tuple[PipelineRecord, ...]

    @classmethod
    def of(cls, result: Result) -> Evidence:
        """Sort a run's records."""
        records = result.records
        return cls(
            pod_lives(records, duration_s=result.scenario.duration_s),
            tuple(one for one in records if isinstance(one, ScalingDecision)),
            tuple(one for one in records if isinstance(one, NodeRecord)),
            tuple(one for one in records if isinstance(one, RolloutRecord)),
            tuple(one for one in records if isinstance(one, PipelineRecord)),
        )


@dataclass(frozen=True, slots=True)
class Span:
    """What every finder of causes is given."""

    result: Result
    evidence: Evidence
    from_s: float
    to_s: float

    @property
    def since_s(self) -> float:
        """From when on a fact can be a cause [s]."""
        return max(0.0, self.from_s - BEFORE_S)


def between(records: Sequence[_Timed], from_s: float, to_s: float) -> Sequence[_Timed]:
    """Records from one time to another, both included."""
    first = bisect_left(records, from_s, key=lambda record: record.at_s)
    return records[first : bisect_right(records, to_s, key=lambda record: record.at_s)]


def is_slow(span: Span) -> bool:
    """Whether requests were slow or refused, as with too few replicas, and not only lost with a pod."""
    series = span.result.series
    missed = float(inside(span, series.slo_misses).sum())
    return missed > float(inside(span, series.failed).sum())


def course_of(series: Series, percentile: float) -> FloatArray:
    """The series of latencies that stands for a percentile: the nearest that is not below it [s]."""
    if percentile <= 50:
        return series.p50_s
    return series.p95_s if percentile <= 95 else series.p99_s


def within(series: Series, values: FloatArray, from_s: float, to_s: float) -> FloatArray:
    """The part of a series from one time to another."""
    first, last = np.searchsorted(series.time_s, (from_s, to_s)).tolist()
    return values[first:last]


def inside(span: Span, values: FloatArray) -> FloatArray:
    """The part of a series that is in a span."""
    return within(span.result.series, values, span.from_s, span.to_s)


def level(span: Span, values: FloatArray) -> str:
    """The highest value in a span, for people."""
    part = inside(span, values)
    return show_number(float(part.max())) if part.size else "none"
