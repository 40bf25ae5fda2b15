"""From one metric's samples to a replica count.

A ratio of usage to target is made, in whole numbers first and only then as a double; outside the tolerance
it is multiplied by the number of pods that it came from and rounded up. Pods without a sample and pods that
are not ready are then put in with the value that damps the change, and the ratio is made again.

Upstream sums samples in the random order of a Go map. That cannot matter: they are int64, whose sum
modulo 2**64 is the same in every order. External series are summed in the order of the answer, because
there overflow is caught on the way.

Source: pkg/controller/podautoscaler/replica_calculator.go (ReplicaCalculator, Tolerances) and
metrics/utilization.go (GetResourceUtilizationRatio, GetMetricUsageRatio).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tonnage.hpa.facts import PodFact, Sample
from tonnage.hpa.numbers import (
    INT32_MAX,
    INT64_MAX,
    ceiled,
    divided,
    quotient,
    truncated32,
    truncated64,
    wrapped32,
    wrapped64,
)
from tonnage.hpa.outcome import Step
from tonnage.hpa.pods import CannotCount, PodGroups, ready_pod_count
from tonnage.hpa.state import MetricStatus

_FLOAT_INT64_MAX: Final = float(INT64_MAX)


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Relative distances from the target that are no reason to act (rule E14).

    Attributes:
        down: Below the target.
        up: Above the target.
    """

    down: float
    up: float

    def allow(self, ratio: float) -> bool:
        """Whether the ratio is near enough to 1; both ends belong to it."""
        return (1.0 - self.down) <= ratio <= (1.0 + self.up)


@dataclass(frozen=True, slots=True)
class Count:
    """What one metric asks for.

    Attributes:
        replicas: The count, of any sign: what overflowed is negative.
        status: The metric's current value.
        steps: How it came about.
        timestamp_s: When the metric was measured, as far as upstream says [s].
    """

    replicas: int
    status: MetricStatus
    steps: tuple[Step, ...] = ()
    timestamp_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Ratio:
    """Usage over target, from whole numbers.

    Attributes:
        ratio: The double that decides.
        usage_milli: Mean per pod, cut to a whole number.
        utilization_percent: Of the requests, cut to a whole number; None for plain values.
    """

    ratio: float
    usage_milli: int
    utilization_percent: int | None = None

    @property
    def status(self) -> MetricStatus:
        return MetricStatus(
            average_value_milli=self.usage_milli, average_utilization_percent=self.utilization_percent
        )

    def __str__(self) -> str:
        usage = f"{self.usage_milli}m"
        if self.utilization_percent is not None:
            usage = f"{self.utilization_percent}% ({usage})"
        return f"{usage} per pod is {self.ratio:.6g} of the target"


@dataclass(frozen=True, slots=True)
class Utilization:
    """A target as a share of requests.

    Attributes:
        target_percent: The target [%, > 0].
        requests_milli: What each pod requests [milli-units].
    """

    target_percent: int
    requests_milli: Mapping[str, int]

    def ratio(self, values_milli: Mapping[str, int]) -> _Ratio:
        """Makes the ratio over the samples whose pod is known (rule E7).

        Raises:
            CannotCount: No sample belongs to a pod, or the pods request nothing.
        """
        known = [name for name in values_milli if name in self.requests_milli]
        usage_milli = wrapped64(sum(values_milli[name] for name in known))
        request_milli = wrapped64(sum(self.requests_milli[name] for name in known))
        if request_milli == 0:
            raise CannotCount("no metrics returned matched known pods")
        percent = wrapped32(divided(wrapped64(usage_milli * 100), request_milli))
        ratio = quotient(float(percent), float(self.target_percent))
        return _Ratio(ratio, divided(usage_milli, len(known)), percent)

    def value_at_target_milli(self, pod: str) -> int:
        """The value that a missing pod gets when scaling down (rule E12): all it requests, or the target."""
        return divided(wrapped64(self.requests_milli[pod] * max(100, self.target_percent)), 100)


