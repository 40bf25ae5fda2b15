"""What ``fit`` answers: where pods go, what stands in the way, and what would help."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

ChangeKind = Literal[
    "wait", "preempt", "tolerate", "label", "uncordon", "type", "selector", "spread", "move", "request",
    "split", "fewer", "evict", "nodes", "vendor",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One change after which everything fits; it was tried.

    Attributes:
        kind: Of what kind it is.
        text: What to do, in one sentence.
        how: Lines of YAML for the pod's spec, or commands; may be empty.
        placed: Where each pod goes then.
        victims: Pods that are evicted or moved, as ``namespace/name``.
        automatic: Whether the cluster makes it by itself, once the pods are there.
    """

    kind: ChangeKind
    text: str
    how: tuple[str, ...] = ()
    placed: Mapping[str, str] = field(default_factory=dict)
    victims: tuple[str, ...] = ()
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether pods can be placed now.

    Attributes:
        pods: The pods that were asked about, in the order of placing.
        gang: Whether all are placed or none.
        placed: Pod to node. For a gang that does not fit, nothing.
        partial: Pod to node of those that found one, whether or not they are placed in the end.
        equals: Per pod the nodes that the scheduler finds equally good; it takes any of them.
        stuck: The first pod that finds no node; None when all do.
        message: The text of its FailedScheduling event; empty when all find one.
        rejected: Per node why it rejects that pod, in the scheduler's words.
        plugins: Per node the scheduler's plugin that rejects it.
        changes: What would help, the smallest first.
        notes: What of the pods or the cluster was not looked at.
    """

    pods: tuple[str, ...]
    gang: bool
    placed: Mapping[str, str]
    partial: Mapping[str, str]
    equals: Mapping[str, tuple[str, ...]]
    stuck: str | None = None
    message: str = ""
    rejected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every pod finds a node."""
        return self.stuck is None
