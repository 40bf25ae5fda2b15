"""``Simulation``: one experiment in one file: what runs, which traffic comes, and what goes wrong when.

Every field has a default, so that a document says only what the experiment is about. Happenings are what an
operator or the world would do: a node fails, somebody edits the HPA, a rollout starts. Edits are JSON merge
patches (RFC 7386) on the Kubernetes objects themselves, so that there is no second language for what an
object may say; ``changes`` are edits before the start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationInfo, model_validator

from tonnage.errors import Problem, SpecError
from tonnage.kube.paths import format_path, parse_path
from tonnage.kube.quantity import Quantity
from tonnage.spec.experiment import Client, Control, Metrics, PodBehavior, ServerBehavior, Start
from tonnage.spec.nodepools import DocumentMetadata
from tonnage.spec.root import Root
from tonnage.spec.scalars import (
    AnyDuration,
    Flag,
    JsonMapping,
    Part,
    PositiveDuration,
    Ratio,
    Text,
    Whole,
)
from tonnage.spec.serving import Latency
from tonnage.spec.traffic import Traffic
from tonnage.units import parse_duration

SIMULATION_KIND: Final = "Simulation"
HAPPENINGS_MAX: Final = 10_000


class Change(Part):
    """An edit of an object before the start."""

    target: Text
    """Which object: `Kind/name`, or only `Kind` where there is one."""
    patch: JsonMapping = Field(default_factory=dict)
    """What changes, as a JSON merge patch: mappings are merged, null takes out, lists are replaced."""
    set: JsonMapping = Field(default_factory=dict)
    """What changes, field by field: a path such as `spec.template.spec.containers[0].livenessProbe` to \
its value; null takes out."""


class NodeFailure(Part):
    """A node and all on it stop at once, without a word."""

    type: Literal["nodeFails"]
    """`nodeFails`"""
    at: AnyDuration
    """When, from the start."""
    node: Text | None = None
    """Which node; or give `zone`."""
    zone: Text | None = None
    """All nodes that are in a zone at the start."""
    recovers_after: PositiveDuration | None = None
    """After which it is back; null: never."""


class NodeDrain(Part):
    """`kubectl drain`: the node is cordoned and its pods are evicted within disruption budgets."""

    type: Literal["nodeDrained"]
    """`nodeDrained`"""
    at: AnyDuration
    """When, from the start."""
    node: Text
    """Which node."""
    uncordon_after: PositiveDuration | None = None
    """After which pods may come again; null: never."""


class SpotLoss(Part):
    """The provider takes a node back."""

    type: Literal["spotInterruption"]
    """`spotInterruption`"""
    at: AnyDuration
    """When the notice comes, from the start."""
    node: Text | None = None
    """Which node; null: one of the spot nodes that the service runs on, drawn."""
    notice: AnyDuration = parse_duration("2m")
    """From the notice to the loss."""


class PodKill(Part):
    """A pod is deleted, or its container crashes."""

    type: Literal["podKilled"]
    """`podKilled`"""
    at: AnyDuration
    """When, from the start."""
    pod: Text | None = None
    """Which pod; null: the oldest ready one."""
    by: Literal["delete", "crash"] = "delete"
    """How."""


class Edit(Part):
    """Somebody applies a change to an object."""

    type: Literal["edit"]
    """`edit`"""
    at: AnyDuration
    """When, from the start."""
    target: Text
    """Which object: `Kind/name`, or only `Kind` where there is one."""
    patch: JsonMapping = Field(default_factory=dict)
    """What changes, as a JSON merge patch."""
    set: JsonMapping = Field(default_factory=dict)
    """What changes, field by field: a path to its value; null takes out."""
    server: ServerBehavior | None = None
    """With a change of the pod template: how the new revision serves; null: as before."""
    pod: PodBehavior | None = None
    """With a change of the pod template: how its pods start; null: as before."""


class Restart(Part):
    """`kubectl rollout restart`: every pod is replaced by a like one."""

    type: Literal["rolloutRestart"]
    """`rolloutRestart`"""
    at: AnyDuration
    """When, from the start."""


class AutoscalerDeletion(Part):
    """The HPA is deleted."""

    type: Literal["autoscalerDeleted"]
    """`autoscalerDeleted`"""
    at: AnyDuration
    """When, from the start."""


class ControllerRestart(Part):
    """A controller forgets what it held in memory and is away for a while."""

    type: Literal["controllerRestarts"]
    """`controllerRestarts`"""
    at: AnyDuration
    """When, from the start."""
    controller: Literal["hpa", "scheduler", "deployment", "nodeLifecycle"] = "hpa"
    """Which."""
    away: AnyDuration = parse_duration("15s")
    """How long until it acts again, such as until a new leader is elected."""


class MetricsFailure(Part):
    """A metrics API does not answer for a while."""

    type: Literal["metricsOutage"]
    """`metricsOutage`"""
    at: AnyDuration
    """When, from the start."""
    lasts: PositiveDuration
    """For how long."""
    which: Literal["resource", "custom", "all"] = "all"
    """Which one: CPU and memory, everything else, or both."""


class Note(Part):
    """A remark for the report; nothing happens."""

    type: Literal["note"]
    """`note`"""
    at: AnyDuration
    """Where it stands in time."""
    text: Text
    """What it says."""


HappeningPart = Annotated[
    NodeFailure
    | NodeDrain
    | SpotLoss
    | PodKill
    | Edit
    | Restart
    | AutoscalerDeletion
    | ControllerRestart
    | MetricsFailure
    | Note,
    Field(discriminator="type"),
]


class Goal(Part):
    """What must hold in the run; without it the service's own objective."""

    latency: Latency = Latency()
    """Latency at a percentile; the highest one given counts."""
    error_ratio_max: Ratio = Quantity.of(0)
    """Share of requests that may be refused, failed or given up, such as `0.001`."""


