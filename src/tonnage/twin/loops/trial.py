"""Trials on the scheduler's cluster: what would fit if there were more nodes, or one fewer.

A trial adds nodes and pods to the run's own cluster, asks the scheduler's filters, and takes everything back
when it ends; nothing of it is seen outside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tonnage.scheduling import Cluster, Pod, schedule
from tonnage.twin.cluster_plan import NodePlan, PoolPlan

_TRIAL = "trial"


class Trial:
    """A cluster in which things are tried.

    Args:
        cluster: It; left as it was when ``trial`` ends.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._nodes: list[str] = []
        self._pods: list[str] = []

    def add_node(self, plan: NodePlan) -> str:
        """A new node, empty; its name."""
        name = f"{_TRIAL}/{len(self._cluster.node_names)}"
        labels = {**plan.node.labels, "kubernetes.io/hostname": name}
        self._cluster.add_node(dataclasses.replace(plan.node, name=name, labels=labels))
        self._nodes.append(name)
        return name

    def place(self, pod: Pod, among: Sequence[str] | None = None) -> str | None:
        """Put a pod on a node where it fits.

        Args:
            pod: It, without a node.
            among: The nodes to choose from, the first that fits; None for all of the cluster.

        Returns:
            The node; None when it fits nowhere.
        """
        wanted = dataclasses.replace(
            pod, uid=f"{_TRIAL}/{pod.uid}", node=None, nominated=None, terminating=False
        )
        placement = schedule(wanted, self._cluster, preempt=False)
        fits = set(placement.feasible)
        names = placement.feasible if among is None else [name for name in among if name in fits]
        if not names:
            return None
        self._cluster.add_pod(wanted, names[0])
        self._pods.append(wanted.uid)
        return names[0]

    def drop_last_node(self) -> None:
        """Undo the last ``add_node``; the node must be empty."""
        self._cluster.remove_node(self._nodes.pop())

    def take_back(self) -> None:
        """Undo everything."""
        for uid in reversed(self._pods):
            self._cluster.remove_pod(uid)
        for name in reversed(self._nodes):
            self._cluster.remove_node(name)


@contextmanager
def trial(cluster: Cluster) -> Iterator[Trial]:
    """Try things on a cluster, and undo them all."""
    attempt = Trial(cluster)
    try:
        yield attempt
    finally:
        attempt.take_back()


def without_fitting(attempt: Trial, pods: Sequence[Pod], coming: Sequence[NodePlan]) -> list[Pod]:
    """Pods that fit neither on what is there nor on the nodes that are on their way.

    Args:
        attempt: The trial; the nodes stay in it.
        pods: Pending pods.
        coming: Nodes on their way.
    """
    for plan in coming:
        attempt.add_node(plan)
    return [pod for pod in pods if attempt.place(pod) is None]


def packed(attempt: Trial, pods: Sequence[Pod], pool: PoolPlan, nodes_max: int) -> tuple[list[Pod], int]:
    """Pack pods onto new nodes of a pool, one node after another.

    Args:
        attempt: The trial; nodes and pods stay in it.
        pods: Pods that fit nowhere else.
        pool: The pool.
        nodes_max: New nodes at most.

    Returns:
        The pods that found a place, and how many nodes that took.
    """
    names: list[str] = []
    taken: list[Pod] = []
    for pod in pods:
        if names and attempt.place(pod, names) is not None:
            taken.append(pod)
            continue
        if len(names) >= nodes_max:
            continue
        fresh = attempt.add_node(pool.template)
        if attempt.place(pod, [fresh]) is None:
            # a pod that does not fit on an empty node fits on none of this pool
            attempt.drop_last_node()
            continue
        names.append(fresh)
        taken.append(pod)
    return taken, len(names)
