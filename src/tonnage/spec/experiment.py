"""Parts of a ``Simulation``: clients, servers, pods, metrics pipelines and the control plane.

Each has the defaults of what it stands for: Kubernetes' flags, the model server's settings, a client that
waits and does not retry.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.kube.quantity import Quantity
from tonnage.spec.scalars import (
    Amount,
    AnyDuration,
    Durations,
    Flag,
    NonNegative,
    Part,
    PositiveCount,
    PositiveDuration,
    PositiveRate,
    Ratio,
    Text,
    Whole,
)
from tonnage.units import Duration, parse_duration

Meaning = Literal[
    "p50", "p95", "p99", "mean", "requestsPerSecond", "inFlight", "queue", "load", "constant"
]
"""What a metric is. Latencies are in seconds; `load` is 1 when a replica carries what it can sustain."""


class Client(Part):
    """Who sends the requests, and how they find a replica."""

    timeout: PositiveDuration | None = None
    """How long one attempt is waited for; null: for ever."""
    retries: Annotated[Whole, Field(ge=0, le=100)] = 0
    """Attempts after the first."""
    backoff: AnyDuration = parse_duration("25ms")
    """Before the first retry; it doubles up to a second."""
    balancing: Literal["random", "roundRobin", "twoChoices", "leastRequest", "connection"] = "random"
    """How a request finds its pod: `random` is kube-proxy with a connection for each request, \
`connection` is kube-proxy with kept-alive connections."""
    connections: PositiveCount = 100
    """Kept-alive connections (balancing `connection`)."""
    round_trip: AnyDuration = Duration(0)
    """The network's part of every latency."""
    jitter: AnyDuration = Duration(0)
    """Mean of a random time added to that."""


class ServiceTime(Part):
    """Time of one batch in the model: a fixed part, and one for each item."""

    per_batch: AnyDuration = Duration(0)
    """For each batch."""
    per_item: PositiveDuration
    """For each item in it."""
    spread: NonNegative = 0.0
    """Standard deviation over mean; 0 for no spread."""


class ServerBehavior(Part):
    """How one replica serves; null fields come from the profile, the ModelService, or a plain server."""

    service_time: ServiceTime | None = None
    """Time in the model, instead of the profile's."""
    size_max: PositiveCount | None = None
    """Items in one batch at most; a plain server has 1."""
    wait_max: AnyDuration | None = None
    """How long the oldest request may wait for company; a plain server has 0s."""
    queue_max: PositiveCount | None = None
    """Requests that may wait at one worker; a plain server has 4096."""
    deadline: PositiveDuration | None = None
    """Time that each request has at the server; a plain server has none."""
    workers: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    """Processes that share the port; a plain server has 1."""
    parallel: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    """Batches that one worker runs at a time; a plain server has 1."""


class PodBehavior(Part):
    """How replicas start and end; null fields come from the profile, or are as said."""

    image_pull: Durations | None = None
    """First pull of the image on a node; null: 0s, the image is there."""
    container_start: Durations | None = None
    """From image to running process, sandbox and network included; null: 1s."""
    process_start: Durations | None = None
    """From running process to an open port; null: the profile's, else 0s."""
    load: Durations | None = None
    """Loading the model; null: the profile's, else 0s."""
    warmup: Durations | None = None
    """From loaded to ready; null: the profile's, else 0s."""
    cpu_at_start: Amount | None = None
    """CPU used while starting and loading when it is to be had; null: 1."""
    cpu_busy: Amount | None = None
    """CPU used while the model runs without a pause; null: the profile's, else 1."""
    cpu_bound: Ratio | None = None
    """Share of a batch's time that the CPU computes, so that it stretches where the node has too few cores; \
null: the profile's, else 1; 0 for a model on a GPU."""
    memory_ready: Amount | None = None
    """Memory used once ready; null: the profile's, else 0."""
    memory_load: Amount | None = None
    """Memory used at the peak of loading; null: the profile's peak, else that of ready."""
    lame_duck: AnyDuration | None = None
    """After SIGTERM new requests are still served for so long; null: the ModelService's, else 0s."""
    drains: Flag = True
    """Whether requests that were taken in are answered after SIGTERM."""
    liveness_under_load: Literal["answers", "queues"] | None = None
    """Whether a liveness probe waits behind the requests; null: not at our server, at others it does."""
    load_crashes: Ratio = Quantity.of(0)
    """Share of the loads that end in a crash."""


