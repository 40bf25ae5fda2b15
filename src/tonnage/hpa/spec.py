"""What a HorizontalPodAutoscaler asks for, as values: after the API server's defaulting, before any decision.

``objects.hpa_from_object`` reads these from Kubernetes' JSON; tests and simulations may also build them
directly. Metric values are whole thousandths of the metric's unit ("milli"), because that is the only
form in which the controller ever looks at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["Resource", "ContainerResource", "Pods", "Object", "External"]
TargetType = Literal["Utilization", "Value", "AverageValue"]
PolicyType = Literal["Pods", "Percent"]
SelectPolicy = Literal["Max", "Min", "Disabled"]


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """An object named by kind: what is scaled, or what an Object metric describes.

    Attributes:
        kind: Such as ``Deployment``.
        name: The object's name, in the autoscaler's namespace.
        api_version: Such as ``apps/v1``; may be empty.
    """

    kind: str
    name: str
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class LabelRequirement:
    """One ``matchExpressions`` entry of a metric's selector.

    Attributes:
        key: Label key.
        operator: In, NotIn, Exists or DoesNotExist.
        values: The values to compare with, in the order written.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricSelector:
    """The ``selector`` of a metric: which series of that name are meant.

    Attributes:
        match_labels: Pairs of key and value, ordered by key.
        match_expressions: Further requirements, in the order written.
    """

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[LabelRequirement, ...] = ()


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """Which metric is asked for; equal queries get equal answers, so it is the key of a snapshot.

    Attributes:
        type: Which of the five sources.
        name: The resource's name (``cpu``, ``memory``) or the metric's.
        container: ContainerResource only: the container's name.
        described: Object only: the object that the metric describes.
        selector: Pods, Object and External only; None where the document has none.
    """

    type: MetricType
    name: str
    container: str = ""
    described: ObjectReference | None = None
    selector: MetricSelector | None = None


@dataclass(frozen=True, slots=True)
class MetricTarget:
    """What the metric should be.

    A valid document sets one value, and upstream looks at the values, not at the type (except for Object
    metrics), so both are kept.

    Attributes:
        type: The type that the document names.
        value_milli: Target of the whole [milli-units, > 0].
        average_value_milli: Target per pod [milli-units, > 0].
        average_utilization_percent: Target share of the pods' requests [%, > 0].
    """

    type: TargetType
    value_milli: int | None = None
    average_value_milli: int | None = None
    average_utilization_percent: int | None = None


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One entry of ``spec.metrics``."""

    query: MetricQuery
    target: MetricTarget


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """How much may change in how long.

    Attributes:
        type: Whether ``value`` counts pods or is a percentage of the pods at the period's start.
        value: The change [pods or %, > 0].
        period_s: The period [s, 1 to 1800].
    """

    type: PolicyType
    value: int
    period_s: int


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """``behavior.scaleUp`` or ``behavior.scaleDown`` after defaulting.

    Attributes:
        policies: At least one.
        select_policy: Which policy counts: the largest change, the smallest, or no change at all.
        stabilization_window_s: How far back recommendations are looked at [s, 0 to 3600]; None, for
            scaling down only, takes the controller's own window.
        tolerance: Relative distance from the target that is no reason to act; None takes the controller's.

    Raises:
        ValueError: There is no policy.
    """

    policies: tuple[ScalingPolicy, ...]
    select_policy: SelectPolicy = "Max"
    stabilization_window_s: int | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if not self.policies:
            raise ValueError("policies: must have at least one policy")


@dataclass(frozen=True, slots=True)
class Behavior:
    """``spec.behavior`` after defaulting. Its mere presence, even as ``{}``, changes how counts are limited.

    Source: pkg/apis/autoscaling/v2/defaults.go, GenerateHPAScaleUpRules and GenerateHPAScaleDownRules.
    """

    scale_up: ScalingRules = ScalingRules(
        policies=(ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15)), stabilization_window_s=0
    )
    scale_down: ScalingRules = ScalingRules(policies=(ScalingPolicy("Percent", 100, 15),))


DEFAULT_METRICS = (
    MetricSpec(MetricQuery("Resource", "cpu"), MetricTarget("Utilization", average_utilization_percent=80)),
)
"""What an autoscaler without metrics gets. Source: pkg/apis/autoscaling/v2/defaults.go."""


@dataclass(frozen=True, slots=True)
class Hpa:
    """A HorizontalPodAutoscaler's spec after defaulting.

    Attributes:
        target: What is scaled.
        replicas_max: Upper bound [pods, >= 1].
        replicas_min: Lower bound [pods, >= 0, <= replicas_max].
        metrics: At least one.
        behavior: None where the document has none, which is not the same as an empty one.
        name: The autoscaler's own name.
        namespace: Where it, its target and its pods live.

    Raises:
        ValueError: The bounds are out of order, or there is no metric.
    """

    target: ObjectReference
    replicas_max: int
    replicas_min: int = 1
    metrics: tuple[MetricSpec, ...] = DEFAULT_METRICS
    behavior: Behavior | None = None
    name: str = "hpa"
    namespace: str = "default"

    def __post_init__(self) -> None:
        if not 0 <= self.replicas_min <= self.replicas_max or self.replicas_max < 1:
            bounds = f"{self.replicas_min} to {self.replicas_max}"
            raise ValueError(f"replicas: must be 0 <= min <= max and max >= 1, got {bounds}")
        if not self.metrics:
            raise ValueError("metrics: must have at least one metric")

    @property
    def can_reach_zero(self) -> bool:
        """Whether it has an Object or External metric, without which nothing can leave zero.

        Source: pkg/controller/podautoscaler/horizontal.go, hasObjectOrExternalMetrics.
        """
        return any(metric.query.type in ("Object", "External") for metric in self.metrics)
