"""The facts of a run: what happened when, to whom, and why. Frozen, in the order in which they happened.

Every statement of a report can be traced to records; each carries the reason that the imitated controller
itself would give (the scheduler's FailedScheduling message, the HPA's conditions and the rule that decided).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PodFact = Literal[
    "created",
    "unschedulable",
    "nominated",
    "scheduled",
    "preempted",
    "pulling",
    "started",
    "loading",
    "loaded",
    "warm",
    "started_up",
    "ready",
    "unready",
    "available",
    "probe_failed",
    "killed",
    "crashed",
    "oom_killed",
    "back_off",
    "restarted",
    "terminating",
    "signalled",
    "lost_requests",
    "evicted",
    "lost",
    "gone",
]
"""What happens to a pod. ``started``: its container runs; ``started_up``: its startup probe passed;
``killed``: by a probe; ``signalled``: SIGTERM; ``lost``: its node is gone; ``gone``: so is its object."""

NodeFact = Literal[
    "asked_for",
    "joined",
    "failed",
    "unknown",
    "tainted",
    "recovered",
    "cordoned",
    "uncordoned",
    "drained",
    "interruption_notice",
    "unneeded",
    "pressure",
    "removed",
    "not_available",
]
RolloutFact = Literal["began", "scaled", "deadlocked", "progress_deadline_exceeded", "complete"]
PipelineFact = Literal["outage", "restored", "restarted"]


@dataclass(frozen=True, slots=True)
class MetricSeen:
    """One metric in one decision of the HPA.

    Attributes:
        name: Its name, such as ``cpu`` or ``inference_latency_p99``.
        current: What was seen, in the metric's unit; None when there was nothing.
        target: What is wanted, in the same unit.
        proposal: Replicas that it proposes; None when it could not.
        error: Why it could not; None when it could.
    """

    name: str
    current: float | None
    target: float
    proposal: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ScalingDecision:
    """One look of the HPA controller.

    Attributes:
        at_s: When [s].
        hpa: Its name.
        spec_replicas: Replicas before.
        desired: Replicas after.
        rescaled: Whether it changed the Deployment.
        reason: Why, in the controller's words.
        metrics: What it saw.
        conditions: Its conditions as (type, status, reason, message).
        trace: The steps of the decision, each with its numbers, in order.
    """

    at_s: float
    hpa: str
    spec_replicas: int
    desired: int
    rescaled: bool
    reason: str
    metrics: tuple[MetricSeen, ...] = ()
    conditions: tuple[tuple[str, str, str, str], ...] = ()
    trace: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodRecord:
    """Something that happened to a pod.

    Attributes:
        at_s: When [s].
        pod: Its name.
        node: Where it is; None when nowhere.
        what: The fact.
        detail: The reason, in the words of who decided.
    """

    at_s: float
    pod: str
    node: str | None
    what: PodFact
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """Something that happened to a node."""

    at_s: float
    node: str
    what: NodeFact
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A step of a rollout.

    Attributes:
        at_s: When [s].
        revision: Which revision, counted from 1.
        what: The fact.
        detail: The reason, with the numbers of both ReplicaSets.
    """

    at_s: float
    revision: int
    what: RolloutFact
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PipelineRecord:
    """A metrics pipeline or a controller stops or comes back."""

    at_s: float
    who: str
    what: PipelineFact
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark of the scenario."""

    at_s: float
    text: str


Record = ScalingDecision | PodRecord | NodeRecord | RolloutRecord | PipelineRecord | Remark
