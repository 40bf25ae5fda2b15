"""Places pods one after the other, as the scheduler does, and takes them away again.

The scheduler takes a group's pods in turn and never goes back on one, also where it places all of them or
none, so nothing cleverer is done here. A pod that equals the one before it, which found no node, finds none
either, as nothing has changed since.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/schedule_one_podgroup.go, podGroupSchedulingDefaultAlgorithm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tonnage.scheduling import Choose, Cluster, Placement, Pod, PodSpec, first, schedule


@dataclass(frozen=True, slots=True)
class Evicting:
    """A placing for which other pods have to go.

    Attributes:
        placed: Name of each pod to its node.
        victims: The pods that go, in order.
        violations: How many of them disruption budgets protect.
        moved: Uid of each victim to another node that takes it then; None when not all of them find one.
    """

    placed: Mapping[str, str]
    victims: tuple[Pod, ...]
    violations: int
    moved: Mapping[str, str] | None


def named(pods: Sequence[Pod]) -> tuple[str, ...]:
    """A name for each pod that tells it apart: its own, with the namespace where two have the same."""
    names = [pod.name for pod in pods]
    return tuple(
        pod.name if names.count(pod.name) == 1 else f"{pod.namespace}/{pod.name}" for pod in pods
    )


def place(
    pods: Sequence[Pod], cluster: Cluster, *, choose: Choose = first, preempt: bool = False
) -> list[Placement]:
    """Places pods in turn, and binds those that find a node; see ``lift``.

    Args:
        pods: They.
        cluster: Changed by it.
        choose: Picks among equally good nodes.
        preempt: Whether the message of one that finds none says whom it would preempt.
    """
    found: list[Placement] = []
    failed: Placement | None = None
    for pod in pods:
        if failed is not None and _alike(failed.pod, pod):
            found.append(replace(failed, pod=pod))
            continue
        placement = schedule(pod, cluster, choose=choose, preempt=preempt)
        failed = None if placement.node is not None else placement
        if placement.node is not None:
            cluster.add_pod(pod, placement.node)
        found.append(placement)
    return found


def lift(placements: Sequence[Placement], cluster: Cluster) -> None:
    """Takes away again what ``place`` has bound."""
    for one in placements:
        if one.node is not None:
            cluster.remove_pod(one.pod.uid)


def tried(pods: Sequence[Pod], cluster: Cluster) -> dict[str, str] | None:
    """Where the pods go when all of them fit; None when one does not. The cluster is left as it was."""
    placements: list[Placement] = []
    try:
        for pod in pods:
            placement = schedule(pod, cluster, preempt=False)
            if placement.node is None:
                return None
            cluster.add_pod(pod, placement.node)
            placements.append(placement)
        return dict(zip(named(pods), (str(one.node) for one in placements), strict=True))
    finally:
        lift(placements, cluster)


def evicting(pods: Sequence[Pod], cluster: Cluster) -> Evicting | None:
    """Where the pods go when each may preempt whom its priority lets it; None when one finds no node so."""
    placed: list[Pod] = []
    victims: list[Pod] = []
    violations = 0
    try:
        for pod in pods:
            placement = schedule(pod, cluster)
            node = placement.node
            if node is None:
                if placement.nomination is None:
                    return None
                node = placement.nomination.node
                violations += placement.nomination.violations
                victims += [cluster.remove_pod(victim.uid) for victim in placement.nomination.victims]
            placed.append(cluster.add_pod(pod, node))
        where = dict(zip(named(pods), (str(pod.node) for pod in placed), strict=True))
        return Evicting(where, tuple(victims), violations, _moved(victims, cluster))
    finally:
        for pod in placed:
            cluster.remove_pod(pod.uid)
        for victim in victims:
            cluster.add_pod(victim)


def _moved(victims: Sequence[Pod], cluster: Cluster) -> dict[str, str] | None:
    if any(pod.owner is None or pod.owner.kind == "DaemonSet" for pod in victims):
        return None  # nobody makes it anew, or it belongs to its node
    waiting = [replace(pod, node=None, spec=replace(pod.spec, node_name=None)) for pod in victims]
    placements = place(waiting, cluster)
    lift(placements, cluster)
    if any(one.node is None for one in placements):
        return None
    return {one.pod.uid: str(one.node) for one in placements}


def edited(pods: Sequence[Pod], edit: Callable[[PodSpec], PodSpec]) -> tuple[Pod, ...]:
    """The pods with their specs changed; those that shared one still do."""
    changed = {spec: edit(spec) for spec in dict.fromkeys(pod.spec for pod in pods)}
    return tuple(replace(pod, spec=changed[pod.spec]) for pod in pods)


@contextmanager
def without(pods: Sequence[Pod], cluster: Cluster) -> Iterator[None]:
    """The cluster without some of its pods, for a while."""
    gone = [cluster.remove_pod(pod.uid) for pod in pods]
    try:
        yield
    finally:
        for pod in gone:
            cluster.add_pod(pod)


def _alike(one: Pod, other: Pod) -> bool:
    same_kind = one.spec == other.spec and one.labels == other.labels
    return same_kind and (one.namespace, one.owner, one.nominated) == (
        other.namespace, other.owner, other.nominated,
    )  # fmt: skip
