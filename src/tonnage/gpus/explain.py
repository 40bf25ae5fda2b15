"""Why one node takes a pod or not: each of the node's properties beside what the pod asks for.

The scheduler names the first filter that rejects a node. Here all are looked at, so that who removes one
obstacle is not met by the next; and of a node that passes it is said how the scheduler scored it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tonnage.errors import Problem, SpecError
from tonnage.gpus.inventory import written
from tonnage.gpus.placing import named, place
from tonnage.gpus.world import World, want
from tonnage.scheduling import Cluster, Node, Placement, Pod, schedule
from tonnage.scheduling.resources import PODS
from tonnage.scheduling.scores import WEIGHTS

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Amount:
    """One resource of a node, beside what a pod asks for: millicores, bytes, counts.

    Attributes:
        resource: Its name; a DeviceClass with its selectors for claimed devices.
        asked: By the pod.
        allocatable: By the node in all.
        used: By the pods there.
    """

    resource: str
    asked: int
    allocatable: int
    used: int

    @property
    def enough(self) -> bool:
        """Whether what is free is enough."""
        return self.asked <= self.allocatable - self.used


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node and one pod.

    Attributes:
        node: The node.
        pod: The pod.
        rejected_by: The scheduler's plugin that rejects the node; empty when it passes.
        reasons: In the scheduler's words.
        cordoned: Whether the node is cordoned.
        taints: Each taint that keeps pods off, and whether the pod tolerates it.
        labels: Each label that the pod asks for, with what the node has, and whether that will do.
        amounts: Each resource that the pod asks for.
        chosen: The node on which the pod is placed; None when it finds none.
        scores: Per plugin the weighted score of this node and of the chosen one, where both passed.
    """

    node: str
    pod: str
    rejected_by: str
    reasons: tuple[str, ...]
    cordoned: bool
    taints: tuple[tuple[str, bool], ...]
    labels: tuple[tuple[str, str, bool], ...]
    amounts: tuple[Amount, ...]
    chosen: str | None
    scores: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def explain(world: World, pods: Sequence[Object], node: str) -> Explanation:
    """Explains a node for the first pod that finds none, or for the first pod when all find one.

    Args:
        world: The cluster.
        pods: The pods, in the order of placing.
        node: The node's name.

    Raises:
        SpecError: There is no such node.
    """
    wanted = want(world, pods)
    cluster = world.cluster(wanted.nodes)
    if node not in cluster.table.place:
        raise SpecError([Problem("--explain", f"must be a node of the cluster, got {node}")])
    names = named(wanted.pods)
    placements = place(wanted.pods, cluster)
    at = next((rank for rank, one in enumerate(placements) if one.node is None), 0)
    cluster = world.cluster(wanted.nodes)
    place(wanted.pods[:at], cluster)
    placement = schedule(wanted.pods[at], cluster, preempt=False)
    return _explanation(cluster, names[at], wanted.pods[at], cluster.node(node), placement)


def _explanation(cluster: Cluster, name: str, pod: Pod, node: Node, placement: Placement) -> Explanation:
    rejection = placement.rejections.get(node.name)
    return Explanation(
        node=node.name,
        pod=name,
        rejected_by=rejection.plugin if rejection is not None else "",
        reasons=rejection.reasons if rejection is not None else (),
        cordoned=node.unschedulable,
        taints=tuple(
            (written(taint), pod.spec.tolerates(taint))
            for taint in node.taints
            if taint.effect != "PreferNoSchedule"
        ),
        labels=tuple(_labels(pod, node)),
        amounts=tuple(_amounts(cluster, pod, node)),
        chosen=placement.node,
        scores=_scores(placement, node.name),
    )


def _labels(pod: Pod, node: Node) -> list[tuple[str, str, bool]]:
    found = [
        (f"{key}={value}", node.labels.get(key, "(none)"), node.labels.get(key) == value)
        for key, value in pod.spec.node_selector
    ]
    terms = pod.spec.node_terms or ()
    for term in terms:
        for one in term.labels:
            values = f" {', '.join(one.values)}" if one.values else ""
            text = f"{one.key} {one.operator}{values}" + (" (or another term)" if len(terms) > 1 else "")
            found.append((text, node.labels.get(one.key, "(none)"), one.matches(node.labels)))
    return found


def _amounts(cluster: Cluster, pod: Pod, node: Node) -> list[Amount]:
    used = cluster.requested(node.name)
    allocatable = dict(node.allocatable.items())
    found = [Amount(PODS, 1, node.pods_max, used[PODS])]
    found += [
        Amount(name, amount, allocatable.get(name, 0), used.get(name, 0))
        for name, amount in pod.spec.requests.items()
        if amount
    ]
    held = cluster.devices_on(cluster.table.place[node.name])
    found += [Amount(key, count, node.devices.get(key, 0), held[key]) for key, count in pod.spec.devices]
    return found


def _scores(placement: Placement, node: str) -> dict[str, tuple[int, int]]:
    if placement.node is None or node not in placement.totals:
        return {}
    found = {}
    for plugin, scores in placement.scores.items():
        weight = WEIGHTS.get(plugin, 1)
        found[plugin] = (scores[node] * weight, scores[placement.node] * weight)
    found["total"] = (placement.totals[node], placement.totals[placement.node])
    return found