@dataclass(frozen=True, slots=True)
class Plain:
    """A target as a value per pod.

    Attributes:
        target_milli: The target [milli-units, > 0].
    """

    target_milli: int

    def ratio(self, values_milli: Mapping[str, int]) -> _Ratio:
        """Makes the ratio over all samples, also those of names that are no pods (rules E7 and E10)."""
        usage_milli = divided(wrapped64(sum(values_milli.values())), len(values_milli))
        return _Ratio(quotient(float(usage_milli), float(self.target_milli)), usage_milli)

    def value_at_target_milli(self, pod: str) -> int:  # noqa: ARG002 - as Utilization's
        """The value that a missing pod gets when scaling down (rule E12): exactly the target."""
        return self.target_milli


def remaining_values_milli(samples: Mapping[str, Sample], groups: PodGroups) -> dict[str, int]:
    """Leaves out the samples of ignored and unready pods (rule E10).

    Raises:
        CannotCount: Nothing is left.
    """
    values_milli = {
        name: sample.value_milli
        for name, sample in samples.items()
        if name not in groups.ignored and name not in groups.unready
    }
    if not values_milli:
        raise CannotCount("did not receive metrics for targeted pods (pods might be unready)")
    return values_milli


def count_by_pods(
    values_milli: Mapping[str, int],
    groups: PodGroups,
    target: Utilization | Plain,
    *,
    spec_replicas: int,
    tolerances: Tolerances,
) -> Count:
    """Counts from samples per pod (rules E7 and E11 to E14).

    Args:
        values_milli: Samples that are left after ``remaining_values_milli``, at least one [milli-units].
        groups: The pods by what their sample is worth.
        target: What the samples should be.
        spec_replicas: What the target has now.
        tolerances: When not to act.

    Raises:
        CannotCount: No sample belongs to a pod that requests anything.
    """
    first = target.ratio(values_milli)
    steps = [Step("E7", str(first))]
    scales_up_with_unready = bool(groups.unready) and first.ratio > 1.0
    if not scales_up_with_unready and not groups.missing:
        if tolerances.allow(first.ratio):
            steps.append(Step("E14", f"{first.ratio:.6g} is within tolerance: stay at {spec_replicas}"))
            return Count(spec_replicas, first.status, tuple(steps))
        replicas = truncated32(ceiled(first.ratio * float(groups.ready_count)))
        steps.append(
            Step("E11", f"{first.ratio:.6g} times {groups.ready_count} counted pods asks for {replicas}")
        )
        return Count(replicas, first.status, tuple(steps))
    filled_milli = _filled_milli(values_milli, groups, target, first.ratio)
    second = target.ratio(filled_milli)
    filled_count = len(filled_milli) - len(values_milli)
    steps.append(
        Step("E12", f"with {filled_count} missing or unready pods put in, {second.ratio:.6g} of the target")
    )
    flipped = first.ratio < 1.0 < second.ratio or first.ratio > 1.0 > second.ratio
    if tolerances.allow(second.ratio) or flipped:
        why = "the direction flipped" if flipped else "it is within tolerance"
        steps.append(Step("E13", f"{why}: stay at {spec_replicas}"))
        return Count(spec_replicas, first.status, tuple(steps))
    replicas = truncated32(ceiled(second.ratio * float(len(filled_milli))))
    if (second.ratio < 1.0 and replicas > spec_replicas) or (second.ratio > 1.0 and replicas < spec_replicas):
        text = f"{len(filled_milli)} samples would ask for {replicas}, against the direction"
        steps.append(Step("E13", f"{text}: stay at {spec_replicas}"))
        return Count(spec_replicas, first.status, tuple(steps))
    steps.append(
        Step("E13", f"{second.ratio:.6g} times {len(filled_milli)} samples asks for {replicas}")
    )
    return Count(replicas, first.status, tuple(steps))


def _filled_milli(
    values_milli: Mapping[str, int], groups: PodGroups, target: Utilization | Plain, ratio: float
) -> dict[str, int]:
    """Puts in missing and unready pods with the value that damps the change (rule E12)."""
    filled_milli = dict(values_milli)
    if ratio < 1.0:
        filled_milli.update((pod, target.value_at_target_milli(pod)) for pod in groups.missing)
    elif ratio > 1.0:
        filled_milli.update(dict.fromkeys(groups.missing, 0))
        filled_milli.update(dict.fromkeys(groups.unready, 0))
    return filled_milli


