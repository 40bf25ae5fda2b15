"""The scheduler's answer for one pod: a node, or why not, and whom it would preempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from tonnage.scheduling.pod import Pod

NO_NODES: Final = "no nodes available to schedule pods"
_NOTE_MAX: Final = 1024
"""Characters of an event; Kubernetes cuts what is longer."""


class Choose(Protocol):
    """Picks one of several equally good nodes; their names come in the cluster's order, at least one."""

    def __call__(self, names: Sequence[str], /) -> str:
        """Returns one of the names."""


def first(names: Sequence[str], /) -> str:
    """The rule without chance: the node that joined the cluster first."""
    return names[0]


class Rejection(NamedTuple):
    """Why a node was rejected.

    Attributes:
        plugin: The plugin that rejected it, such as ``NodeResourcesFit``.
        reasons: In upstream's words, such as ``Insufficient nvidia.com/gpu``.
        resolvable: Whether removing pods might help, so that preemption looks at the node.
    """

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool


@dataclass(frozen=True, slots=True)
class Preemption:
    """Pods to be removed so that a pod fits.

    Attributes:
        node: Where.
        victims: Who, the most important first.
        violations: How many of the victims' disruption budgets do not allow it.
        tied: All nodes that were as good, ``node`` among them, in the cluster's order.
    """

    node: str
    victims: tuple[Pod, ...]
    violations: int = 0
    tied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """What the scheduler decided for one pod.

    Attributes:
        pod: It.
        node: The node to bind it to; None when none fits.
        best: All nodes with the best total, in the cluster's order; ``node`` is one of them.
        totals: Weighted score of each feasible node; empty when only one node is feasible, as nothing is
            scored then.
        scores: Per plugin the normalised score of each feasible node, before its weight [0 to 100]. A plugin
            that has nothing to say of this pod is absent and counts 0.
        feasible: The nodes that passed all filters, in the cluster's order.
        rejections: Per rejected node, why; nodes that were not looked at are absent.
        message: The text of the FailedScheduling event; empty when a node was found.
        nomination: Whom to preempt; None when nobody.
        candidates: All preemptions that were considered.
        next_start: Where the next search begins; see ``Sampling``.
    """

    pod: Pod
    node: str | None
    best: tuple[str, ...] = ()
    feasible: tuple[str, ...] = ()
    totals: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    message: str = ""
    nomination: Preemption | None = None
    candidates: tuple[Preemption, ...] = ()
    next_start: int = 0

    @property
    def note(self) -> str:
        """The message as the event carries it: cut to 1024 characters."""
        return self.message if len(self.message) <= _NOTE_MAX else f"{self.message[: _NOTE_MAX - 4]} ..."


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many feasible nodes are enough, and where the search for them begins.

    Attributes:
        percentage: Of the nodes, how many feasible ones are looked for [0 to 100]; 0 is upstream's default:
            50% less one for every 125 nodes, at least 5%. Below 100 nodes all are looked at in any case.
        start: Index of the node at which the search begins; pass ``Placement.next_start`` of the last one.

    The twin's default is to look at all nodes. Upstream stops at that many and its 16 workers race, so which
    nodes it scores in a cluster of 100 or more is partly chance; we take them strictly in turn.

    Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/schedule_one.go, numFeasibleNodesToFind.
    """

    percentage: int = 100
    start: int = 0

    def enough(self, nodes: int) -> int:
        """How many feasible nodes are looked for among so many nodes."""
        if nodes < 100:
            return nodes
        percentage = self.percentage or max(50 - nodes // 125, 5)
        return max(nodes * percentage // 100, 100)


ALL_NODES: Final = Sampling()
"""Every node is looked at."""
