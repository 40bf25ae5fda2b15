"""Kubernetes 1.37's HorizontalPodAutoscaler as pure functions: which count it decides on, and why.

``reconcile`` is one pass of the controller; ``hpa_from_object`` reads the autoscaler from Kubernetes' JSON.
Both are compared with upstream's own Go code in ``tests/differential/hpa``. The rules, by the numbers that
the trace of a decision gives:

E1   The controller reconciles every sync period, and at once when the spec was edited.
E2   Its flags have upstream's defaults (``ControllerConfig``).
E3   The count that is found the first time is kept as a recommendation.
E4   At zero, above max and below min nothing is computed.
E5   A missing, malformed or ambiguous selector stops everything.
E6   Of several metrics the largest valid count wins; failed ones may hinder scaling down only.
E7   Usage is made a whole number before it is compared with the target.
E8   Pods are ready, unready, missing or ignored; for CPU their start-up is looked at.
E9   For all other metrics per pod readiness is not looked at.
E10  Samples of ignored and unready pods are left out; samples of names that are no pods are not.
E11  Without unready or missing pods in the way: ratio times counted pods, rounded up.
E12  Missing and unready pods are put in with the value that damps the change.
E13  Then the ratio is made again; a turned direction means no change.
E14  Within the tolerance, both ends included, nothing changes.
E15  Object and External values: times ready pods, or shared by existing pods.
E16  A pod that does not request the resource fails a utilization.
E17  Without ``behavior``: the highest recent recommendation, at most double or 4, min, max.
E18  With ``behavior``: recommendations held both ways, policies, then max rising and min falling.
E19  Recommendations and events live in slots of the controller's memory, which a restart clears.
E20  A custom metric's sample is never too old; one without a window has a minute.
E21  An autoscaler with an Object or External metric may go to zero and come back by itself.
E22  Not in this release: pods by owner, fallbacks of external metrics.
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
