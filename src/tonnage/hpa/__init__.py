"""Kubernetes 1.37's HorizontalPodAutoscaler as pure functions: which count it decides on, and why.

``reconcile`` is one pass of the controller; ``hpa_from_object`` reads the autoscaler from Kubernetes' JSON.
Everything is compared with upstream's own Go code in ``tests/differential/hpa``.
"""

from __future__ import annotations

from tonnage.hpa.facts import (
    Answer,
    ContainerFact,
    ExternalValues,
    MetricError,
    MetricsSnapshot,
    ObjectValue,
    PodFact,
    PodSamples,
    ReadyCondition,
    Sample,
    nothing_returned,
)
from tonnage.hpa.objects import hpa_from_object
from tonnage.hpa.outcome import NO_FAULTS, ApiFaults, HpaEvent, Reconciliation, Step
from tonnage.hpa.reconcile import reconcile
from tonnage.hpa.spec import (
    Behavior,
    Hpa,
    LabelRequirement,
    MetricQuery,
    MetricSelector,
    MetricSpec,
    MetricTarget,
    ObjectReference,
    ScalingPolicy,
    ScalingRules,
)
from tonnage.hpa.state import (
    NO_STATE,
    Condition,
    ControllerConfig,
    ControllerState,
    HpaStatus,
    MetricStatus,
    Recommendation,
    ScaleEvent,
)

__all__ = [
    "NO_FAULTS",
    "NO_STATE",
    "Answer",
    "ApiFaults",
    "Behavior",
    "Condition",
    "ContainerFact",
    "ControllerConfig",
    "ControllerState",
    "ExternalValues",
    "Hpa",
    "HpaEvent",
    "HpaStatus",
    "LabelRequirement",
    "MetricError",
    "MetricQuery",
    "MetricSelector",
    "MetricSpec",
    "MetricStatus",
    "MetricTarget",
    "MetricsSnapshot",
    "ObjectReference",
    "ObjectValue",
    "PodFact",
    "PodSamples",
    "ReadyCondition",
    "Recommendation",
    "Reconciliation",
    "Sample",
    "ScaleEvent",
    "ScalingPolicy",
    "ScalingRules",
    "Step",
    "hpa_from_object",
    "nothing_returned",
    "reconcile",
]
