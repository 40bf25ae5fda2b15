"""Shares the node's network, processes or memory.

What it finds:
    hostNetwork, hostPID or hostIPC in a workload that is no DaemonSet.
Why it matters:
    With hostNetwork two replicas cannot share a node, as their ports collide, and NetworkPolicies do not
    hold; the others open the node's processes and shared memory to the pod.
    Source: kubernetes.io/docs/concepts/security/pod-security-standards, baseline.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      hostIPC: true
      containers: [{name: server}]
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers: [{name: server}]
How to fix:
    Remove it; for shared memory mount an emptyDir of medium Memory at /dev/shm.
Limits:
    RDMA between nodes may need hostNetwork: beside its devices, and beside TPUs, that is for information.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule

_FABRICS: Final = ("rdma/", "vpc.amazonaws.com/efa", "google.com/tpu", "networking.gke.io")


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind == "DaemonSet":
        return
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if workload.at(name) is True:
            mild = name == "hostNetwork" and _is_fabric(workload)
            path = (*workload.path, name)
            yield Hit(path, f"{name} opens the node to the pod", severity="info" if mild else None)


def _is_fabric(workload: Workload) -> bool:
    """Whether its containers ask for devices that work on the host's network."""
    amounts = [{**one.amounts("requests"), **one.amounts("limits")} for one in workload.containers]
    return any(str(name).startswith(_FABRICS) for named in amounts for name in named)


RULE = Rule("TNG096", "warning", "workload", _check, __doc__)
