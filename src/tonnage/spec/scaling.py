"""``spec.scaling``: how far, on what and how fast the number of replicas follows the load."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.spec.scalars import (
    Part,
    Percentage,
    PolicyPeriod,
    PositiveDuration,
    PositiveQuantity,
    Ratio,
    StabilizationWindow,
    Text,
    Whole,
)
from tonnage.units import Duration, parse_duration


class CpuMetric(Part):
    """CPU used, as a share of the CPU requested."""

    type: Literal["cpu"]
    """`cpu`"""
    utilization: Annotated[Whole, Field(ge=1, le=1000)] = 70
    """Target [% of the request]."""


class MemoryMetric(Part):
    """Memory used, as a share of the memory requested."""

    type: Literal["memory"]
    """`memory`"""
    utilization: Annotated[Whole, Field(ge=1, le=1000)] = 80
    """Target [% of the request]."""


class LatencyMetric(Part):
    """Latency at a percentile, as the replicas measure it (`inference_latency_p99`, in seconds)."""

    type: Literal["latency"]
    """`latency`"""
    percentile: Literal["p50", "p95", "p99"] = "p99"
    """Which percentile."""
    target: PositiveDuration | None = None
    """Target; null takes the objective's latency at that percentile."""


class LoadMetric(Part):
    """Work in flight, as a share of the concurrency that one replica was measured to sustain."""

    type: Literal["load"]
    """`load`"""
    utilization: Percentage = 80
    """Target [% of the sustainable concurrency]."""


class PodsMetric(Part):
    """Any other metric that every replica has."""

    type: Literal["pods"]
    """`pods`"""
    name: Text
    """The metric's name in `custom.metrics.k8s.io`."""
    average_value: PositiveQuantity
    """Target for the mean over the replicas, such as `100m`."""


Metric = Annotated[
    CpuMetric | MemoryMetric | LatencyMetric | LoadMetric | PodsMetric, Field(discriminator="type")
]


class ScalingPolicy(Part):
    """How much may change in a period."""

    type: Literal["Percent", "Pods"]
    """Whether `value` is a percentage of the replicas or a number of them."""
    value: Annotated[Whole, Field(ge=1, le=2**31 - 1)]
    """How much may change [% or replicas]."""
    period: PolicyPeriod
    """In which time (1s to 30m)."""


class ScalingRule(Part):
    """How fast the number of replicas moves in one direction."""

    stabilization_window: StabilizationWindow = Duration(0)
    """How far back recommendations are looked at before moving (0s to 1h)."""
    select_policy: Literal["Max", "Min", "Disabled"] = "Max"
    """Which policy counts: the one that allows most, least, or none at all."""
    policies: Annotated[tuple[ScalingPolicy, ...], Field(min_length=1)] = ()
    """How much may change."""
    tolerance: Ratio | None = None
    """How far a metric may be off its target without any change, from 0 to 1; null takes the cluster's \
own (0.1)."""


class ScaleUp(ScalingRule):
    """How fast replicas are added."""

    stabilization_window: StabilizationWindow = parse_duration("30s")
    """How far back recommendations are looked at before adding (0s to 1h)."""
    policies: Annotated[tuple[ScalingPolicy, ...], Field(min_length=1)] = (
        ScalingPolicy(type="Percent", value=100, period=parse_duration("15s")),
    )
    """How much may be added."""


class ScaleDown(ScalingRule):
    """How fast replicas are taken away; slower than added, because warming up is dear."""

    stabilization_window: StabilizationWindow = parse_duration("300s")
    """How far back recommendations are looked at before taking away (0s to 1h)."""
    policies: Annotated[tuple[ScalingPolicy, ...], Field(min_length=1)] = (
        ScalingPolicy(type="Percent", value=10, period=parse_duration("60s")),
    )
    """How much may be taken away."""


class Behavior(Part):
    """How fast the number of replicas moves."""

    scale_up: ScaleUp = ScaleUp()
    """How fast replicas are added."""
    scale_down: ScaleDown = ScaleDown()
    """How fast replicas are taken away."""


class Scaling(Part):
    """A HorizontalPodAutoscaler for the service."""

    min_replicas: Annotated[Whole, Field(ge=1, le=100_000)] = 2
    """Replicas at least."""
    max_replicas: Annotated[Whole, Field(ge=1, le=100_000)] = 10
    """Replicas at most."""
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)] = (CpuMetric(type="cpu"),)
    """What the number follows; the metric that asks for most replicas wins."""
    behavior: Behavior = Behavior()
    """How fast the number of replicas moves."""
