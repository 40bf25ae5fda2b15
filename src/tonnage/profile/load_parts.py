"""The fields of a ``ModelProfile`` that say how the server behaves: what it costs, holds and carries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.profile.part import Bytes, Count, Distribution, Part, PerSecond, Ratio, Seconds


class Overhead(Part):
    """What the server costs beside the model, in CPU time, where no pause went before.

    Measured around a model that computes nothing, then set right by the runs under load.
    """

    per_request_s: Seconds
    """For each request."""
    per_batch_s: Seconds
    """For each batch on top."""
    idle_ratio: Ratio
    """CPU time over elapsed time without any request."""
    requests: Count
    """Requests that this was fitted to."""
    batch_ratio: Ratio | None = None
    """Time of a batch in the server, no pause before it, over its time alone in `batches`: what threads and \
caches that are shared with real traffic add to it."""


class AfterIdle(Part):
    """Requests that came one at a time, each after a pause: what caches that went cold meanwhile cost."""

    pause_s: Seconds
    """What the server had nothing to do for before each of them, on average."""
    requests: Count
    """How many there were."""
    compute_s: Seconds
    """Mean time in the model."""
    cpu_s: Seconds
    """Mean CPU time of the server, the model's included."""
    latency_s: Distribution
    """From the intended time to the whole answer."""


class ProcessMemory(Part):
    """Memory of all processes of a server."""

    rss_bytes: Bytes
    """Resident, pages shared by several processes counted in each."""
    pss_bytes: Bytes
    """Resident, shared pages divided among those who share them."""


class Memory(Part):
    """Memory of the server."""

    before_model_bytes: Bytes | None = None
    """Resident in a process with the server's code and no model."""
    model_bytes: Bytes | None = None
    """What loading the model added."""
    ready: ProcessMemory
    """Ready, before the first request."""
    after_traffic: ProcessMemory
    """After all runs of the search."""
    peak_bytes: Bytes
    """Most resident at any time, summed over processes."""
    accelerator_bytes: Bytes | None = None
    """Accelerator memory in use after the largest batch; null where the runtime does not tell."""


class Objective(Part):
    """The latency that had to hold."""

    percentile: Annotated[float, Field(gt=0, lt=100)]
    """Of all requests, failed by time-out included [%]."""
    latency_s: Annotated[float, Field(gt=0)]
    """From the intended time of a request to its whole answer."""
    origin: Literal["option", "document"]
    """Who set it."""


class InFlight(Part):
    """Requests between their send and their answer, over time."""

    mean: Ratio
    """Time average."""
    p99: Ratio
    """Not exceeded for 99% of the time."""
    max: Ratio
    """Most."""


class CurvePoint(Part):
    """One open-loop run at one rate."""

    purpose: Literal["search", "confirm", "curve", "import"]
    """Why it was made."""
    rate_per_s: PerSecond
    """Requests offered, Poisson arrivals."""
    achieved_per_s: PerSecond
    """Requests answered with success."""
    requests: Count | None = None
    """Requests sent."""
    duration_s: Seconds | None = None
    """Length of the run."""
    latency_s: Distribution
    """From the intended time, time-outs included."""
    error_ratio: Annotated[float, Field(ge=0, le=1)]
    """Failed requests over all."""
    in_flight: InFlight | None = None
    """Concurrency."""
    cpu_ratio: Ratio | None = None
    """CPU time of the server over elapsed time; 1 is a full core."""
    batch_size_mean: Ratio | None = None
    """Items in a batch, on average."""
    batches: Count | None = None
    """Batches run."""
    compute_s: Seconds | None = None
    """Their time in the model, summed."""
    held: bool | None = None
    """Whether the objective held."""
    reason: str = ""
    """Why it did not hold, or why the run says nothing."""


class Capacity(Part):
    """What one replica carries inside the objective."""

    objective: Objective
    """What had to hold."""
    sustainable_per_s: PerSecond | None = None
    """Highest rate at which it held; null where it held at none."""
    confirmed: bool = False
    """Whether it held again in a longer run."""
    generator_limited: bool = False
    """Whether the load generator gave up before the server did; the rate is then a lower bound."""
    in_flight: InFlight | None = None
    """Concurrency at that rate."""
    p50_s: Seconds | None = None
    """Median latency at that rate."""
    p99_s: Seconds | None = None
    """99th percentile at that rate."""
    reason: str = ""
    """What ended the search."""
