"""What outlives one decision: the controller's memory, and the autoscaler's status.

Both are in one immutable value that ``reconcile`` takes and returns. They end differently: a restarted
controller has lost its memory and reads the status back from the API server (``restarted``); an autoscaler
that is deleted and created again starts from ``ControllerState()``.

Kinds of time: the memory holds whole nanoseconds, because recommendations and events are compared with
the edges of windows; see ``nanoseconds``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tonnage.units import NANOSECONDS_PER_SECOND

ConditionType = Literal["AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"]


def nanoseconds(time_s: float) -> int:
    """Rounds a time or duration [s] to whole nanoseconds.

    Floats that differ by a sum's rounding error become the same instant, so that 300.1 s minus 300 s is
    exactly the 100 ms that Go's integer clock says; exact up to 104 days for times that are whole
    nanoseconds.
    """
    return round(time_s * NANOSECONDS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """The flags of kube-controller-manager that decide.

    Source: pkg/controller/podautoscaler/config/v1alpha1/defaults.go.

    Attributes:
        sync_period_s: From the end of one reconciliation of an autoscaler to the next [s].
        downscale_stabilization_s: Window for scaling down where the autoscaler names none [s].
        cpu_initialization_period_s: How long after a pod's start its CPU samples are suspect [s].
        initial_readiness_delay_s: How long after a pod's start a change of readiness is its first [s].
        tolerance: Relative distance from the target that is no reason to act.
    """

    sync_period_s: float = 15.0
    downscale_stabilization_s: float = 300.0
    cpu_initialization_period_s: float = 300.0
    initial_readiness_delay_s: float = 30.0
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A count that the metrics asked for, before stabilization.

    Attributes:
        replicas: The count.
        at_ns: When [ns].
    """

    replicas: int
    at_ns: int


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A change that was made.

    Attributes:
        change: Pods added or removed, >= 0.
        at_ns: When [ns].
        outdated: Whether upstream has marked it for reuse. NB: the mark stays when a longer period would
            make the event count again, and marked or not, an event counts by its time alone.
    """

    change: int
    at_ns: int
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in the autoscaler's status.

    Attributes:
        type: What it is about.
        is_true: Its status.
        reason: One word, as upstream.
        message: One sentence, as upstream.
        since_s: When ``is_true`` last changed [s].
    """

    type: ConditionType
    is_true: bool
    reason: str
    message: str
    since_s: float


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """One entry of ``status.currentMetrics``; its values are None while the metric is invalid.

    Attributes:
        value_milli: Current value of the whole [milli-units].
        average_value_milli: Current value per pod [milli-units].
        average_utilization_percent: Current share of the requests [%].
    """

    value_milli: int | None = None
    average_value_milli: int | None = None
    average_utilization_percent: int | None = None

    @property
    def is_valid(self) -> bool:
        """Whether the metric gave a count."""
        return self.value_milli is not None or self.average_value_milli is not None


@dataclass(frozen=True, slots=True)
class HpaStatus:
    """The autoscaler's status, as the API server keeps it.

    Attributes:
        current_replicas: Of the target at the last reconciliation.
        desired_replicas: As last decided.
        last_scale_time_s: When the target was last changed by the autoscaler [s].
        conditions: In the order in which they first appeared.
        metrics: One per metric of the spec; empty where none was computed.
    """

    current_replicas: int = 0
    desired_replicas: int = 0
    last_scale_time_s: float | None = None
    conditions: tuple[Condition, ...] = ()
    metrics: tuple[MetricStatus, ...] = ()

    def condition(self, type_: ConditionType) -> Condition | None:
        """Returns the condition of a type, if it is there."""
        return next((found for found in self.conditions if found.type == type_), None)


@dataclass(frozen=True, slots=True)
class ControllerState:
    """All that one autoscaler's next reconciliation depends on besides its inputs.

    Attributes:
        recommendations: In slots, as upstream: an outdated one is overwritten in place. None before the
            first reconciliation.
        scale_up_events: Changes upwards, in slots.
        scale_down_events: Changes downwards, in slots.
        status: What the API server keeps.
    """

    recommendations: tuple[Recommendation, ...] | None = None
    scale_up_events: tuple[ScaleEvent, ...] = ()
    scale_down_events: tuple[ScaleEvent, ...] = ()
    status: HpaStatus = field(default_factory=HpaStatus)

    def restarted(self) -> ControllerState:
        """Returns what a controller that was just restarted knows: the status, and nothing else.

        Source: pkg/controller/podautoscaler/horizontal.go, NewHorizontalController: all memory is in maps.
        """
        return replace(self, recommendations=None, scale_up_events=(), scale_down_events=())


NO_STATE: Final = ControllerState()
"""Before the first reconciliation of a new autoscaler."""
