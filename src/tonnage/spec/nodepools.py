"""``NodePools``: the nodes of a cluster, in groups of like ones, and who adds and removes them.

The document says what a simulation needs of a cluster: labels, taints and capacity as the scheduler sees
them, and beside them the price, how long a new node takes, and how often the provider takes one back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, model_validator

from tonnage.errors import Problem, SpecError
from tonnage.kube.paths import format_path
from tonnage.kube.quantity import Quantity
from tonnage.spec.root import Root
from tonnage.spec.scalars import (
    Amount,
    AnyDuration,
    DnsLabel,
    Durations,
    Flag,
    LabelKey,
    LabelValue,
    NonNegative,
    Part,
    PositiveDuration,
    Ratio,
    Text,
    Whole,
)
from tonnage.units import Duration, parse_duration

NODE_POOLS_KIND: Final = "NodePools"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
_NATIVE: Final = frozenset({"cpu", "memory", "ephemeral-storage", "pods"})
_CAPACITY_NEEDED: Final = ("cpu", "memory")


class DocumentMetadata(Part):
    """Name of a document that makes no Kubernetes object."""

    name: DnsLabel
    """Name, for reports."""


class Taint(Part):
    """What keeps pods off a node that do not tolerate it."""

    key: LabelKey
    """Its key."""
    value: LabelValue = ""
    """Its value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Whether pods are kept off, avoided, or also thrown out."""


class SpotTerms(Part):
    """Nodes that the provider takes back."""

    interruptions_per_hour: NonNegative = 0.0
    """Mean interruptions of one node in an hour, at random times."""
    notice: AnyDuration = parse_duration("2m")
    """From the notice to the loss of the node."""
    drained: Flag = True
    """Whether something in the cluster drains the node at the notice."""


class NodePool(Part):
    """A group of like nodes."""

    name: DnsLabel
    """Its name; its nodes are called `<name>-1`, `<name>-2` and so on."""
    count: Annotated[Whole, Field(ge=0, le=10_000)] = 1
    """Nodes at the start."""
    min: Annotated[Whole, Field(ge=0, le=10_000)] | None = None
    """Nodes at least; null takes `count`."""
    max: Annotated[Whole, Field(ge=0, le=10_000)] | None = None
    """Nodes at most; null takes `count`."""
    capacity: dict[LabelKey, Amount]
    """What one node has, such as `cpu`, `memory`, `pods` (110 without it) and `nvidia.com/gpu`."""
    reserved: dict[LabelKey, Amount] = Field(default_factory=dict)
    """What of it the node and its daemons keep for themselves; pods may request the rest."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels of each node; `kubernetes.io/hostname` comes by itself."""
    taints: tuple[Taint, ...] = ()
    """Taints of each node."""
    zones: tuple[LabelValue, ...] = ()
    """Zones over which the pool is dealt: it becomes one pool in each, named `<name>-<zone>`, and count, \
min and max are shared out in turn."""
    startup: Durations = (parse_duration("2m"),)
    """From asking the provider to a Ready node, drivers and device plug-in included; one duration, or \
several measured ones."""
    price_per_hour: NonNegative = 0.0
    """Cost of one node for an hour, in the document's currency."""
    spot: SpotTerms | None = None
    """Set when the provider may take nodes back."""
    priority: Whole = 0
    """For the expander `priority`; larger is preferred."""


class ClusterAutoscaler(Part):
    """The cluster-autoscaler, with its own defaults."""

    type: Literal["clusterAutoscaler"]
    """`clusterAutoscaler`"""
    scan_interval: PositiveDuration = parse_duration("10s")
    """Time between two looks."""
    expander: Literal["leastWaste", "price", "priority", "first"] = "leastWaste"
    """How it chooses among pools that would do."""
    scale_down: Flag = True
    """Whether it removes nodes."""
    scale_down_unneeded: AnyDuration = parse_duration("10m")
    """Time that a node must have been unneeded before it is removed."""
    scale_down_after_add: AnyDuration = parse_duration("10m")
    """Time after an addition in which none is removed."""
    scale_down_utilization: Ratio = Quantity.of_milli(500)
    """A node whose requests are at or above this share is needed."""
    provision_max: PositiveDuration = parse_duration("15m")
    """After which a node that did not come counts as failed."""


