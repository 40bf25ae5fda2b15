"""The fields of a ``ModelProfile``: what was measured, on what, with which settings.

The class is the document. A name ends in its unit: ``load_s`` here is ``loadSeconds`` in the file.
Everything that an imported profile cannot know may be null; whoever reads a profile checks for what it
needs and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from tonnage.profile.quantiles import interpolated, nearest_rank, percentile_of, proportional, quantiles_of

API_VERSION: Final = "tonnage.dev/v1alpha1"
KIND: Final = "ModelProfile"
SAMPLES_MAX: Final = 1000
"""Samples that a distribution keeps at most; more are thinned evenly, in order of size."""

_UNITS: Final = {"s": "seconds", "per_s": "per_second"}

Seconds = Annotated[float, Field(ge=0)]
Bytes = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=0)]
PerSecond = Annotated[float, Field(ge=0)]


def field_name(name: str) -> str:
    """``load_s`` as the document has it: ``loadSeconds``."""
    for unit, written in sorted(_UNITS.items(), key=lambda pair: -len(pair[0])):
        if name.endswith(f"_{unit}"):
            return str(to_camel(f"{name.removesuffix(unit)}{written}"))
    return str(to_camel(name))


def refusal(what: str) -> PydanticCustomError:
    """Makes the error that a check of ours raises: what must hold."""
    return PydanticCustomError("refused", "{what}", {"what": what})


class Part(BaseModel):
    """A mapping of the document: frozen, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=field_name,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Distribution(Part):
    """A measured quantity in the unit of the field that holds it."""

    count: Count | None = None
    """How many were measured; null where an import does not tell."""
    mean: Annotated[float, Field(ge=0)]
    """Arithmetic mean."""
    quantiles: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """By name (`p1` to `p99.9`), ascending; empty where only the mean is known."""
    samples: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """What was measured, ascending, where it is little enough to keep."""

    @field_validator("quantiles")
    @classmethod
    def _ascending(cls, quantiles: dict[str, float]) -> dict[str, float]:
        try:
            ordered = dict(sorted(quantiles.items(), key=lambda pair: percentile_of(pair[0])))
        except ValueError as error:
            raise refusal(str(error)) from None
        values = list(ordered.values())
        if any(left > right for left, right in zip(values, values[1:], strict=False)):
            raise refusal("must not fall from a quantile to a higher one")
        return ordered

    @field_validator("samples")
    @classmethod
    def _sorted(cls, samples: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if samples is not None and any(a > b for a, b in zip(samples, samples[1:], strict=False)):
            raise refusal("must be ascending")
        return samples

    @classmethod
    def of(cls, samples: Sequence[float], *, keep: bool = False) -> Distribution:
        """Summarise samples.

        Args:
            samples: At least one, each >= 0, in any order.
            keep: Whether to keep the samples themselves.
        """
        ordered = sorted(samples)
        step = -(-len(ordered) // SAMPLES_MAX)
        kept = tuple(ordered[::step]) if keep else None
        mean = sum(ordered) / len(ordered)
        return cls(count=len(ordered), mean=mean, quantiles=quantiles_of(ordered), samples=kept)

    def at(self, percentile: float) -> float:
        """The value at a percentile, between the kept ones on a straight line.

        Args:
            percentile: In (0, 100); beyond the outermost kept quantile its value holds.
        """
        if self.samples:
            return nearest_rank(self.samples, percentile)
        if not self.quantiles:
            return self.mean
        return interpolated({percentile_of(name): v for name, v in self.quantiles.items()}, percentile)


class Metadata(Part):
    """Name and circumstances of a profile."""

    name: Annotated[str, Field(min_length=1)]
    """Name of the model that was measured."""
    created: str
    """When, as RFC 3339 in UTC."""
    measured_s: Seconds | None = None
    """How long measuring took."""


class ModelIdentity(Part):
    """Which model was measured."""

    name: str
    """Its name in `/v2/models/<name>`."""
    format: str | None = None
    """Which runtime ran it."""
    version: str | None = None
    """The version it was served as."""
    path: str | None = None
    """Name of its file without folders, or `module:Class`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of its file."""
    size_bytes: Bytes | None = None
    """Size of its file."""
    batches: bool = True
    """Whether it takes batches of more than one item."""


class Gpu(Part):
    """One GPU of the machine."""

    name: str
    """As its driver calls it."""
    memory_bytes: Bytes | None = None
    """Its memory."""
    driver: str | None = None
    """Version of the driver."""


class Machine(Part):
    """What it was measured on."""

    cpu: str
    """Processor model."""
    architecture: str
    """Such as `x86_64`."""
    cpus: Positive
    """CPUs of the machine."""
    cpus_server: tuple[Count, ...]
    """CPUs that the server and the model were pinned to."""
    cpus_generator: tuple[Count, ...]
    """CPUs that the load generator was pinned to."""
    memory_bytes: Bytes
    """Memory of the machine."""
    kernel: str
    """Version of the operating system's kernel."""
    virtual: bool | None = None
    """Whether it is a virtual machine, as far as the processor tells."""
    cgroup_cpu_limit: Annotated[float, Field(gt=0)] | None = None
    """CPUs that the cgroup allows; null for no limit."""
    cgroup_memory_limit_bytes: Bytes | None = None
    """Memory that the cgroup allows; null for no limit."""
    gpus: tuple[Gpu, ...] = ()
    """GPUs, where there are any."""

    @property
    def shared(self) -> bool:
        """Whether the generator took time from the server's CPUs."""
        return bool(set(self.cpus_server) & set(self.cpus_generator))


class Settings(Part):
    """What the server and the measurement were set to."""

    size_max: Positive
    """Items in one batch at most."""
    wait_max_s: Seconds
    """How long the oldest request may wait for company."""
    gather_max: Positive | None = None
    """Items up to which the server gathers requests, as it chose at warm-up; null where nobody told."""
    queue_max: Positive
    """Requests that may wait."""
    workers: Positive
    """Processes that shared the port."""
    threads: Positive
    """Threads inside one model call."""
    execution: Literal["inline", "thread"]
    """Where the model ran, as the server chose."""
    deadline_s: Seconds | None = None
    """A request's time to answer when the caller gives none; null for none."""
    providers: tuple[str, ...] | None = None
    """Execution providers or devices asked for; null left it to the runtime."""
    payload: Literal["sample", "random", "zeros"]
    """The requests: the document's sample, random values, or zeros where the model takes no random ones."""
    payload_bytes: Annotated[float, Field(gt=0)]
    """Mean length of a request's body."""
    seed: Count
    """Decided arrivals and random payloads."""
    quick: bool
    """Whether it was the short form, whose tails are rough."""
    step_s: Annotated[float, Field(gt=0)]
    """Length of one step of the search at least; longer at rates that give few requests."""


class Startup(Part):
    """From the start of a process to its readiness, each time in a fresh process, files in the page cache."""

    process_s: Distribution
    """From the start of the process until it listens: interpreter and imports."""
    load_s: Distribution
    """Loading the model."""
    first_batch_s: Distribution
    """The very first batch, of one item."""
    warmup_s: Distribution
    """All of warm-up."""
    ready_s: Distribution
    """From the start of the process until it is ready."""


class Batch(Part):
    """Batches of one size, run in the model as the server runs them."""

    size: Positive
    """Items in the batch."""
    first_s: Seconds | None = None
    """The first batch of this size in a fresh process."""
    early_s: tuple[Seconds, ...] = ()
    """The next batches in order: the warm-up curve."""
    steady_s: Distribution
    """Time in the model once warm, input assembly included."""
    cpu_s: Seconds | None = None
    """Mean CPU time of one batch, all threads."""
    thirds_s: tuple[Seconds, ...] = ()
    """Medians of the first, middle and last third of the measurement."""


class Overhead(Part):
    """What the server costs beside the model, in CPU time, measured around a model that computes nothing."""

    per_request_s: Seconds
    """For each request."""
    per_batch_s: Seconds
    """For each batch on top."""
    idle_ratio: Ratio
    """CPU time over elapsed time without any request."""
    requests: Count
    """Requests that this was fitted to."""
    batch_ratio: Ratio | None = None
    """Time of a batch in the server over its time alone in `batches`: what threads and caches that are \
shared with real traffic add to it."""


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


class Check(Part):
    """One comparison of repeated measurements."""

    name: str
    """What was compared."""
    value: Ratio
    """What was found."""
    limit: Ratio
    """What is tolerated."""
    holds: bool
    """Whether the value is within the limit."""


class Stability(Part):
    """Whether the figures can be believed."""

    stable: bool
    """Whether every check holds."""
    reasons: tuple[str, ...] = ()
    """What does not hold, in words."""
    checks: tuple[Check, ...] = ()
    """All of them."""


class ModelProfile(Part):
    """How one model, served by one replica, behaves on one kind of hardware."""

    api_version: Literal["tonnage.dev/v1alpha1"]
    """The version of this document's form."""
    kind: Literal["ModelProfile"]
    """The kind of document."""
    metadata: Metadata
    """Name and circumstances."""
    origin: Literal["measured", "csv", "perf_analyzer"]
    """Where the figures come from."""
    model: ModelIdentity
    """Which model."""
    machine: Machine | None = None
    """On what; null in an import."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of what took part."""
    settings: Settings | None = None
    """With which settings; null in an import."""
    startup: Startup | None = None
    """From process start to readiness."""
    batches: tuple[Batch, ...] = ()
    """Service time by batch size, ascending."""
    overhead: Overhead | None = None
    """The server's own cost."""
    memory: Memory | None = None
    """Memory."""
    capacity: Capacity | None = None
    """The sustainable rate."""
    curve: tuple[CurvePoint, ...] = ()
    """Latency against rate, by ascending rate."""
    stability: Stability | None = None
    """Whether the figures can be believed; null in an import."""
    notes: tuple[str, ...] = ()
    """What a reader should know before using the figures."""

    @model_validator(mode="after")
    def _fields_agree(self) -> ModelProfile:
        sizes = [batch.size for batch in self.batches]
        if sizes != sorted(set(sizes)):
            raise refusal("batches must be ascending by size without repeats")
        rates = [point.rate_per_s for point in self.curve]
        if rates != sorted(rates):
            raise refusal("curve must be ascending by ratePerSecond")
        if not self.batches and not self.curve:
            raise refusal("must hold batches or a curve")
        return self

    def batch_mean_s(self, size: float) -> float | None:
        """Mean time of a batch [s], between measured sizes on a straight line; None without batches.

        Args:
            size: Items; beyond the largest measured size the time grows in proportion.
        """
        points: dict[float, float] = {float(batch.size): batch.steady_s.mean for batch in self.batches}
        return proportional(points, size) if points else None

    def to_document(self) -> dict[str, Any]:
        """The document as plain data; nulls are left out."""
        document: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return document
