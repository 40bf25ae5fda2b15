"""``spec.resources``, ``spec.probes`` and ``spec.scheduling``: what a replica needs and where it may run."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from tonnage.contract import endpoints
from tonnage.kube.quantity import Quantity
from tonnage.spec.scalars import (
    Cpu,
    DnsSubdomain,
    LabelKey,
    LabelValue,
    Memory,
    Part,
    Port,
    PositiveWholeSeconds,
    UrlPath,
    Whole,
    WholeSeconds,
    text_form,
)
from tonnage.units import Duration, parse_duration

STARTUP_FAILURES_WITHOUT_PROFILE: Final = 150
"""Failures that a startup probe allows when no profile says how long loading takes: 5 minutes."""

GpuVendor = Literal["nvidia", "amd", "intel"]
MigProfile = Annotated[
    str,
    text_form(
        r"([1-7]c\.)?[1-7]g\.[0-9]{1,3}gb(\+me(\.all)?|-me|\+gfx)?",
        "must be a MIG profile such as 1g.10gb or 3g.40gb",
        length_max=32,
    ),
]
GpuType = LabelValue


class Gpu(Part):
    """The GPUs of one replica."""

    vendor: GpuVendor = "nvidia"
    """Whose device plug-in or driver hands them out."""
    type: GpuType | None = None
    """The one type that will do, as nodes are labelled, such as `a100`; null takes any."""
    types: tuple[GpuType, ...] = ()
    """Types that will do, in order of preference; instead of `type`."""
    type_label: LabelKey = "gpu-type"
    """The node label that says the type."""
    count: Annotated[Whole, Field(ge=1, le=64)] = 1
    """GPUs (or MIG slices) of one replica; GPUs are whole, and the request equals the limit."""
    mig_profile: MigProfile | None = None
    """A MIG slice instead of a whole GPU, such as `1g.10gb` (vendor `nvidia`)."""
    sharing: Literal["exclusive", "timeSlicing", "mps"] = "exclusive"
    """Whether other pods share the GPU by the vendor's means; all but `exclusive` is NVIDIA's."""
    allocation: Literal["plugin", "dra"] = "plugin"
    """By device plug-in (an extended resource) or by dynamic resource allocation (a claim)."""
    resource_name: LabelKey | None = None
    """The extended resource to ask for; null takes the vendor's own, such as `nvidia.com/gpu`."""
    device_class: DnsSubdomain | None = None
    """The DeviceClass of the claim (allocation `dra`); null takes the vendor's own."""

    @property
    def types_in_order(self) -> tuple[str, ...]:
        """The acceptable types, best first; empty when any will do."""
        return (self.type,) if self.type is not None else self.types


class ResourceLimits(Part):
    """Explicit limits, where they differ from what is requested."""

    cpu: Cpu | None = None
    """CPU at most; null takes the request."""
    memory: Memory | None = None
    """Memory at most, beyond it the container is killed; null takes the request."""


class Resources(Part):
    """What one replica asks for; limits equal it unless they are given."""

    cpu: Cpu = Quantity.of(1)
    """CPU requested, such as `2` or `500m`."""
    memory: Memory = Quantity.of_bytes(2**30)
    """Memory requested, such as `4Gi`."""
    limits: ResourceLimits = ResourceLimits()
    """Explicit limits; null fields take the requests."""
    gpu: Gpu | None = None
    """GPUs of one replica; null needs none."""

    @property
    def cpu_limit(self) -> Quantity:
        """The CPU limit in force."""
        return self.limits.cpu if self.limits.cpu is not None else self.cpu

    @property
    def memory_limit(self) -> Quantity:
        """The memory limit in force."""
        return self.limits.memory if self.limits.memory is not None else self.memory


class Probe(Part):
    """What all three probes share; Kubernetes counts their times in whole seconds."""

    path: UrlPath = endpoints.HEALTH_PATH
    """HTTP path asked."""
    port: Port | None = None
    """Port asked; null takes `spec.server.port`."""
    initial_delay: WholeSeconds = Duration(0)
    """Time from the start of the container to the first attempt."""
    period: PositiveWholeSeconds = parse_duration("5s")
    """Time between attempts."""
    timeout: PositiveWholeSeconds = parse_duration("2s")
    """Time for an answer."""


