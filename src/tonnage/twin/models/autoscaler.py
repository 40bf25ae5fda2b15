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

from tonnage.hpa import Hpa, MetricSpec, MetricStatus, Reconciliation
from tonnage.hpa.calculator import Tolerances
from tonnage.hpa.metrics import Failure, Scene, count_metric
from tonnage.twin.records import MetricSeen, ScalingDecision

SAME_S: Final = 2e-9
"""Times no further apart than this are one instant [s]: the engine's are whole nanoseconds."""
_MILLI: Final = 1000.0


def next_look(phase_s: float, period_s: float, after_s: float) -> float:
    """The first look strictly after a time [s], where times that are a nanosecond apart are the same."""
    if after_s < phase_s - SAME_S:
        return phase_s
    return phase_s + (math.floor((after_s - phase_s + SAME_S) / period_s) + 1) * period_s


def tolerances(hpa: Hpa, tolerance: float) -> Tolerances:
    """The autoscaler's own tolerances, or the controller's where it names none."""
    down = up = None
    if hpa.behavior is not None:
        down, up = hpa.behavior.scale_down.tolerance, hpa.behavior.scale_up.tolerance
    return Tolerances(tolerance if down is None else down, tolerance if up is None else up)


def record_of(scene: Scene, found: Reconciliation) -> ScalingDecision:
    """A reconciliation as a record.

    Args:
        scene: What was decided upon.
        found: What was decided.
    """
    hpa = scene.hpa
    # without statuses the replicas were out of bounds, and no metric was computed
    metrics = tuple(_seen(spec, scene, computed=bool(found.metrics)) for spec in hpa.metrics)
    conditions = tuple(
        (condition.type, "True" if condition.is_true else "False", condition.reason, condition.message)
        for condition in found.conditions
    )
    trace = tuple(f"{step.rule}: {step.text}" for step in found.trace)
    reason = found.reason or found.error or (trace[-1] if trace else "")
    return ScalingDecision(
        scene.now_s,
        hpa.name,
        scene.spec_replicas,
        found.desired_replicas,
        found.rescale,
        reason,
        metrics,
        conditions,
        trace,
    )


def _seen(spec: MetricSpec, scene: Scene, *, computed: bool) -> MetricSeen:
    """What was seen of one metric, in its unit, or in percent for a utilisation."""
    name, target = spec.query.name, spec.target
    percent = target.average_utilization_percent
    milli = target.average_value_milli or target.value_milli or 0
    wanted = float(percent) if percent is not None else milli / _MILLI
    if not computed:
        return MetricSeen(name, None, wanted, None)
    counted = count_metric(spec, scene)
    if isinstance(counted, Failure):
        return MetricSeen(name, None, wanted, None, counted.message)
    return MetricSeen(name, _current(counted.status, spec), wanted, counted.replicas)


def _current(status: MetricStatus, spec: MetricSpec) -> float | None:
    """The value that is compared with the target."""
    if spec.target.average_utilization_percent is not None:
        seen = status.average_utilization_percent
        return None if seen is None else float(seen)
    averaged = spec.target.average_value_milli is not None
    return _unit(status.average_value_milli if averaged else status.value_milli)


def _unit(milli: int | None) -> float | None:
    return None if milli is None else milli / _MILLI
