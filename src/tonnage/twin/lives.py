"""The life of every pod and node of a run, told as phases with a beginning and an end.

Records say when something became so; a plot and a verdict want to know for how long it stayed so. This is
the one place that turns the former into the latter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tonnage.twin.records import NodeFact, NodeRecord, PodFact, PodRecord, Record

Phase = Literal[
    "pending", "starting", "loading", "warming", "ready", "not ready", "restarting", "lost", "terminating",
    "provisioning", "up", "cordoned", "down",
]
"""What a pod (to ``terminating``) or a node (the rest) is busy with. ``starting``: image and container;
``warming``: loaded and not yet said to be ready; ``restarting``: its container ended and is waited for;
``lost``: its node is gone and its object still there."""

_POD_PHASES: Final[Mapping[PodFact, Phase]] = {
    "created": "pending",
    "unschedulable": "pending",
    "scheduled": "starting",
    "pulling": "starting",
    "started": "loading",
    "loading": "loading",
    "loaded": "warming",
    "warm": "warming",
    "ready": "ready",
    "unready": "not ready",
    "killed": "restarting",
    "crashed": "restarting",
    "oom_killed": "restarting",
    "back_off": "restarting",
    "restarted": "loading",
    "preempted": "terminating",
    "evicted": "terminating",
    "terminating": "terminating",
    "lost": "lost",
}
_NODE_PHASES: Final[Mapping[NodeFact, Phase]] = {
    "asked_for": "provisioning",
    "joined": "up",
    "failed": "down",
    "unknown": "down",
    "recovered": "up",
    "cordoned": "cordoned",
    "drained": "cordoned",
    "uncordoned": "up",
}
_TROUBLES: Final = frozenset(
    {
        "unschedulable", "preempted", "probe_failed", "killed", "crashed", "oom_killed", "lost_requests",
        "evicted", "lost", "failed", "interruption_notice", "pressure", "not_available",
    }
)  # fmt: skip
_ENDS: Final = frozenset({"gone", "removed"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """One phase of one life.

    Attributes:
        phase: Which.
        from_s: Its beginning [s].
        to_s: Its end [s], that of the run at the latest.
        detail: What was said when it began.
    """

    phase: Phase
    from_s: float
    to_s: float
    detail: str = ""

    @property
    def length_s(self) -> float:
        """How long it lasted [s]."""
        return self.to_s - self.from_s

    def overlaps(self, from_s: float, to_s: float) -> bool:
        """Whether any of it lies in a span of time."""
        return self.from_s < to_s and self.to_s > from_s


@dataclass(frozen=True, slots=True)
class Trouble:
    """A moment that went wrong in a life."""

    at_s: float
    what: PodFact | NodeFact
    detail: str


@dataclass(frozen=True, slots=True)
class Life:
    """All that became of a pod or a node.

    Attributes:
        name: Its name.
        node: Where a pod ran last; None when nowhere, and for nodes.
        stretches: Its phases, in order, each of some length.
        troubles: What went wrong, in order.
    """

    name: str
    node: str | None
    stretches: tuple[Stretch, ...]
    troubles: tuple[Trouble, ...]


def pod_lives(records: Iterable[Record], *, duration_s: float) -> tuple[Life, ...]:
    """Tell the lives of all pods, in the order in which they appear.

    Args:
        records: Records of a run, in order.
        duration_s: When the run ends [s].
    """
    stories: dict[str, _Story] = {}
    for record in records:
        if isinstance(record, PodRecord):
            story = stories.setdefault(record.pod, _Story(record.pod))
            story.node = record.node or story.node
            story.tell(record.at_s, record.what, record.detail, _POD_PHASES.get(record.what))
    return tuple(story.ended(duration_s) for story in stories.values())


def node_lives(
    records: Iterable[Record], *, nodes: Iterable[str], duration_s: float
) -> tuple[Life, ...]:
    """Tell the lives of all nodes: those that are there at the start first.

    Args:
        records: Records of a run, in order.
        nodes: Names of the nodes that are there at the start.
        duration_s: When the run ends [s].
    """
    stories: dict[str, _Story] = {}
    for name in nodes:
        stories[name] = _Story(name)
        stories[name].tell(0.0, "joined", "there at the start", "up")
    for record in records:
        if isinstance(record, NodeRecord):
            story = stories.setdefault(record.node, _Story(record.node))
            story.tell(record.at_s, record.what, record.detail, _NODE_PHASES.get(record.what))
    return tuple(story.ended(duration_s) for story in stories.values())


class _Story:
    """A life while it is being told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.node: str | None = None
        self._phase: Phase | None = None
        self._since_s = 0.0
        self._detail = ""
        self._stretches: list[Stretch] = []
        self._troubles: list[Trouble] = []

    def tell(self, at_s: float, what: PodFact | NodeFact, detail: str, phase: Phase | None) -> None:
        """Take in one fact."""
        if what in _TROUBLES:
            self._troubles.append(Trouble(at_s, what, detail))
        if what in _ENDS:
            self._close(at_s)
            self._phase = None
        elif phase is not None and phase != self._phase and not self._outlived_by(phase):
            self._close(at_s)
            self._phase, self._since_s, self._detail = phase, at_s, detail
        elif phase is not None and phase == self._phase and detail:
            self._detail = detail

    def _outlived_by(self, phase: Phase) -> bool:
        """A pod that is terminating or lost does not become unready any more."""
        return self._phase in ("terminating", "lost") and phase in ("not ready", "restarting")

    def _close(self, at_s: float) -> None:
        if self._phase is not None and at_s > self._since_s:
            self._stretches.append(Stretch(self._phase, self._since_s, at_s, self._detail))

    def ended(self, duration_s: float) -> Life:
        """The whole, cut at the end of the run."""
        self._close(duration_s)
        return Life(self.name, self.node, tuple(self._stretches), tuple(self._troubles))