class StartupProbe(Probe):
    """Holds the other probes back until the model is loaded and warm."""

    period: PositiveWholeSeconds = parse_duration("2s")
    """Time between attempts."""
    failure_threshold: Annotated[Whole, Field(ge=1)] | None = None
    """Failures in a row after which the container is restarted; null takes it from the measured load \
time, and 150 where nothing was measured."""


class ReadinessProbe(Probe):
    """Says whether the replica gets requests."""

    failure_threshold: Annotated[Whole, Field(ge=1)] = 3
    """Failures in a row after which the replica gets no requests."""
    success_threshold: Annotated[Whole, Field(ge=1)] = 1
    """Successes in a row after which it gets requests again."""


class LivenessProbe(Probe):
    """Says whether the container must be restarted; its path must not fail from load."""

    path: UrlPath = endpoints.LIVENESS_PATH
    """HTTP path asked."""
    period: PositiveWholeSeconds = parse_duration("10s")
    """Time between attempts."""
    timeout: PositiveWholeSeconds = parse_duration("5s")
    """Time for an answer."""
    failure_threshold: Annotated[Whole, Field(ge=1)] = 3
    """Failures in a row after which the container is restarted."""


class Probes(Part):
    """How Kubernetes, and `tonnage up`, know the state of a replica; null leaves a probe out."""

    startup: StartupProbe | None = StartupProbe()
    """Holds the other probes back until the model is loaded and warm."""
    readiness: ReadinessProbe | None = ReadinessProbe()
    """Says whether the replica gets requests."""
    liveness: LivenessProbe | None = LivenessProbe()
    """Says whether the container must be restarted."""


class Toleration(Part):
    """A taint that does not keep replicas away, as Kubernetes writes it."""

    key: LabelKey | None = None
    """The taint's key; null, with operator `Exists`, tolerates every key."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """Whether the taint's value counts."""
    value: LabelValue | None = None
    """The taint's value (operator `Equal`)."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; null tolerates every effect."""
    toleration_seconds: Annotated[Whole, Field(ge=0)] | None = None
    """How long a replica stays once the taint appears (effect `NoExecute`); null stays for good."""


class Spread(Part):
    """One topology over which replicas are spread evenly."""

    topology_key: LabelKey
    """The node label whose values are the topology's domains."""
    max_skew: Annotated[Whole, Field(ge=1)] = 1
    """How much the fullest domain may exceed the emptiest [replicas]."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"] = "ScheduleAnyway"
    """Whether a replica that would exceed it waits or runs anyway."""


class AntiAffinity(Part):
    """Whether replicas keep away from each other."""

    mode: Literal["preferred", "required", "none"] = "preferred"
    """Whether two replicas in one domain are avoided, forbidden or all the same."""
    topology_key: LabelKey = "kubernetes.io/hostname"
    """The node label whose values are the domains."""
    weight: Annotated[Whole, Field(ge=1, le=100)] = 100
    """Weight of the preference (mode `preferred`)."""


class Scheduling(Part):
    """Which nodes replicas may run on, and how they are spread; GPU tolerations come from the vendor."""

    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that a node must have, beside what the GPU's type asks for."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints tolerated, beside the GPU vendor's."""
    spread: tuple[Spread, ...] = (Spread(topology_key="topology.kubernetes.io/zone"),)
    """Topologies over which replicas are spread."""
    anti_affinity: AntiAffinity = AntiAffinity()
    """Whether replicas keep away from each other."""
    priority_class_name: DnsSubdomain | None = None
    """The PriorityClass; null takes the cluster's default."""
    runtime_class_name: DnsSubdomain | None = None
    """The RuntimeClass; null takes the cluster's default."""
    service_account_name: DnsSubdomain | None = None
    """An existing ServiceAccount; null makes one for the service."""
