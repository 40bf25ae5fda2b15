"""The decision for one pod."""

from __future__ import annotations

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.placement import Choose, Placement, Sampling, first
from tonnage.scheduling.pod import Pod


def schedule(
    pod: Pod,
    cluster: Cluster,
    *,
    choose: Choose = first,
    preempt: bool = True,
    sampling: Sampling | None = None,
) -> Placement:
    """Decides where a pod goes; the cluster is left as it was.

    Args:
        pod: A pod without a node.
        cluster: Nodes and pods.
        choose: Picks among equally good nodes, also among equally good preemptions.
        preempt: Whether preemption is considered when no node fits.
        sampling: When not all nodes are looked at; None for all.
    """
    raise NotImplementedError(pod, cluster, choose, preempt, sampling)
