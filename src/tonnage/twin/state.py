"""What a run holds while it runs: pods, nodes, records, and who is told of what.

Mutable on purpose, and the only thing that is: the models decide over values taken from here, the loops act
here. A pod's fields are those of its object at the API server; what only its kubelet knows is in
``loops.replica``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal

import numpy as np

from tonnage.scheduling import Cluster, Pod
from tonnage.twin.cluster_plan import NodePlan, OtherPod
from tonnage.twin.engine import Engine
from tonnage.twin.records import NodeFact, NodeRecord, PodFact, PodRecord, Record
from tonnage.twin.scenario import Scenario
from tonnage.twin.workload import Revision

Phase = Literal["Pending", "Running", "Failed"]


class Topic(Enum):
    """What loops can be told of; the argument is the pod's or node's state."""

    POD_CREATED = "pod created"
    POD_BOUND = "pod bound to a node"
    POD_STATUS = "pod status changed"
    POD_DELETED = "pod got its deletionTimestamp"
    POD_GONE = "pod object is gone"
    POD_UNSCHEDULABLE = "the scheduler found no node"
    NODE_JOINED = "node is there and Ready"
    NODE_CHANGED = "node's taints or cordon changed"
    NODE_GONE = "node object is gone"


@dataclass(slots=True, eq=False)
class PodState:
    """A pod's object.

    Attributes:
        number: Running number, the older the smaller.
        name: Its name.
        pod: It, as the scheduler sees it.
        created_s: When it was made [s].
        template: Its revision; None for somebody else's pod.
        revision: Number of its revision, from 1; 0 for somebody else's pod.
        other: Set for somebody else's pod.
        node: Its node.
        phase: Its phase.
        start_time_s: ``status.startTime``, whole seconds [s].
        ready: Whether its Ready condition is True; None before it has one.
        ready_since_s: When that last changed, whole seconds [s].
        ready_at_s: When it became ready, exactly [s]; None when it is not.
        restarts: Of its container.
        deleted_s: When its deletionTimestamp was set [s]; None when it was not.
        grace_s: Grace period of that deletion [s].
        gone: Whether its object is gone.
        message: The scheduler's last FailedScheduling message.
    """

    number: int
    name: str
    pod: Pod
    created_s: float
    template: Revision | None = None
    revision: int = 0
    other: OtherPod | None = None
    node: str | None = None
    phase: Phase = "Pending"
    start_time_s: float | None = None
    ready: bool | None = None
    ready_since_s: float = 0.0
    ready_at_s: float | None = None
    restarts: int = 0
    deleted_s: float | None = None
    grace_s: float = 0.0
    gone: bool = False
    message: str = ""

    @property
    def active(self) -> bool:
        """Whether its ReplicaSet counts it."""
        return not self.gone and self.deleted_s is None and self.phase != "Failed"


@dataclass(slots=True, eq=False)
class NodeState:
    """A node's object, and whether the machine is alive.

    Attributes:
        name: Its name.
        plan: What it is.
        pool: Its pool; None for a node that no pool owns.
        joined_s: When it became Ready [s].
        alive: Whether the machine runs.
        ready: Whether its Ready condition is True.
        cordoned: Whether it is unschedulable.
        images: Image to when its pull is done [s].
        died_s: When it stopped [s].
        leaving: Whether it is being removed.
    """

    name: str
    plan: NodePlan
    pool: str | None = None
    joined_s: float = 0.0
    alive: bool = True
    ready: bool = True
    cordoned: bool = False
    images: dict[str, float] = field(default_factory=dict)
    died_s: float = 0.0
    leaving: bool = False


Watcher = Callable[[PodState | NodeState], None]


class Run:
    """Everything that the loops of one run share.

    Attributes:
        scenario: What is run.
        engine: Time.
        cluster: The scheduler's view; bound pods and nodes.
        pods: Pods whose object is there, by name, oldest first.
        nodes: Nodes whose object is there, by name.
        records: Facts so far.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario: Final = scenario
        self.engine: Final = Engine()
        self.cluster: Final = Cluster()
        self.pods: Final[dict[str, PodState]] = {}
        self.nodes: Final[dict[str, NodeState]] = {}
        self.records: Final[list[Record]] = []
        self._watchers: dict[Topic, list[Watcher]] = {topic: [] for topic in Topic}
        self._on_node: dict[str, dict[str, PodState]] = {}
        self._pod_number = 0

    @property
    def now_s(self) -> float:
        """The time [s]."""
        return self.engine.now_s

    def rng(self, purpose: str, number: int = 0) -> np.random.Generator:
        """A stream of randomness of its own for one purpose, so that no draw shifts another's."""
        key = (zlib.crc32(purpose.encode()), number)
        return np.random.default_rng(np.random.SeedSequence(self.scenario.seed, spawn_key=key))

    def watch(self, watcher: Callable[..., None], *topics: Topic) -> None:
        """Tell somebody of these topics, after those who asked before."""
        for topic in topics:
            self._watchers[topic].append(watcher)

    def tell(self, topic: Topic, subject: PodState | NodeState) -> None:
        """Tell all who asked."""
        for watcher in self._watchers[topic]:
            watcher(subject)

    def next_pod_number(self) -> int:
        """The number of the next pod."""
        self._pod_number += 1
        return self._pod_number

    def own_pods(self) -> Iterator[PodState]:
        """The workload's pods, oldest first."""
        return (pod for pod in self.pods.values() if pod.other is None)

    def pods_on(self, node: str) -> list[PodState]:
        """All pods of a node, in the order in which they came."""
        return list(self._on_node.get(node, {}).values())

    def bind(self, pod: PodState, node: str) -> None:
        """Put a pod on a node, in the scheduler's view too."""
        pod.pod = self.cluster.add_pod(pod.pod, node)
        pod.node = node
        self._on_node.setdefault(node, {})[pod.name] = pod

    def forget(self, pod: PodState) -> None:
        """A pod's object is gone."""
        pod.gone = True
        del self.pods[pod.name]
        if pod.node is not None:
            self._on_node[pod.node].pop(pod.name, None)
        if self.cluster.find_pod(pod.pod.uid) is not None:
            self.cluster.remove_pod(pod.pod.uid)
        self.cluster.withdraw(pod.pod.uid)

    def note_pod(self, pod: PodState, what: PodFact, detail: str = "") -> None:
        """Record a fact about a pod of the workload; other people's pods only when they lose their place."""
        if pod.other is None or what in ("preempted", "evicted", "lost", "unschedulable"):
            self.records.append(PodRecord(self.now_s, pod.name, pod.node, what, detail))

    def note_node(self, node: str, what: NodeFact, detail: str = "") -> None:
        """Record a fact about a node."""
        self.records.append(NodeRecord(self.now_s, node, what, detail))

    def delete(self, pod: PodState, detail: str, *, grace_s: float | None = None) -> None:
        """Set a pod's deletionTimestamp; nothing happens when it has one.

        Args:
            pod: It.
            detail: Who deletes it and why.
            grace_s: Another grace period than its own [s].
        """
        if pod.gone or pod.deleted_s is not None:
            return
        own_s = pod.template.life.termination.grace_s if pod.template else OTHER_GRACE_S
        pod.deleted_s = self.now_s
        pod.grace_s = own_s if grace_s is None else grace_s
        self.note_pod(pod, "terminating", detail)
        self.tell(Topic.POD_DELETED, pod)


OTHER_GRACE_S: Final = 30.0
"""Grace period of other people's pods: Kubernetes' default."""
