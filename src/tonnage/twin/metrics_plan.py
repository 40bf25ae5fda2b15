"""How numbers get from the pods to the autoscaler: what is measured, how often, over which window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tonnage.twin.pod_life import require

Meaning = Literal[
    "latency_p50", "latency_p95", "latency_p99", "latency_mean",
    "requests_per_s", "in_flight", "queue", "load", "constant",
]
"""What a metric is. ``load`` is requests per second over ``MetricsPlan.sustainable_per_s``, 1 when full."""


@dataclass(frozen=True, slots=True)
class ResourceMetrics:
    """metrics-server, for CPU and memory.

    Attributes:
        resolution_s: Time between two scrapes, which is also the window of a CPU rate [s, > 0].
        phase_s: When the first scrape happens [s, >= 0].
        scrape_s: From the scrape to when it can be read [s, >= 0].

    Source: kubernetes-sigs/metrics-server manifests/base/deployment.yaml (--metric-resolution=15s), and
        pkg/storage/pod.go: a rate needs two points of one container.
    """

    resolution_s: float = 15.0
    phase_s: float = 5.0
    scrape_s: float = 0.5

    def __post_init__(self) -> None:
        require(0 < self.resolution_s < math.inf, "resolution_s", "> 0", self.resolution_s)
        require(self.phase_s >= 0, "phase_s", ">= 0", self.phase_s)
        require(self.scrape_s >= 0, "scrape_s", ">= 0", self.scrape_s)


@dataclass(frozen=True, slots=True)
class CustomMetrics:
    """What answers custom and external metrics.

    Attributes:
        kind: ``metrics-api``: ours, which reads the pods itself; ``prometheus-adapter``: a query over
            what Prometheus scraped.
        scrape_period_s: Time between two scrapes of one pod [s, > 0].
        phase_s: When the first scrape happens [s, >= 0].
        window_s: Span that a percentile or a rate covers [s, > 0].
        warming: Whether a running pod that is not ready is ``silent`` or ``answers``.
        idle: What a ready pod without a request in the window says about its latency.
        terminating: Whether a pod with a deletionTimestamp is ``dropped`` or ``answers``.
        stale_s: How long the last value of a gone pod is still told [s, >= 0]. Prometheus looks back
            300 s for what was not marked stale.
    """

    kind: Literal["metrics-api", "prometheus-adapter"] = "metrics-api"
    scrape_period_s: float = 5.0
    phase_s: float = 0.0
    window_s: float = 30.0
    warming: Literal["silent", "answers"] = "silent"
    idle: Literal["absent", "zero", "last"] = "absent"
    terminating: Literal["dropped", "answers"] = "dropped"
    stale_s: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.scrape_period_s < math.inf, "scrape_period_s", "> 0", self.scrape_period_s)
        require(0 < self.window_s < math.inf, "window_s", "> 0", self.window_s)
        require(self.phase_s >= 0, "phase_s", ">= 0", self.phase_s)
        require(self.stale_s >= 0, "stale_s", ">= 0", self.stale_s)


@dataclass(frozen=True, slots=True)
class CustomMetric:
    """A metric by the name that the HPA asks for.

    Attributes:
        name: That name.
        meaning: What it is; latencies are in seconds.
        scope: ``pod`` for a Pods metric; ``fleet`` for an Object or External one (percentiles of all pods'
            requests together, sums of the rest).
        scale: Factor from our unit to the metric's (1000 for milliseconds).
        constant: Its value when the meaning is ``constant``.
    """

    name: str
    meaning: Meaning
    scope: Literal["pod", "fleet"] = "pod"
    scale: float = 1.0
    constant: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.scale < math.inf, "scale", "> 0", self.scale)


@dataclass(frozen=True, slots=True)
class MetricsPlan:
    """Every pipeline of the scenario.

    Attributes:
        resource: metrics-server; None: not installed, so that CPU metrics fail.
        custom: The metrics API or adapter; None: not installed.
        metrics: What it serves.
        sustainable_per_s: What one replica sustains, for the meaning ``load`` [requests/s]; None: unknown.
    """

    resource: ResourceMetrics | None = ResourceMetrics()
    custom: CustomMetrics | None = CustomMetrics()
    metrics: tuple[CustomMetric, ...] = ()
    sustainable_per_s: float | None = None

    def __post_init__(self) -> None:
        keys = [(metric.name, metric.scope) for metric in self.metrics]
        require(len(set(keys)) == len(keys), "metrics", "each name and scope once", keys)
        known = self.sustainable_per_s is not None and self.sustainable_per_s > 0
        needs = any(metric.meaning == "load" for metric in self.metrics)
        require(known or not needs, "sustainable_per_s", "> 0 for a metric of load", self.sustainable_per_s)
