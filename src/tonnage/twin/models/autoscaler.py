"""The HPA controller's loop: when it looks, and how its decision reads as a record.

The decision itself is ``tonnage.hpa.reconcile``, which is compared with upstream's code; here is only what
surrounds it.

Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/horizontal.go (NewHorizontalController,
    processNextWorkItem), rate_limiters.go (FixedItemIntervalRateLimiter).

Deviations:
    * Five workers and the time that a look takes are left out: a look is instantaneous, and looks come
      exactly every sync period.
"""

from __future__ import annotations

import math
from typing import Final

from tonnage.hpa import Hpa, MetricStatus, MetricTarget, Reconciliation
from tonnage.twin.records import MetricSeen, ScalingDecision

_MILLI: Final = 1000.0


def next_look(phase_s: float, period_s: float, after_s: float) -> float:
    """The first look strictly after a time [s]."""
    if after_s < phase_s:
        return phase_s
    return phase_s + (math.floor((after_s - phase_s) / period_s + 1e-9) + 1) * period_s


def record_of(at_s: float, hpa: Hpa, replicas: int, found: Reconciliation) -> ScalingDecision:
    """A reconciliation as a record.

    Args:
        at_s: When [s].
        hpa: The autoscaler.
        replicas: The Deployment's replicas before.
        found: What was decided.
    """
    metrics = tuple(
        _seen(spec.query.name, spec.target, found.metrics[position] if found.metrics else None)
        for position, spec in enumerate(hpa.metrics)
    )
    conditions = tuple(
        (condition.type, "True" if condition.is_true else "False", condition.reason, condition.message)
        for condition in found.conditions
    )
    trace = tuple(f"{step.rule}: {step.text}" for step in found.trace)
    reason = found.reason or found.error or (trace[-1] if trace else "")
    return ScalingDecision(
        at_s, hpa.name, replicas, found.desired_replicas, found.rescale, reason, metrics, conditions, trace
    )


def _seen(name: str, target: MetricTarget, status: MetricStatus | None) -> MetricSeen:
    """What was seen of one metric, in its unit, or in percent for a utilisation."""
    percent = target.average_utilization_percent
    if percent is not None:
        seen = status.average_utilization_percent if status else None
        return _metric(name, None if seen is None else float(seen), float(percent))
    if target.average_value_milli is not None:
        seen = status.average_value_milli if status else None
        return _metric(name, None if seen is None else seen / _MILLI, target.average_value_milli / _MILLI)
    seen = status.value_milli if status else None
    return _metric(name, None if seen is None else seen / _MILLI, (target.value_milli or 0) / _MILLI)


def _metric(name: str, current: float | None, target: float) -> MetricSeen:
    return MetricSeen(name, current, target, None, None if current is not None else "no value")
