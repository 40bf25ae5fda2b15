"""``spec.objective``, ``spec.batching`` and ``spec.server``: what is promised and how it is served."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.contract import endpoints
from tonnage.kube.quantity import Quantity
from tonnage.spec.scalars import (
    AnyDuration,
    Bytes,
    Flag,
    Number,
    Part,
    Port,
    PositiveCount,
    PositiveDuration,
    PositiveRate,
    PositiveWholeSeconds,
    Text,
    Whole,
)
from tonnage.units import Duration, parse_duration


class Latency(Part):
    """Latency that must hold at percentiles, measured from sending a request to its whole answer."""

    p50: PositiveDuration | None = None
    """Half of the requests are answered within this time."""
    p95: PositiveDuration | None = None
    """95% of the requests are answered within this time."""
    p99: PositiveDuration | None = None
    """99% of the requests are answered within this time."""


class Objective(Part):
    """What the service must do: how many requests, how fast."""

    requests_per_second: PositiveRate | None = None
    """Requests per second to be carried at the latency below, such as `10k`."""
    latency: Latency = Latency()
    """Latency that must hold at that rate."""


class Batching(Part):
    """How requests are gathered into one call of the model."""

    enabled: Flag = True
    """Whether requests are gathered at all; false runs each request by itself."""
    size_max: PositiveCount = 32
    """Items in one batch at most."""
    gather_max: PositiveCount | None = None
    """Waiting items that are gathered into one batch at most, from 1 to `sizeMax`; null lets each server \
measure at warm-up up to which size gathering pays. A profile says what its server chose."""
    wait_max: AnyDuration = Duration(0)
    """How long the oldest request may wait for company while the model is free; 0s takes what is there."""
    padding: dict[Text, Number] = Field(default_factory=dict)
    """Input name to the value that fills shorter items up to the longest of a batch; inputs that are \
not named here are batched only with their own shape."""
    queue_max: PositiveCount = 4096
    """Requests that may wait; beyond it a request is refused with 503."""
    deadline: PositiveDuration | None = None
    """Time to answer when the caller names none; null takes the objective's highest percentile. What \
cannot meet it is refused early with 503."""


class Limits(Part):
    """What a client may send; beyond a limit the request or connection is refused."""

    headers_max: Bytes = Quantity.of_bytes(16 * 1024)
    """Request line and headers [bytes]; beyond it 431."""
    body_max: Bytes = Quantity.of_bytes(64 * 1024 * 1024)
    """Body [bytes]; beyond it 413."""
    tensors_max: PositiveCount = 64
    """Inputs and requested outputs of one request; beyond it 400."""
    connections_max: PositiveCount = 10_000
    """Open connections of one worker; beyond it 503 for all but health."""
    pipelined_max: PositiveCount = 16
    """Requests of one connection not yet answered; beyond it reading pauses."""


class Timeouts(Part):
    """How long a client or the model may take."""

    read: PositiveDuration = parse_duration("20s")
    """From a request's first byte to its last; beyond it 408."""
    idle: PositiveDuration = parse_duration("75s")
    """Between two requests of a connection; beyond it the connection is closed."""
    write: PositiveDuration = parse_duration("20s")
    """For a client to take an answer; beyond it the connection is closed."""
    compute: PositiveDuration = parse_duration("30s")
    """One batch in the model; beyond it liveness fails."""


class Server(Part):
    """The model server's ports, processes, shutdown, limits and logs."""

    port: Port = endpoints.HTTP_PORT
    """Port of HTTP: inference, health and metrics."""
    grpc_port: Port | None = endpoints.GRPC_PORT
    """Port of gRPC; null switches gRPC off."""
    workers: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    """Processes that share the ports; null takes the CPU limit of the container."""
    execution: Literal["auto", "inline", "thread"] = "auto"
    """Where the model runs: in the event loop, in a thread, or as measured at warm-up."""
    lame_duck: AnyDuration = parse_duration("5s")
    """How long requests are still served after readiness fails, so that endpoints can go away."""
    grace_period: PositiveWholeSeconds = parse_duration("30s")
    """From SIGTERM to the end at the latest; becomes `terminationGracePeriodSeconds`."""
    latency_window: PositiveDuration = parse_duration("30s")
    """Length of the sliding window that the exported percentiles cover."""
    limits: Limits = Limits()
    """What a client may send."""
    timeouts: Timeouts = Timeouts()
    """How long a client or the model may take."""
    log_format: Literal["text", "json"] = "text"
    """Form of the log lines."""
    otlp_endpoint: Text | None = None
    """Where traces are sent by OTLP over HTTP, such as `http://collector:4318`; null sends none."""