class Start(Part):
    """The state at the start of the run."""

    replicas: Annotated[Whole, Field(ge=0, le=100_000)] | None = None
    """Replicas; null takes the Deployment's, else the HPA's minimum."""
    ready: Flag = True
    """Whether they are ready; false begins with the creation of the Deployment."""


class ResourcePipeline(Part):
    """metrics-server, for CPU and memory."""

    resolution: PositiveDuration = parse_duration("15s")
    """Time between two scrapes."""


class CustomPipeline(Part):
    """What answers custom and external metrics."""

    type: Literal["metricsApi", "prometheusAdapter"] = "metricsApi"
    """`tonnage metrics-api`, which reads the pods itself, or a query over what Prometheus scraped."""
    scrape_period: PositiveDuration | None = None
    """Time between two scrapes of a pod; null: 5s, and 30s for Prometheus."""
    window: PositiveDuration | None = None
    """Span that a percentile or rate covers; null: 30s, and 2m for Prometheus."""
    warming: Literal["silent", "answers"] | None = None
    """What a running pod that is not ready says; null: silent, and for Prometheus answers."""
    idle: Literal["absent", "zero", "last"] | None = None
    """What a ready pod without requests says about its latency; null: zero, and for Prometheus absent."""
    terminating: Literal["dropped", "answers"] | None = None
    """What becomes of a pod that is being deleted; null: dropped, and for Prometheus answers."""
    stale: AnyDuration | None = None
    """How long the last value of a gone pod is still told; null: 0s, and 5m for Prometheus."""


class MetricMeaning(Part):
    """What a metric of the HPA is."""

    meaning: Meaning
    """What it is."""
    scale: NonNegative = 1.0
    """Factor from seconds, requests or shares to the metric's unit: 1000 for milliseconds."""
    value: NonNegative = 0.0
    """Its value (meaning `constant`)."""


class Metrics(Part):
    """How numbers get from the pods to the autoscaler."""

    resource: ResourcePipeline | None = ResourcePipeline()
    """metrics-server; null: not installed."""
    custom: CustomPipeline | None = CustomPipeline()
    """The metrics API; null: not installed."""
    meanings: dict[Text, MetricMeaning] = Field(default_factory=dict)
    """What the HPA's metrics are, by name; ours need no entry."""
    sustainable: PositiveRate | None = None
    """Requests per second that one replica sustains, for `load`; null takes the profile's."""


class Control(Part):
    """Flags of kube-controller-manager, and delays; null fields are Kubernetes' defaults."""

    sync_period: PositiveDuration | None = None
    """Time between two looks of the HPA controller (15s)."""
    first_sync: AnyDuration | None = None
    """When its first look happens (0s)."""
    downscale_stabilization: AnyDuration | None = None
    """For an HPA without its own window (5m)."""
    tolerance: Ratio | None = None
    """For an HPA without its own (0.1)."""
    cpu_initialization_period: AnyDuration | None = None
    """How long a pod's CPU is doubted after its start (5m)."""
    initial_readiness_delay: AnyDuration | None = None
    """How long a pod counts as not yet ready after its start (30s)."""
    node_monitor_grace: PositiveDuration | None = None
    """Without a heartbeat for so long a node is unknown (50s)."""
    eviction_after: AnyDuration | None = None
    """How long a pod tolerates an unreachable node (5m)."""
    node_removed_after: AnyDuration | None = None
    """From a node's failure until a cloud controller removes it; null: never."""
