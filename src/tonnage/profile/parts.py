"""The fields of a ``ModelProfile``: what was measured, on what, with which settings.

The class is the document. A name ends in its unit: ``load_s`` here is ``loadSeconds`` in the file.
Everything that an imported profile cannot know may be null; whoever reads a profile checks for what it
needs and says so. What the server does under load is in ``load_parts.py``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from tonnage.profile.load_parts import (
    AfterIdle,
    Capacity,
    CurvePoint,
    Memory,
    Overhead,
)
from tonnage.profile.part import Bytes, Count, Distribution, Part, Positive, Ratio, Seconds, refusal
from tonnage.profile.quantiles import proportional

API_VERSION: Final = "tonnage.dev/v1alpha1"
KIND: Final = "ModelProfile"


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
    interrupted: Count | None = None
    """Runs that the machine interrupted and that are left out: their clock went on without their CPU time."""


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
    after_idle: tuple[AfterIdle, ...] = ()
    """Requests after pauses, by ascending pause."""
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
        pauses = [one.pause_s for one in self.after_idle]
        if pauses != sorted(set(pauses)):
            raise refusal("afterIdle must be ascending by pauseSeconds without repeats")
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
