"""The cluster of a scenario: its nodes, the pools that can grow, who grows them, and other people's pods."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from tonnage.scheduling import Node, Pod
from tonnage.twin.pod_life import Samples, require

AutoscalerKind = Literal["cluster-autoscaler", "karpenter"]
Expander = Literal["least-waste", "price", "priority", "first"]


@dataclass(frozen=True, slots=True)
class Spot:
    """Nodes that the provider takes back.

    Attributes:
        interruptions_per_h: Mean interruptions of one node in an hour, at random times [1/h, >= 0].
        notice_s: From the notice to the loss of the node [s, >= 0].
        drained: Whether something in the cluster drains the node at the notice.
    """

    interruptions_per_h: float = 0.0
    notice_s: float = 120.0
    drained: bool = True

    def __post_init__(self) -> None:
        require(
            0 <= self.interruptions_per_h < math.inf, "interruptions_per_h", ">= 0", self.interruptions_per_h
        )
        require(0 <= self.notice_s < math.inf, "notice_s", ">= 0", self.notice_s)


@dataclass(frozen=True, slots=True)
class NodePlan:
    """A node, as the scheduler sees it and as it really is.

    Attributes:
        node: Its labels, taints, allocatable resources.
        cpu_cores: Cores that its containers share [cores]; infinite: no contention.
        memory_bytes: Memory that its containers share [bytes]; infinite: no pressure.
        price_per_h: Cost, in the currency of the prices [1/h, >= 0].
        gpus: GPUs in it, whatever their resource name [>= 0].
        images: Images that it holds from the start.
        spot: Set when it can be taken back.
    """

    node: Node
    cpu_cores: float = math.inf
    memory_bytes: float = math.inf
    price_per_h: float = 0.0
    gpus: int = 0
    images: tuple[str, ...] = ()
    spot: Spot | None = None

    def __post_init__(self) -> None:
        require(self.cpu_cores > 0, "cpu_cores", "> 0", self.cpu_cores)
        require(self.memory_bytes > 0, "memory_bytes", "> 0", self.memory_bytes)
        require(0 <= self.price_per_h < math.inf, "price_per_h", ">= 0", self.price_per_h)
        require(self.gpus >= 0, "gpus", ">= 0", self.gpus)


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A group of like nodes that can grow and shrink.

    Attributes:
        name: Its name; its nodes are called ``<name>-1`` and so on.
        template: A new node; its name is replaced.
        start: Nodes at the beginning [min to max].
        size_min: Nodes at least [>= 0].
        size_max: Nodes at most [>= size_min].
        startup_s: From asking the provider to a Ready node, drivers and device plug-in included [s].
        priority: For the expander ``priority``; larger is preferred.
        stockout: Spans [s] in which the provider has none to give.
    """

    name: str
    template: NodePlan
    start: int = 0
    size_min: int = 0
    size_max: int = 1000
    startup_s: Samples = field(default_factory=lambda: Samples.of(120.0))
    priority: int = 0
    stockout: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        require(0 <= self.size_min <= self.size_max, "size_min", f"0 to {self.size_max}", self.size_min)
        require(0 <= self.start <= self.size_max, "start", f"0 to {self.size_max}", self.start)