class Karpenter(Part):
    """Karpenter, with its own defaults."""

    type: Literal["karpenter"]
    """`karpenter`"""
    batch_idle: AnyDuration = parse_duration("1s")
    """It decides when no new pod came for so long."""
    batch_max: PositiveDuration = parse_duration("10s")
    """... or when the oldest has waited for so long."""
    scale_down: Flag = True
    """Whether it removes nodes."""
    consolidate_after: AnyDuration = Duration(0)
    """A node is looked at when nothing changed on it for so long."""
    provision_max: PositiveDuration = parse_duration("15m")
    """After which a node that did not come counts as failed."""


class NodePoolsSpec(Part):
    """The pools, who grows them, and what they cost."""

    pools: Annotated[tuple[NodePool, ...], Field(min_length=1)]
    """The pools."""
    autoscaler: Annotated[ClusterAutoscaler | Karpenter, Field(discriminator="type")] | None = None
    """Who adds and removes nodes; null: nobody, and the numbers stay."""
    currency: Text = "USD"
    """Currency of the prices."""
    price_source: Text | None = None
    """Where the prices are from and of which date, for reports."""


class NodePools(Root):
    """The nodes of a cluster."""

    api_version: Literal["tonnage.dev/v1alpha1"]
    """The version of this document's form."""
    kind: Literal["NodePools"]
    """The kind of document."""
    metadata: DocumentMetadata
    """Its name."""
    spec: NodePoolsSpec
    """The pools."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> NodePools:  # noqa: ARG002 - pydantic's signature
        problems = list(_breaches(self.spec))
        if problems:
            raise SpecError(problems)
        return self


def _breaches(spec: NodePoolsSpec) -> Iterator[Problem]:
    names: set[str] = set()
    for index, pool in enumerate(spec.pools):
        path = f"spec.pools[{index}]"
        if pool.name in names:
            yield Problem(f"{path}.name", f"must be given once, got a second {pool.name}")
        names.add(pool.name)
        low = pool.count if pool.min is None else pool.min
        high = pool.count if pool.max is None else pool.max
        if low > pool.count:
            yield Problem(f"{path}.min", f"must be <= count ({pool.count}), got {low}")
        if high < pool.count:
            yield Problem(f"{path}.max", f"must be >= count ({pool.count}), got {high}")
        if high > low and spec.autoscaler is None:
            yield Problem(
                "spec.autoscaler",
                f"must be given, because pool {pool.name} has from {low} to {high} nodes",
                hint="write autoscaler: {type: clusterAutoscaler}, or leave min and max out",
            )
        yield from _capacity_breaches(pool, path)


def _capacity_breaches(pool: NodePool, path: str) -> Iterator[Problem]:
    for name in _CAPACITY_NEEDED:
        if name not in pool.capacity:
            yield Problem(f"{path}.capacity.{name}", "must be given")
    for name, amount in pool.capacity.items():
        if name not in _NATIVE and not amount.is_whole:
            where = f"{path}{format_path(('x', 'capacity', name))[1:]}"
            yield Problem(where, f"must be a whole number, because devices are whole, got {amount}")
    for name, amount in pool.reserved.items():
        where = f"{path}{format_path(('x', 'reserved', name))[1:]}"
        if amount > pool.capacity.get(name, Quantity.of(0)):
            yield Problem(where, f"must be <= what capacity has of it, got {amount}")
    if pool.zones and ZONE_LABEL in pool.labels:
        yield Problem(f"{path}.zones", f"must not be given beside the label {ZONE_LABEL}")
