"""What the command line, or a notebook, says beside the documents; it goes before what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tonnage.traffic import ArrivalProcess
from tonnage.twin.metrics_plan import Meaning

MEANINGS: Final[Mapping[str, Meaning]] = {
    "p50": "latency_p50",
    "p95": "latency_p95",
    "p99": "latency_p99",
    "mean": "latency_mean",
    "rps": "requests_per_s",
    "requestsPerSecond": "requests_per_s",
    "inFlight": "in_flight",
    "queue": "queue",
    "load": "load",
    "constant": "constant",
}
"""What may be said of a metric, and what the twin calls it."""


@dataclass(frozen=True, slots=True)
class Options:
    """Choices that go before those of a Simulation document.

    Attributes:
        traffic: Arrivals; None takes the document's.
        traffic_text: How they were written, for the scenario's name.
        service_time_s: Time of a request in the model, where there is no profile [s, > 0].
        duration_s: Length of the run [s, > 0].
        interval_s: Width of one interval of the series [s, > 0].
        seed: Of all randomness [>= 0].
        replicas: Replicas at the start [>= 0].
        workload: Name of the Deployment, where the files hold several.
        container: Name of the container that serves, where the pod has several.
        meanings: Metric name to one of ``MEANINGS``.
        name: Of the scenario.
    """

    traffic: ArrivalProcess | None = None
    traffic_text: str = ""
    service_time_s: float | None = None
    duration_s: float | None = None
    interval_s: float | None = None
    seed: int | None = None
    replicas: int | None = None
    workload: str | None = None
    container: str | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
