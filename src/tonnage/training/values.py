"""What this room's functions give and take: what a cluster serves, choices, objects, pods and states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tonnage.spec.training_body import BackendName, GangName

Phase = Literal["Pending", "Queued", "Running", "Restarting", "Succeeded", "Failed", "Suspended"]
Resource = tuple[str, str, str]
"""Group (empty for core), version and plural name, such as ``("batch", "v1", "jobs")``."""


@dataclass(frozen=True, slots=True)
class Served:
    """What an API server offers.

    Attributes:
        resources: Every resource, in each of its versions.
    """

    resources: frozenset[Resource]

    def has(self, group: str, version: str, plural: str) -> bool:
        """Whether the resource is served in that version."""
        return (group, version, plural) in self.resources

    def versions(self, group: str, plural: str) -> tuple[str, ...]:
        """The versions in which a resource is served, in order of their names."""
        return tuple(sorted(v for g, v, p in self.resources if (g, p) == (group, plural)))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which kind of object runs a job, and who places its workers.

    Attributes:
        backend: The back end.
        gang: Who sees to it that all workers start or none.
        reasons: Why, one sentence each.
    """

    backend: BackendName
    gang: GangName
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rendering:
    """The Kubernetes objects of a job.

    Attributes:
        objects: Plain data, in the order in which to create them; the one that runs the job is the last.
        notes: What the user should know of them, one sentence each.
    """

    objects: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedPod:
    """A pod as the cluster will make it.

    Attributes:
        name: Its name, without the random letters that a controller appends.
        role: worker, chief or parameter-server.
        index: Its number within the role, from 0.
        pod: The whole Pod object.
    """

    name: str
    role: str
    index: int
    pod: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The pod's spec."""
        spec: Mapping[str, Any] = self.pod["spec"]
        return spec


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker.

    Attributes:
        name: Name of its present pod; empty when it has none.
        role: worker, chief or parameter-server.
        index: Its number within the role.
        phase: Of its pod: Pending, Running, Succeeded, Failed or Unknown; Missing when it has none.
        node: Where it runs; None when it is not placed.
        restarts: How often it was started again, by its kubelet or as a new pod.
        exit_code: Of its last end; None when it has not ended.
        reason: Why it is not running, in few words; empty when it is.
    """

    name: str
    role: str
    index: int
    phase: str
    node: str | None = None
    restarts: int = 0
    exit_code: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """A job as the cluster reports it.

    Attributes:
        name: The job.
        phase: Its phase.
        workers: Every worker, by role and number.
        restarts: How often the job went on after a failure.
        reason: Why it is in this phase, in few words; empty where the phase says it all.
        message: The same at length, as the cluster words it.
        waits: What keeps it from running, one sentence each.
    """

    name: str
    phase: Phase
    workers: tuple[WorkerStatus, ...]
    restarts: int = 0
    reason: str = ""
    message: str = ""
    waits: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in ("Succeeded", "Failed")
