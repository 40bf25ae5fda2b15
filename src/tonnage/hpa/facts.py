"""What the autoscaler is told at one moment: pods, and the metrics API's answers.

Times are in seconds on whatever clock the caller has, wall or simulated, as floats; they are rounded to
whole nanoseconds where they are compared, so that "exactly on the edge of a window" means the same as it
does to Go. The API server keeps whole seconds of a pod's start and transition times: who models a real
cluster passes them truncated, as the controller sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tonnage.hpa.spec import MetricQuery

Phase = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
ReadyStatus = Literal["True", "False", "Unknown"]
ContainerRole = Literal["container", "sidecar", "init"]

WINDOW_S_DEFAULT: Final = 60.0
"""The window of a custom metric that states none [s].

Source: pkg/controller/podautoscaler/metrics/client.go, metricServerDefaultMetricWindow.
"""


@dataclass(frozen=True, slots=True)
class ContainerFact:
    """A container's requests.

    Attributes:
        name: The container's name.
        requests_milli: Requests by resource [millicores, milli-bytes, ...]; a resource that is not there
            is not requested, which is not the same as a request of 0.
        role: ``container``; ``sidecar`` for an init container with ``restartPolicy: Always``; ``init`` for
            any other init container, which counts only where pod-level requests are set.
    """

    name: str
    requests_milli: Mapping[str, int] = field(default_factory=dict)
    role: ContainerRole = "container"


@dataclass(frozen=True, slots=True)
class ReadyCondition:
    """A pod's ``Ready`` condition.

    Attributes:
        status: Whether it is ready.
        since_s: When the status last changed [s].
    """

    status: ReadyStatus
    since_s: float


@dataclass(frozen=True, slots=True)
class PodFact:
    """What the autoscaler looks at in a pod.

    Attributes:
        name: Unique among the pods given.
        phase: ``status.phase``.
        deleted: Whether it has a deletion timestamp.
        start_time_s: ``status.startTime`` [s]; None before the kubelet has seen it.
        ready: The Ready condition; None when the pod has none.
        containers: In the document's order; sidecars and init containers in theirs.
        pod_requests_milli: ``spec.resources.requests`` of the pod itself; None when absent.
        overhead_milli: ``spec.overhead``; counts only together with pod-level requests.
        labels: Needed only where selectors are given to ``reconcile``.
    """

    name: str
    phase: Phase = "Running"
    deleted: bool = False
    start_time_s: float | None = None
    ready: ReadyCondition | None = None
    containers: tuple[ContainerFact, ...] = ()
    pod_requests_milli: Mapping[str, int] | None = None
    overhead_milli: Mapping[str, int] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sample:
    """One pod's value.

    Attributes:
        value_milli: The value, rounded up to whole thousandths as ``Quantity.milli_value`` does.
        timestamp_s: When it was measured [s].
        window_s: Over how long [s].
    """

    value_milli: int
    timestamp_s: float = 0.0
    window_s: float = WINDOW_S_DEFAULT


@dataclass(frozen=True, slots=True)
class PodSamples:
    """The answer to a Resource, ContainerResource or Pods query.

    Attributes:
        samples: By pod name. A pod without a value is simply absent; a name that is no pod of the target
            is kept and counted, as upstream does. Never empty in a cluster, where the client turns an
            empty list into an error: see ``nothing_returned``.
        timestamp_s: Of the first item of the answer [s]; only reported.
    """

    samples: Mapping[str, Sample]
    timestamp_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ObjectValue:
    """The answer to an Object query.

    Attributes:
        value_milli: The object's value.
        timestamp_s: When it was measured [s]; only reported.
    """

    value_milli: int
    timestamp_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ExternalValues:
    """The answer to an External query: the values of all series that match; they are summed.

    Attributes:
        values_milli: One per series.
        timestamp_s: Of the first series [s]; only reported.
    """

    values_milli: tuple[int, ...]
    timestamp_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MetricError:
    """The metrics API did not answer; the message appears in conditions and events."""

    message: str


Answer = PodSamples | ObjectValue | ExternalValues | MetricError


def nothing_returned(query: MetricQuery) -> MetricError:
    """Returns what the metrics client says when an API answers with no items at all.

    Source: metrics/client.go, GetResourceMetric, GetRawMetric, GetExternalMetric; for an object, which has
    no list, the error of a custom metrics API without the metric.
    """
    if query.type in ("Resource", "ContainerResource"):
        return MetricError("no metrics returned from resource metrics API")
    if query.type == "Pods":
        return MetricError("no metrics returned from custom metrics API")
    if query.type == "External":
        return MetricError("no metrics returned from external metrics API")
    return MetricError(
        "unable to fetch metrics from custom metrics API: "
        f"the server could not find the metric {query.name} for the object"
    )


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """Everything the metrics APIs answer at one moment.

    Attributes:
        answers: By query. A query that is not here is one that nothing serves: ``nothing_returned``.
    """

    answers: Mapping[MetricQuery, Answer]

    def answer_to(self, query: MetricQuery) -> Answer:
        """Returns the answer to one query."""
        return self.answers.get(query) or nothing_returned(query)
