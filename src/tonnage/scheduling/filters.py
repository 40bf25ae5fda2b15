"""Which nodes a pod may go to, and why not to the others: all filters, over all nodes at once.

A node is judged by the filters in upstream's order and named for the first that rejects it. ``Trial`` asks
the same of one node with other pods on it.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/apis/config/v1/default_plugins.go (the order),
pkg/scheduler/framework/plugins/noderesources/fit.go (fitsRequest), pkg/scheduler/framework/plugins/nodeports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tonnage.scheduling.affinity import (
    FAR,
    NEAR,
    UNWANTED,
    AffinityRules,
    affinity_rules,
    rejected_by_affinity,
)
from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.nodefit import NodeFit, node_fit, rejection_of
from tonnage.scheduling.placement import Rejection
from tonnage.scheduling.pod import HostPort, Pod, PodSpec
from tonnage.scheduling.spread import SKEWED, UNLABELLED, SpreadRule, spread_rules
from tonnage.scheduling.table import Bools, Ints, NodeTable

RESOURCES: Final = "NodeResourcesFit"
TOO_MANY: Final = "Too many pods"
PORTS: Final = Rejection(
    "NodePorts", ("node(s) didn't have free ports for the requested pod ports",), True
)
DEVICES: Final = Rejection("DynamicResources", ("cannot allocate all claims",), False)
EVERY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - compared with, never listened on

_PORTS, _RESOURCES, _SKEWED, _UNLABELLED, _FAR, _NEAR, _UNWANTED, _DEVICES = range(4, 12)
_BY_RANK: Final = {
    _PORTS: PORTS,
    _SKEWED: SKEWED,
    _UNLABELLED: UNLABELLED,
    _FAR: FAR,
    _NEAR: NEAR,
    _UNWANTED: UNWANTED,
    _DEVICES: DEVICES,
}


@dataclass(frozen=True, slots=True)
class Filtered:
    """What all filters say of all nodes.

    Attributes:
        pod: The pod.
        cluster: The cluster.
        fit: How the nodes suit the pod's spec.
        spread: Required spread constraints, with their counts.
        affinity: Required affinity, with its counts.
        names: The nodes' names.
        fault: Per node the rank of the filter that rejects it; -1 for none.
        shortages: Reasons of NodeResourcesFit, each with the nodes that it holds for and those of them that
            would be too small even without pods.
    """

    pod: Pod
    cluster: Cluster
    fit: NodeFit
    spread: tuple[SpreadRule, ...]
    affinity: AffinityRules
    names: tuple[str, ...]
    fault: Ints
    shortages: tuple[tuple[str, Bools, Bools], ...]

    def rejection(self, place: int) -> Rejection | None:
        """Why the node of a place is rejected; None when it is not."""
        fault = int(self.fault[place])
        if fault < _PORTS:
            return None if fault < 0 else rejection_of(fault)
        if fault == _RESOURCES:
            short = [(reason, beyond[place]) for reason, lacks, beyond in self.shortages if lacks[place]]
            reasons = tuple(reason for reason, _ in short)
            return Rejection(RESOURCES, reasons, not any(beyond for _, beyond in short))
        return _BY_RANK[fault]


def filtered(pod: Pod, cluster: Cluster) -> Filtered:
    """Runs all filters for a pod over all nodes."""
    spec, table = pod.spec, cluster.table
    fit = node_fit(spec, cluster)
    spread = spread_rules(pod, cluster, fit)
    affinity = affinity_rules(pod, cluster)
    fault = fit.fault.copy()

    def reject(nodes: Bools, rank: int) -> None:
        fault[nodes & (fault < 0)] = rank

    if spec.host_ports:
        taken = (ports_taken(spec, cluster.ports_on(place)) for place in range(len(table)))
        reject(np.fromiter(taken, np.bool_, len(table)), _PORTS)
    shortages = _shortages(spec, table)
    for _, lacks, _ in shortages:
        reject(lacks, _RESOURCES)
    for rule in spread:
        reject(~rule.domains.present, _UNLABELLED)
        reject(rule.skewed(), _SKEWED)
    if not affinity.is_idle:
        far, near, unwanted = rejected_by_affinity(affinity, cluster)
        reject(far, _FAR)
        reject(near, _NEAR)
        reject(unwanted, _UNWANTED)
    if spec.devices:
        places = range(len(table))
        short_of = (devices_lacking(spec, cluster, place) for place in places)
        reject(np.fromiter(short_of, np.bool_, len(table)), _DEVICES)
    return Filtered(pod, cluster, fit, spread, affinity, table.names, fault, shortages)


def _shortages(spec: PodSpec, table: NodeTable) -> tuple[tuple[str, Bools, Bools], ...]:
    found = [(TOO_MANY, table.pods + 1 > table.pods_max, np.zeros(len(table), np.bool_))]
    for name, amount in spec.requests.items():
        if amount > 0:
            allocatable, free = table.free(name)
            found.append((f"Insufficient {name}", amount > free, amount > allocatable))
    return tuple(found)


def lacking(spec: PodSpec, cluster: Cluster, place: int, requested: dict[str, int]) -> Rejection | None:
    """What of the requested resources a node lacks.

    Args:
        spec: What the pod requests.
        cluster: The cluster.
        place: The node's place.
        requested: What the pods there request, by resource; and how many they are, as ``pods``.
    """
    table = cluster.table
    reasons = []
    resolvable = True
    if requested["pods"] + 1 > table.pods_max[place]:
        reasons.append(TOO_MANY)
    for name, amount in spec.requests.items():
        if amount <= 0:
            continue
        column = table.allocatable.get(name)
        allocatable = 0 if column is None else int(column[place])
        if amount > allocatable - requested.get(name, 0):
            reasons.append(f"Insufficient {name}")
            resolvable = resolvable and amount <= allocatable
    return Rejection(RESOURCES, tuple(reasons), resolvable) if reasons else None


def ports_taken(spec: PodSpec, ports: set[HostPort]) -> bool:
    """Whether a port that the pod takes is taken; ``0.0.0.0`` conflicts with every address.

    Source: k8s.io/kube-scheduler v0.37.2, framework/types.go, HostPortInfo.CheckConflict.
    """
    return any(
        wanted.protocol == taken.protocol
        and wanted.port == taken.port
        and (wanted.address == taken.address or EVERY_ADDRESS in (wanted.address, taken.address))
        for wanted in spec.host_ports
        for taken in ports
    )


def devices_lacking(spec: PodSpec, cluster: Cluster, place: int) -> bool:
    """Whether a node has too few devices for the pod's claims: a count per class, and no more than that."""
    devices, held = cluster.table.nodes[place].devices, cluster.devices_on(place)
    return any(amount > devices.get(name, 0) - held[name] for name, amount in spec.devices)
