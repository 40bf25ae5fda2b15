"""What happens in a scenario at a given time: failures, edits, rollouts, outages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tonnage.hpa import Hpa
from tonnage.twin.workload import Revision

Outage = Literal["resource", "custom", "all"]
"""Which metrics API does not answer."""
Controller = Literal["hpa", "scheduler", "deployment", "node-lifecycle"]


@dataclass(frozen=True, slots=True)
class NodeFails:
    """The node and all on it stop at once, without a word."""

    at_s: float
    node: str


@dataclass(frozen=True, slots=True)
class NodeRecovers:
    """A failed node is back; what ran on it starts anew."""

    at_s: float
    node: str


@dataclass(frozen=True, slots=True)
class NodeDrained:
    """``kubectl drain``: cordon, then evict within the disruption budget; ``uncordon_s`` later it is back.

    Attributes:
        at_s: When [s].
        node: Which.
        uncordon_s: After which pods may come again [s]; None for never.
    """

    at_s: float
    node: str
    uncordon_s: float | None = None


@dataclass(frozen=True, slots=True)
class SpotInterruption:
    """The provider takes a node back.

    Attributes:
        at_s: When the notice comes [s].
        node: Which; None: one of the workload's spot nodes, drawn.
        notice_s: From the notice to the loss [s].
    """

    at_s: float
    node: str | None = None
    notice_s: float = 120.0


@dataclass(frozen=True, slots=True)
class PodKilled:
    """``kubectl delete pod``, or with ``by="crash"`` its container's end.

    Attributes:
        at_s: When [s].
        pod: Its name; None: the oldest ready one.
        by: How.
    """

    at_s: float
    pod: str | None = None
    by: Literal["delete", "crash"] = "delete"


@dataclass(frozen=True, slots=True)
class Rollout:
    """The Deployment's template is edited."""

    at_s: float
    revision: Revision


@dataclass(frozen=True, slots=True)
class HpaEdited:
    """The HPA is replaced; None deletes it."""

    at_s: float
    autoscaler: Hpa | None


@dataclass(frozen=True, slots=True)
class ReplicasEdited:
    """Somebody sets the Deployment's replicas by hand."""

    at_s: float
    replicas: int


@dataclass(frozen=True, slots=True)
class ControllerRestarted:
    """A controller forgets what it held in memory and is away for a while.

    Attributes:
        at_s: When [s].
        controller: Which.
        away_s: How long until it acts again, such as until a new leader is elected [s, >= 0].
    """

    at_s: float
    controller: Controller
    away_s: float = 15.0


@dataclass(frozen=True, slots=True)
class MetricsOutage:
    """A metrics API does not answer from ``at_s`` to ``until_s``."""

    at_s: float
    until_s: float
    which: Outage = "all"


@dataclass(frozen=True, slots=True)
class Annotated:
    """A remark for the reports; nothing happens."""

    at_s: float
    text: str


Happening = (
    NodeFails
    | NodeRecovers
    | NodeDrained
    | SpotInterruption
    | PodKilled
    | Rollout
    | HpaEdited
    | ReplicasEdited
    | ControllerRestarted
    | MetricsOutage
    | Annotated
)