def count_by_value(
    usage_milli: int,
    target_milli: int,
    *,
    spec_replicas: int,
    pods: Sequence[PodFact],
    tolerances: Tolerances,
) -> Count:
    """Counts from one value for all, an Object or External ``Value`` (rule E15).

    Args:
        usage_milli: The value; a sum for External.
        target_milli: What it should be [milli-units, > 0].
        spec_replicas: What the target has now; from 0 neither pods nor tolerance matter.
        pods: The target's pods.
        tolerances: When not to act.

    Raises:
        CannotCount: There are no pods, and a change is due.
    """
    ratio = quotient(float(usage_milli), float(target_milli))
    status = MetricStatus(value_milli=usage_milli)
    usage = f"{usage_milli}m is {ratio:.6g} of the target"
    if spec_replicas == 0:
        replicas = truncated32(ceiled(ratio))
        return Count(replicas, status, (Step("E15", f"{usage}: from zero, {replicas}"),))
    if tolerances.allow(ratio):
        return Count(
            spec_replicas, status, (Step("E14", f"{usage}, within tolerance: stay at {spec_replicas}"),)
        )
    try:
        ready_count = ready_pod_count(pods)
    except CannotCount as error:
        raise CannotCount(f"unable to calculate ready pods: {error}") from error
    exact = ratio * float(ready_count)
    replicas = INT32_MAX if exact > INT32_MAX else truncated32(ceiled(exact))
    return Count(replicas, status, (Step("E15", f"{usage}: times {ready_count} ready pods, {replicas}"),))


def count_by_average(
    usage_milli: int, target_milli: int, *, status_replicas: int, tolerances: Tolerances, is_external: bool
) -> Count:
    """Counts from one value to be shared by all, an Object or External ``AverageValue`` (rule E15).

    Args:
        usage_milli: The value; a sum for External.
        target_milli: What each pod's share should be [milli-units, > 0].
        status_replicas: Pods that exist, which is what upstream divides by.
        tolerances: When not to act.
        is_external: External counts are capped at the largest int32; Object ones overflow.
    """
    ratio = quotient(float(usage_milli), float(target_milli) * float(status_replicas))
    usage = f"{usage_milli}m over {status_replicas} pods is {ratio:.6g} of the target"
    replicas = status_replicas
    step = Step("E14", f"{usage}, within tolerance: stay at {status_replicas}")
    if not tolerances.allow(ratio):
        exact = ceiled(quotient(float(usage_milli), float(target_milli)))
        replicas = INT32_MAX if is_external and exact > float(INT32_MAX) else truncated32(exact)
        step = Step("E15", f"{usage}: the total asks for {replicas}")
    if is_external and float(usage_milli) >= _FLOAT_INT64_MAX:
        share_milli = INT64_MAX
    else:
        share_milli = truncated64(ceiled(quotient(float(usage_milli), float(status_replicas))))
    return Count(replicas, MetricStatus(average_value_milli=share_milli), (step,))


def external_total_milli(values_milli: Sequence[int]) -> int:
    """Sums the series of an External ``Value``; a sum above int64 is capped, one below wraps (rule E15)."""
    total_milli = 0
    for value_milli in values_milli:
        if value_milli > 0 and total_milli > INT64_MAX - value_milli:
            return INT64_MAX
        total_milli = wrapped64(total_milli + value_milli)
    return total_milli


def external_shared_total_milli(values_milli: Sequence[int]) -> int:
    """Sums the series of an External ``AverageValue`` (rule E15).

    NB: upstream takes every negative sum for an overflow, so a metric that is below zero asks for the most.
    """
    total_milli = 0
    for value_milli in values_milli:
        total_milli = wrapped64(total_milli + value_milli)
        if total_milli < 0:
            return INT64_MAX
    return total_milli
