"""How long the control plane takes: periods, delays and patience, with Kubernetes' own defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Final

from tonnage.hpa import ControllerConfig
from tonnage.twin.pod_life import require


@dataclass(frozen=True, slots=True)
class ControlTimes:
    """Times of the control plane; all but ``hpa`` in seconds, >= 0 and finite.

    Attributes:
        hpa: The HPA controller's flags.
        hpa_phase_s: When its first look happens.
        reaction_s: From a change to the look of the controller that watches it: Deployment, ReplicaSet.
        schedule_s: One pod's scheduling and binding; the scheduler takes one pod at a time.
        scheduler_backoff_s: First back-off of a pod that did not fit.
        scheduler_backoff_s_max: Longest one.
        scheduler_flush_s: After which a pod that did not fit is tried again without a reason.
        kubelet_sync_s: From a change that a kubelet watches to its action.
        status_s: From a change in a container to its status at the API server.
        endpoints_s: From a change of a pod's status to the new EndpointSlice.
        proxy_s: From a new EndpointSlice to every kube-proxy's rules.
        node_monitor_period_s: Time between two looks of the node lifecycle controller [> 0].
        node_monitor_grace_s: Without a heartbeat for so long a node is Unknown.
        toleration_s: How long a pod tolerates a not-ready or unreachable node.
        restart_backoff_s: First back-off of a container that ended [> 0].
        restart_backoff_s_max: Longest one.
        restart_backoff_reset_s: A container that ran so long starts again without a back-off.
        pod_gc_s: Time between two looks of the garbage collector of pods [> 0].
        node_removed_s: From a node's failure until a cloud controller removes its object; infinite: never.

    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/config/v1alpha1/defaults.go,
        pkg/scheduler/apis/config/v1/defaults.go (back-off) and backend/queue/scheduling_queue.go (flush),
        pkg/controller/nodelifecycle/config/v1alpha1/defaults.go (50 s, 5 s),
        plugin/pkg/admission/defaulttolerationseconds/admission.go (300 s), pkg/kubelet/kubelet.go and
        pkg/kubelet/apis/config (10 s to 300 s), pkg/controller/podgc/gc_controller.go (20 s). The small
        delays are estimates of an idle control plane.
    """

    hpa: ControllerConfig = field(default_factory=ControllerConfig)
    hpa_phase_s: float = 0.0
    reaction_s: float = 0.02
    schedule_s: float = 0.01
    scheduler_backoff_s: float = 1.0
    scheduler_backoff_s_max: float = 10.0
    scheduler_flush_s: float = 300.0
    kubelet_sync_s: float = 0.05
    status_s: float = 0.05
    endpoints_s: float = 0.1
    proxy_s: float = 0.5
    node_monitor_period_s: float = 5.0
    node_monitor_grace_s: float = 50.0
    toleration_s: float = 300.0
    restart_backoff_s: float = 10.0
    restart_backoff_s_max: float = 300.0
    restart_backoff_reset_s: float = 600.0
    pod_gc_s: float = 20.0
    node_removed_s: float = math.inf

    def __post_init__(self) -> None:
        require(self.hpa.sync_period_s > 0, "hpa.sync_period_s", "> 0", self.hpa.sync_period_s)
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, ControllerConfig):
                continue
            positive = item.name in _POSITIVE
            require(value > 0 if positive else value >= 0, item.name, "> 0" if positive else ">= 0", value)
            endless = item.name in _ENDLESS
            require(endless or math.isfinite(value), item.name, "finite", value)


_POSITIVE: Final = frozenset({"node_monitor_period_s", "pod_gc_s", "restart_backoff_s"})
_ENDLESS: Final = frozenset({"node_removed_s", "toleration_s"})
