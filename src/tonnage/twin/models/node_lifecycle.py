"""The node lifecycle controller: when a silent node counts as lost, and how fast its pods are driven off.

A kubelet renews its node's lease every 10 s. The controller looks every 5 s; when a lease has not moved for
the grace period it sets the node's conditions to Unknown, marks its pods not ready, and taints the node:
NoSchedule at once, NoExecute through a queue that lets one node of a zone pass every 10 s. Pods bear that
taint for as long as they tolerate it. When a zone loses too many nodes at once the queue slows down or stops:
then it is more likely that the controller is cut off than that all machines died.

Source: k8s.io/kubernetes v1.37.2 pkg/controller/nodelifecycle/node_lifecycle_controller.go
    (monitorNodeHealth, tryUpdateNodeHealth, processTaintBaseEviction, doNoExecuteTaintingPass,
    handleDisruption, ComputeZoneState, ReducedQPSFunc, HealthyQPSFunc),
    cmd/kube-controller-manager/app/options (0.1/s, 0.01/s, 55%, 50 nodes),
    pkg/controller/tainteviction/taint_eviction.go, pkg/kubelet/kubelet.go (lease of 40 s,
    renewed every quarter), pkg/controller/podgc/gc_controller.go (20 s, orphans after 40 s).

Deviations:
    * A node is silent only when it is dead: a network split that leaves pods running is not modelled.
    * Leases are renewed at whole multiples of 10 s after the node joined.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from tonnage.scheduling import PodSpec, Taint

LEASE_RENEW_S: Final = 10.0
"""Time between two renewals of a node's lease [s]."""
ORPHAN_S: Final = 40.0
"""How long the garbage collector gives the pods of a node that is not there [s]."""
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
UNREACHABLE_TAINTS: Final = (
    Taint(UNREACHABLE, "", "NoSchedule"),
    Taint(UNREACHABLE, "", "NoExecute"),
)
EVICTIONS_PER_S: Final = 0.1
EVICTIONS_SLOW_PER_S: Final = 0.01
UNHEALTHY_RATIO: Final = 0.55
LARGE_ZONE_NODES: Final = 50

ZoneState = Literal["normal", "partial", "full"]


@dataclass(frozen=True, slots=True)
class Zone:
    """How many nodes of a zone are ready."""

    ready: int
    not_ready: int


def unknown_at(
    joined_s: float, died_s: float, monitor_phase_s: float, period_s: float, grace_s: float
) -> float:
    """When a node that died is found Unknown [s].

    Args:
        joined_s: When it joined, from which its renewals are counted [s].
        died_s: When it died [s].
        monitor_phase_s: When the controller looked for the first time [s].
        period_s: Time between two looks [s].
        grace_s: How long a lease may stand still [s].
    """
    renewals = math.floor((died_s - joined_s) / LEASE_RENEW_S + 1e-9)
    renewed_s = joined_s + max(renewals, 0) * LEASE_RENEW_S
    seen_s = _look(monitor_phase_s, period_s, renewed_s, strict=False)
    return _look(monitor_phase_s, period_s, seen_s + grace_s, strict=True)


def zone_state(zone: Zone) -> ZoneState:
    """How badly a zone is off."""
    if zone.ready == 0 and zone.not_ready > 0:
        return "full"
    share = zone.not_ready / max(zone.not_ready + zone.ready, 1)
    return "partial" if zone.not_ready > 2 and share >= UNHEALTHY_RATIO else "normal"


def evictions_per_s(zone: Zone, zones: Sequence[Zone]) -> float:
    """How many nodes of a zone may be tainted NoExecute in a second; 0 for none at all.

    Args:
        zone: It.
        zones: All zones, this one included.
    """
    if all(zone_state(item) == "full" for item in zones):
        return 0.0
    if zone_state(zone) != "partial":
        return EVICTIONS_PER_S
    return EVICTIONS_SLOW_PER_S if zone.ready + zone.not_ready > LARGE_ZONE_NODES else 0.0


def tolerated_s(spec: PodSpec, taint: Taint, default_s: float) -> float:
    """How long a pod bears a NoExecute taint [s]; infinite for ever.

    Args:
        spec: The pod.
        taint: The taint.
        default_s: The toleration that admission adds for not-ready and unreachable [s].
    """
    bearing = [toleration for toleration in spec.tolerations if toleration.tolerates(taint)]
    if not bearing:
        return default_s if taint.key == UNREACHABLE else 0.0
    limits = [toleration.seconds for toleration in bearing if toleration.seconds is not None]
    return max(min(limits), 0) if limits else math.inf


def _look(phase_s: float, period_s: float, after_s: float, *, strict: bool) -> float:
    looks = (after_s - phase_s) / period_s
    number = math.floor(looks + 1e-9) + 1 if strict else math.ceil(looks - 1e-9)
    return phase_s + max(number, 0) * period_s
