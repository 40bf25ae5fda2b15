"""What one replica carries: its latency at a rate, and the highest rate inside an objective.

Two models of a replica answer the same question. Where a profile has service times by batch size, the
queue is solved (``queueing.py``). Where it has only measured latencies by rate, as imports do, these are
read off. Either way the rate is found by halving, with the same steps for every objective: whatever a
tight objective lets through, a looser one does too, so a looser one never gets less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tonnage.plan.objective import Target, holds
from tonnage.plan.queueing import UTILIZATION_MAX, estimate
from tonnage.plan.service_time import ServiceLaw
from tonnage.profile.parts import ModelProfile
from tonnage.profile.quantiles import interpolated

HALVINGS: Final = 11
"""Steps of the search for a rate: it is found to 1/2048 of the capacity."""
_IDLE_SHARE: Final = 1e-6
"""Share of the capacity at which a replica counts as unloaded."""


class ReplicaModel(Protocol):
    """A replica as planning sees it."""

    @property
    def capacity_per_s(self) -> float:
        """Rate beyond which nothing is known or nothing holds [1/s]."""

    def latencies_s(self, rate_per_s: float, percentiles: Sequence[float]) -> tuple[float, ...]:
        """Latency at each percentile [s], infinite where the queue would grow without end.

        Args:
            rate_per_s: Poisson arrivals at the replica [1/s, >= 0]; 0 for an unloaded one.
            percentiles: Each in (0, 100).
        """


@dataclass(frozen=True, slots=True)
class QueueModel:
    """A replica whose queue is solved from its service times.

    Attributes:
        law: Service times.
    """

    law: ServiceLaw

    @property
    def capacity_per_s(self) -> float:
        """Rate that full batches carry, to the utilization up to which a queue is stable [1/s]."""
        return self.law.capacity_per_s * UTILIZATION_MAX

    def latencies_s(self, rate_per_s: float, percentiles: Sequence[float]) -> tuple[float, ...]:
        """Latency at each percentile [s], from the queue."""
        if rate_per_s <= _IDLE_SHARE * self.law.capacity_per_s:
            return tuple(self.law.lone_s(percentile) for percentile in percentiles)
        found = estimate(self.law, rate_per_s)
        if found is None:
            return tuple(math.inf for _ in percentiles)
        return tuple(found.at(percentile) for percentile in percentiles)


@dataclass(frozen=True, slots=True)
class MeasuredPoint:
    """Latencies that were measured at one rate.

    Attributes:
        rate_per_s: Offered [1/s].
        quantiles_s: Percentile to latency [s], ascending.
    """

    rate_per_s: float
    quantiles_s: tuple[tuple[float, float], ...]

    def at(self, percentile: float) -> float:
        """Latency [s]; of a percentile beyond the highest that was kept nothing is known: infinite."""
        if percentile > self.quantiles_s[-1][0]:
            return math.inf
        return interpolated(dict(self.quantiles_s), percentile)


@dataclass(frozen=True, slots=True)
class CurveModel:
    """A replica whose latency was measured at some rates, and nothing else is known.

    Between two rates latency lies on a straight line, which is above the true, convex curve. What was
    measured lower at a higher rate counts as noise: latency never falls.

    Attributes:
        points: By ascending rate, at least one.
    """

    points: tuple[MeasuredPoint, ...]

    @property
    def capacity_per_s(self) -> float:
        """The highest rate that was measured [1/s]."""
        return self.points[-1].rate_per_s

    def latencies_s(self, rate_per_s: float, percentiles: Sequence[float]) -> tuple[float, ...]:
        """Latency at each percentile [s], from the curve."""
        if rate_per_s > self.capacity_per_s:
            return tuple(math.inf for _ in percentiles)
        return tuple(self._at(rate_per_s, percentile) for percentile in percentiles)

    def _at(self, rate_per_s: float, percentile: float) -> float:
        line: dict[float, float] = {}
        highest = 0.0
        for point in self.points:
            highest = max(highest, point.at(percentile))
            line[point.rate_per_s] = highest
        if math.isinf(highest):
            known = [rate for rate, value in line.items() if not math.isinf(value)]
            if not known or rate_per_s > max(known):
                return math.inf
            line = {rate: line[rate] for rate in known}
        return interpolated(line, rate_per_s)


def curve_model(profile: ModelProfile) -> CurveModel | None:
    """The model from a profile's curve; None where it has no usable point.

    Runs in which requests failed end it: their latencies are those of the lucky.
    """
    points: list[MeasuredPoint] = []
    for point in profile.curve:
        if point.error_ratio > 0 or not point.latency_s.quantiles:
            break
        kept = tuple((float(name[1:]), value) for name, value in point.latency_s.quantiles.items())
        if point.rate_per_s > 0 and (not points or point.rate_per_s > points[-1].rate_per_s):
            points.append(MeasuredPoint(point.rate_per_s, kept))
    return CurveModel(tuple(points)) if points else None


def sustainable_per_s(
    model: ReplicaModel, targets: Sequence[Target], *, bound_per_s: float = math.inf
) -> float:
    """The highest rate of one replica at which every target holds [1/s]; 0 where it holds at none.

    Args:
        model: The replica.
        targets: What must hold; without any, the capacity is the answer.
        bound_per_s: What was measured to be the most [1/s, >= 0].
    """
    capacity_per_s = model.capacity_per_s
    percentiles = [target.percentile for target in targets]

    def carries(rate_per_s: float) -> bool:
        latencies_s = model.latencies_s(rate_per_s, percentiles)
        return holds(targets, latencies_s)

    if not targets or carries(capacity_per_s):
        return min(capacity_per_s, bound_per_s)
    low, high = 0.0, capacity_per_s
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if carries(middle):
            low = middle
        else:
            high = middle
    return min(low, bound_per_s)


@dataclass(frozen=True, slots=True)
class MeasuredBound:
    """What the profile's own search says about an objective at least as strict as its own.

    Attributes:
        rate_per_s: The highest rate at which its objective held [1/s]; 0 where it held at none.
        percentile: Of its objective.
        latency_s: Of its objective [s].
    """

    rate_per_s: float
    percentile: float
    latency_s: float


def measured_bound(profile: ModelProfile, targets: Sequence[Target]) -> MeasuredBound | None:
    """The rate that measuring found, where it binds these targets; None where it says nothing.

    A server that could not hold p99 <= 20 ms beyond a rate cannot hold p99 <= 10 ms there. Of a looser
    objective the measurement says nothing, nor when the load generator gave up before the server.
    """
    capacity = profile.capacity
    if capacity is None or capacity.generator_limited:
        return None
    goal = capacity.objective
    strict = any(
        target.percentile >= goal.percentile and target.latency_s <= goal.latency_s for target in targets
    )
    if not strict:
        return None
    return MeasuredBound(capacity.sustainable_per_s or 0.0, goal.percentile, goal.latency_s)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The estimate beside one measured run.

    Attributes:
        rate_per_s: Of the run [1/s].
        percentile: Of the latency.
        measured_s: What was measured [s].
        estimated_s: What the model says [s]; infinite where it calls the queue unstable.
    """

    rate_per_s: float
    percentile: float
    measured_s: float
    estimated_s: float

    @property
    def ratio(self) -> float:
        """Estimate over measurement."""
        return self.estimated_s / self.measured_s if self.measured_s > 0 else math.inf


def comparisons(profile: ModelProfile, model: ReplicaModel, percentile: float) -> tuple[Comparison, ...]:
    """The estimate at every measured rate, for a reader to judge it by."""
    measured = curve_model(profile)
    if measured is None or isinstance(model, CurveModel):
        return ()
    return tuple(
        Comparison(
            point.rate_per_s,
            percentile,
            point.at(percentile),
            model.latencies_s(point.rate_per_s, [percentile])[0],
        )
        for point in measured.points
        if not math.isinf(point.at(percentile))
    )