@dataclass(frozen=True, slots=True)
class NodeAutoscaler:
    """Who adds and removes nodes of the pools.

    Attributes:
        kind: Which one is imitated.
        scan_s: cluster-autoscaler: time between two looks [s].
        expander: How it chooses among pools that would do.
        scale_down: Whether it removes nodes.
        idle_s: Time that a node must have been unneeded before it is removed [s].
        after_add_s: Time after an addition in which none is removed [s].
        utilization_max: A node whose requests are at or above this share is needed [0 to 1].
        provision_max_s: After which a node that did not come counts as failed [s].
        batch_idle_s: karpenter: decides when no new pod came for so long [s].
        batch_max_s: karpenter: ... or when the oldest has waited for so long [s].
        consolidate_after_s: karpenter: a node is looked at when nothing changed on it for so long [s].

    Source: kubernetes/autoscaler cluster-autoscaler/config/flags/flags.go (scan-interval,
        scale-down-unneeded-time, scale-down-delay-after-add, scale-down-utilization-threshold,
        max-node-provision-time); kubernetes-sigs/karpenter pkg/operator/options/options.go
        (batch-idle-duration, batch-max-duration) and the NodePool's consolidateAfter.
    """

    kind: AutoscalerKind = "cluster-autoscaler"
    scan_s: float = 10.0
    expander: Expander = "least-waste"
    scale_down: bool = True
    idle_s: float = 600.0
    after_add_s: float = 600.0
    utilization_max: float = 0.5
    provision_max_s: float = 900.0
    batch_idle_s: float = 1.0
    batch_max_s: float = 10.0
    consolidate_after_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("scan_s", "provision_max_s", "batch_max_s"):
            require(0 < getattr(self, name) < math.inf, name, "> 0 and finite", getattr(self, name))
        for name in ("idle_s", "after_add_s", "batch_idle_s", "consolidate_after_s"):
            require(0 <= getattr(self, name) < math.inf, name, ">= 0 and finite", getattr(self, name))
        require(0 <= self.utilization_max <= 1, "utilization_max", "0 to 1", self.utilization_max)


@dataclass(frozen=True, slots=True)
class OtherPod:
    """Somebody else's pod, which is there for the whole run unless it is preempted or evicted.

    Attributes:
        pod: It, as the scheduler sees it.
        node: Where it runs at the start; None: it waits to be scheduled.
        cpu_cores: CPU that it wants at all times [cores, >= 0].
        cpu_request_cores: Its weight when cores are scarce [cores]; None for no request.
        cpu_limit_cores: Its limit [cores]; None for none.
        memory_bytes: Memory that it uses [bytes, >= 0].
        memory_request_bytes: Its request; what it uses beyond it makes it an early victim [bytes, >= 0].
        returns: Whether its own controller makes it anew when it is gone.
    """

    pod: Pod
    node: str | None = None
    cpu_cores: float = 0.0
    cpu_request_cores: float | None = None
    cpu_limit_cores: float | None = None
    memory_bytes: int = 0
    memory_request_bytes: int = 0
    returns: bool = True

    def __post_init__(self) -> None:
        require(0 <= self.cpu_cores < math.inf, "cpu_cores", ">= 0 and finite", self.cpu_cores)
        require(self.memory_bytes >= 0, "memory_bytes", ">= 0", self.memory_bytes)


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget over the workload's pods, for drains and consolidation.

    Attributes:
        min_available: Ready pods at least, or a share like ``"50%"``; None when the other is set.
        max_unavailable: Pods that may be away, or a share; None when the other is set.
    """

    min_available: int | str | None = None
    max_unavailable: int | str | None = None

    def __post_init__(self) -> None:
        both = (self.min_available, self.max_unavailable)
        require(both.count(None) == 1, "budget", "minAvailable or maxUnavailable, and not both", both)


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """Nodes at the start and what may become of them.

    Attributes:
        nodes: Nodes that no pool owns.
        pools: Pools.
        autoscaler: Who grows and shrinks the pools; None: nobody.
        other_pods: Other people's pods.
        budget: The workload's PodDisruptionBudget; None for none.
    """

    nodes: tuple[NodePlan, ...] = ()
    pools: tuple[PoolPlan, ...] = ()
    autoscaler: NodeAutoscaler | None = None
    other_pods: tuple[OtherPod, ...] = ()
    budget: DisruptionBudget | None = None

    def __post_init__(self) -> None:
        names = [plan.node.name for plan in self.nodes]
        require(len(set(names)) == len(names), "nodes", "each name once", names)
        pools = [pool.name for pool in self.pools]
        require(len(set(pools)) == len(pools), "pools", "each name once", pools)
        require(bool(names or pools), "cluster", "at least one node or pool", 0)
