"""The HorizontalPodAutoscaler, version 2."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from lightkube.models import autoscaling_v2 as v2

from tonnage.contract import metrics as names
from tonnage.errors import Problem
from tonnage.kube.quantity import Quantity
from tonnage.manifests.names import latency_metric, metadata
from tonnage.profile import ModelProfile
from tonnage.spec.scaling import (
    CpuMetric,
    LatencyMetric,
    LoadMetric,
    MemoryMetric,
    Metric,
    PodsMetric,
    Scaling,
    ScalingRule,
)
from tonnage.spec.service import ModelService
from tonnage.units import Duration

API_VERSION: Final = "autoscaling/v2"


def autoscaler_problems(service: ModelService, profile: ModelProfile | None) -> Iterator[Problem]:
    """Metrics whose target is not known."""
    for index, metric in enumerate(service.spec.scaling.metrics if service.spec.scaling else ()):
        if isinstance(metric, LoadMetric) and sustainable_in_flight(profile) is None:
            yield Problem(
                f"spec.scaling.metrics[{index}]",
                "must have a profile with a sustainable rate, which says how much load a replica carries",
                hint="measure one with tonnage profile",
            )


def autoscaler(
    service: ModelService, profile: ModelProfile | None
) -> v2.HorizontalPodAutoscaler | None:
    """The HPA of a service; None when nothing scales it.

    Args:
        service: The document.
        profile: What was measured; needed by a metric of type ``load``.
    """
    scaling = service.spec.scaling
    if scaling is None:
        return None
    return v2.HorizontalPodAutoscaler(
        apiVersion=API_VERSION,
        kind="HorizontalPodAutoscaler",
        metadata=metadata(service),
        spec=v2.HorizontalPodAutoscalerSpec(
            scaleTargetRef=v2.CrossVersionObjectReference(
                apiVersion="apps/v1", kind="Deployment", name=service.name
            ),
            minReplicas=scaling.min_replicas,
            maxReplicas=scaling.max_replicas,
            metrics=[_metric(metric, service, profile) for metric in scaling.metrics],
            behavior=_behavior(scaling),
        ),
    )


def _metric(metric: Metric, service: ModelService, profile: ModelProfile | None) -> v2.MetricSpec:
    match metric:
        case CpuMetric() | MemoryMetric():
            target = v2.MetricTarget(type="Utilization", averageUtilization=metric.utilization)
            return v2.MetricSpec(
                type="Resource", resource=v2.ResourceMetricSource(name=metric.type, target=target)
            )
        case LatencyMetric():
            objective: Duration | None = getattr(service.spec.objective.latency, metric.percentile)
            target_time = metric.target or objective
            assert target_time is not None, "a rule of the document"
            return _pods(latency_metric(metric.percentile), Quantity(target_time.nanoseconds))
        case LoadMetric():
            sustainable = sustainable_in_flight(profile)
            assert sustainable is not None, "autoscaler_problems"
            return _pods(names.IN_FLIGHT, _in_flight_target(sustainable, metric.utilization))
        case PodsMetric():
            return _pods(metric.name, metric.average_value)


def _pods(name: str, target: Quantity) -> v2.MetricSpec:
    return v2.MetricSpec(
        type="Pods",
        pods=v2.PodsMetricSource(
            metric=v2.MetricIdentifier(name=name),
            target=v2.MetricTarget(type="AverageValue", averageValue=str(target)),
        ),
    )


def sustainable_in_flight(profile: ModelProfile | None) -> float | None:
    """Requests in flight in one replica at its sustainable rate, on average; None when it is not known."""
    capacity = profile.capacity if profile is not None else None
    if capacity is None or capacity.in_flight is None or not capacity.sustainable_per_s:
        return None
    return capacity.in_flight.mean or None


def _in_flight_target(sustainable: float, utilization_percent: int) -> Quantity:
    """The share of the sustainable concurrency, in whole thousandths, as the HPA reads it."""
    exact = Fraction(Decimal(repr(sustainable))) * utilization_percent / 100
    return Quantity.of_milli(max(1, round(exact * 1000)))


def _behavior(scaling: Scaling) -> v2.HorizontalPodAutoscalerBehavior:
    return v2.HorizontalPodAutoscalerBehavior(
        scaleUp=_rules(scaling.behavior.scale_up), scaleDown=_rules(scaling.behavior.scale_down)
    )


def _rules(rule: ScalingRule) -> v2.HPAScalingRules:
    return v2.HPAScalingRules(
        stabilizationWindowSeconds=round(rule.stabilization_window.seconds),
        selectPolicy=rule.select_policy,
        policies=[
            v2.HPAScalingPolicy(type=one.type, value=one.value, periodSeconds=round(one.period.seconds))
            for one in rule.policies
        ],
        tolerance=str(rule.tolerance) if rule.tolerance is not None else None,
    )
