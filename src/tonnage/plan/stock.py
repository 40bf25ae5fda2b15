"""What a cluster has room for: replicas placed one after the other, as the scheduler would, and quotas.

The scheduler's own decision is asked (``tonnage.scheduling``), with the very pod that the manifests have, so
that selectors, taints, anti-affinity and spread count as they will. Its first answer among equals is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from tonnage.kube.quantity import Quantity
from tonnage.scheduling import Cluster, Node, Placement, Pod
from tonnage.scheduling.node import ZONE
from tonnage.scheduling.schedule import schedule

INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
PLACED_MAX: Final = 2_000
"""Replicas that are placed one by one at most."""


class Decide(Protocol):
    """Decides where a pod goes; ``tonnage.scheduling.schedule`` is one."""

    def __call__(self, pod: Pod, cluster: Cluster, /) -> Placement:
        """Answers for one pod and leaves the cluster as it was."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a ResourceQuota leaves to a namespace.

    Attributes:
        name: Of the ResourceQuota.
        left: Resource, as the quota names it (``requests.cpu``, ``pods``), to what is left of it.
    """

    name: str
    left: Mapping[str, Quantity] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class QuotaBound:
    """How many replicas a quota allows.

    Attributes:
        replicas: That many.
        quota: Its name.
        resource: The resource that ends it.
        left: What is left of it, as it is written.
        each: What one replica takes, as it is written.
    """

    replicas: int
    quota: str
    resource: str
    left: str
    each: str


@dataclass(frozen=True, slots=True)
class Stock:
    """Where replicas go on given nodes.

    Attributes:
        nodes: The node of each further replica, in the order of placing.
        zones: The zone of each of these nodes; empty text for none.
        instance_types: The instance type of each of these nodes; empty text for none.
        per_hour: The price of each of these nodes, where it is known [currency/h].
        complete: Whether placing ended because nothing more fits, and not by the bound.
        refusal: Why the next replica found no node, in the scheduler's words.
        nodes_known: Nodes that were given.
    """

    nodes: tuple[str, ...]
    zones: tuple[str, ...]
    instance_types: tuple[str, ...]
    per_hour: tuple[float | None, ...]
    complete: bool
    refusal: str
    nodes_known: int

    @property
    def replicas_max(self) -> int:
        """Replicas that fit."""
        return len(self.nodes)


def place_replicas(
    nodes: Sequence[Node],
    others: Sequence[tuple[Pod, str]],
    replica: Pod,
    *,
    prices: Mapping[str, float] | None = None,
    replicas_max: int = PLACED_MAX,
    decide: Decide = schedule,
) -> Stock:
    """Places replicas until none fits or the bound is reached.

    Args:
        nodes: All nodes.
        others: Pods that run already, each with its node.
        replica: The pod of one replica; it preempts nobody here.
        prices: Price by node, where it is known [currency/h].
        replicas_max: Replicas at most [>= 1].
        decide: The scheduler.
    """
    cluster = Cluster()
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        cluster.add_node(node)
    for pod, name in others:
        if name in by_name:
            cluster.add_pod(pod, name)
    placed: list[str] = []
    refusal = ""
    while len(placed) < replicas_max:
        pod = replace(replica, name=f"{replica.name}-{len(placed)}", uid=f"{replica.name}-{len(placed)}")
        placement = decide(pod, cluster)
        if placement.node is None:
            refusal = placement.message
            break
        cluster.add_pod(pod, placement.node)
        placed.append(placement.node)
    return Stock(
        nodes=tuple(placed),
        zones=tuple(by_name[name].labels.get(ZONE, "") for name in placed),
        instance_types=tuple(by_name[name].labels.get(INSTANCE_TYPE, "") for name in placed),
        per_hour=tuple((prices or {}).get(name) for name in placed),
        complete=bool(refusal),
        refusal=refusal,
        nodes_known=len(nodes),
    )


def quota_bound(quotas: Sequence[Quota], each: Mapping[str, Quantity]) -> QuotaBound | None:
    """How many replicas the tightest quota allows; None where no quota counts what a replica takes.

    Args:
        quotas: Of the namespace.
        each: What one replica takes, by resource: ``cpu``, ``memory``, ``limits.cpu``, ``nvidia.com/gpu``.

    Source: Kubernetes documentation, Resource Quotas: ``cpu`` and ``requests.cpu`` are one, as are ``memory``
        and ``requests.memory``; an extended resource is counted as ``requests.<name>`` only.
    """
    bounds = [
        QuotaBound(max(0, left.nano // taken.nano), quota.name, name, str(left), str(taken))
        for quota in quotas
        for name, left in quota.left.items()
        if (taken := _taken(name, each)) is not None and taken.nano > 0
    ]
    return min(bounds, key=lambda bound: bound.replicas) if bounds else None


def _taken(name: str, each: Mapping[str, Quantity]) -> Quantity | None:
    if name in ("pods", "count/pods"):
        return Quantity.of(1)
    return each.get(name) or each.get(name.removeprefix("requests."))