class SimulationSpec(Part):
    """One experiment."""

    inputs: tuple[Text, ...] = ()
    """Files with what is simulated and where: a ModelService, Kubernetes objects, NodePools, Nodes; \
relative to this one. Documents beside this one in the same file count too."""
    profile: Text | None = None
    """A ModelProfile, relative to this file."""
    duration: PositiveDuration | None = None
    """Length of the run; null takes that of the traffic."""
    interval: PositiveDuration = parse_duration("1s")
    """Width of one interval of the series."""
    seed: Annotated[Whole, Field(ge=0, le=2**63 - 1)] = 0
    """Of all randomness; the same seed gives the same run."""
    traffic: Traffic | None = None
    """Requests that come; null takes the objective's rate, or the command line's."""
    client: Client = Client()
    """Who sends: time-outs, retries, balancing, network."""
    server: ServerBehavior | None = None
    """How one replica serves, where there is no profile, or other than it says."""
    pod: PodBehavior = PodBehavior()
    """How replicas start and end, where there is no profile, or other than it says."""
    start: Start = Start()
    """The state at the start."""
    metrics: Metrics = Metrics()
    """How numbers get to the autoscaler."""
    control: Control = Control()
    """Flags and delays of the control plane."""
    objective: Goal | None = None
    """What must hold; null takes the ModelService's objective."""
    changes: tuple[Change, ...] = ()
    """Edits of the objects before the start."""
    happenings: Annotated[tuple[HappeningPart, ...], Field(max_length=HAPPENINGS_MAX)] = ()
    """What happens during the run."""
    assertions: tuple[Text, ...] = ()
    """What must be true of the result, such as `p99<=100ms` or `drops==0`."""
    lenient: Flag = False
    """Whether a metric that nothing serves is simulated as an error of the metrics API instead of refused."""


class Simulation(Root):
    """An experiment with the twin."""

    api_version: Literal["tonnage.dev/v1alpha1"]
    """The version of this document's form."""
    kind: Literal["Simulation"]
    """The kind of document."""
    metadata: DocumentMetadata
    """Its name."""
    spec: SimulationSpec = SimulationSpec()
    """The experiment."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> Simulation:  # noqa: ARG002 - pydantic's signature
        problems = list(_breaches(self.spec))
        if problems:
            raise SpecError(problems)
        return self


def _breaches(spec: SimulationSpec) -> Iterator[Problem]:
    for index, change in enumerate(spec.changes):
        yield from _edit_breaches(change, f"spec.changes[{index}]")
    for index, happening in enumerate(spec.happenings):
        path = f"spec.happenings[{index}]"
        if spec.duration is not None and happening.at >= spec.duration:
            yield Problem(f"{path}.at", f"must be before the end ({spec.duration}), got {happening.at}")
        if isinstance(happening, NodeFailure) and (happening.node is None) == (happening.zone is None):
            yield Problem(path, "must have either node or zone")
        if isinstance(happening, Edit):
            yield from _edit_breaches(happening, path)
    if spec.duration is not None and spec.interval > spec.duration:
        yield Problem("spec.interval", f"must be <= duration ({spec.duration}), got {spec.interval}")


def _edit_breaches(edit: Change | Edit, path: str) -> Iterator[Problem]:
    """An edit that changes nothing, and paths that are none."""
    behaves = isinstance(edit, Edit) and (edit.server is not None or edit.pod is not None)
    if not edit.patch and not edit.set and not behaves:
        yield Problem(path, "must have patch or set")
    for name in edit.set:
        if parse_path(name) is None:
            where = f"{path}.{format_path(('set', name))}"
            yield Problem(where, f'must be a path such as spec.metrics[0].type, got "{name}"')
