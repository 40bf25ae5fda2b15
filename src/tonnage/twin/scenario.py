"""The input of the twin: one frozen value that holds everything a run depends on.

Two runs of equal scenarios give equal results, so a scenario is also how a run is named, compared and
repeated. It is built by ``tonnage.twin.inputs`` from Kubernetes objects and a profile, or by hand. Its
parts are in modules of their own and are all found here too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tonnage.hpa import Hpa
from tonnage.twin.cluster_plan import (
    ClusterPlan,
    DisruptionBudget,
    NodeAutoscaler,
    NodePlan,
    OtherPod,
    PoolPlan,
    Spot,
)
from tonnage.twin.control_times import ControlTimes
from tonnage.twin.happenings import (
    Annotated,
    ControllerRestarted,
    Happening,
    HpaEdited,
    MetricsOutage,
    NodeDrained,
    NodeFails,
    NodeRecovers,
    PodKilled,
    ReplicasEdited,
    Rollout,
    SpotInterruption,
)
from tonnage.twin.metrics_plan import CustomMetric, CustomMetrics, MetricsPlan, ResourceMetrics
from tonnage.twin.pod_life import (
    PLAIN_ENDPOINTS,
    TONNAGE_ENDPOINTS,
    Compute,
    Crash,
    Endpoint,
    PodLife,
    Probe,
    Samples,
    Termination,
    require,
)
from tonnage.twin.requests import ArrivalPlan, ClientModel, RequestConfig, ServerModel
from tonnage.twin.workload import Revision, RolloutPlan, Workload

__all__ = [
    "PLAIN_ENDPOINTS",
    "TONNAGE_ENDPOINTS",
    "Annotated",
    "ArrivalPlan",
    "ClientModel",
    "ClusterPlan",
    "Compute",
    "ControlTimes",
    "ControllerRestarted",
    "Crash",
    "CustomMetric",
    "CustomMetrics",
    "DisruptionBudget",
    "Endpoint",
    "Happening",
    "HpaEdited",
    "MetricsOutage",
    "MetricsPlan",
    "NodeAutoscaler",
    "NodeDrained",
    "NodeFails",
    "NodePlan",
    "NodeRecovers",
    "Objective",
    "OtherPod",
    "PodKilled",
    "PodLife",
    "PoolPlan",
    "Probe",
    "ReplicasEdited",
    "RequestConfig",
    "ResourceMetrics",
    "Revision",
    "Rollout",
    "RolloutPlan",
    "Samples",
    "Scenario",
    "ServerModel",
    "Spot",
    "SpotInterruption",
    "Termination",
    "Workload",
]


@dataclass(frozen=True, slots=True)
class Objective:
    """What must hold.

    Attributes:
        percentile: Of the latency, in (0, 100).
        latency_s: Its bound [s, > 0].
        error_ratio_max: Share of requests that may be refused, failed or timed out [0 to 1].
    """

    percentile: float
    latency_s: float
    error_ratio_max: float = 0.0

    def __post_init__(self) -> None:
        require(0 < self.percentile < 100, "percentile", "in (0, 100)", self.percentile)
        require(0 < self.latency_s < math.inf, "latency_s", "> 0 and finite", self.latency_s)
        require(0 <= self.error_ratio_max <= 1, "error_ratio_max", "0 to 1", self.error_ratio_max)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that a run depends on.

    Attributes:
        name: For people.
        workload: The Deployment.
        cluster: Nodes and pools.
        traffic: Arrivals.
        servers: Model servers; revisions name them by index.
        client: Time-outs and retries.
        network: Balancing and round trips. Its ``interval_s`` and ``slo_s`` are those of this scenario.
        autoscaler: The HPA; None for none.
        metrics: The metrics pipelines.
        control: Times of the control plane.
        happenings: What happens when, in any order.
        objective: What must hold; None: nothing is judged.
        duration_s: Length of the run [s, > 0].
        interval_s: Interval of the series [s, > 0].
        seed: Of all randomness [>= 0].
        not_modelled: What the input asked for and the twin does not do, as sentences.
    """

    name: str
    workload: Workload
    cluster: ClusterPlan
    traffic: ArrivalPlan
    servers: tuple[ServerModel, ...]
    client: ClientModel
    duration_s: float
    network: RequestConfig = field(default_factory=RequestConfig)
    autoscaler: Hpa | None = None
    metrics: MetricsPlan = field(default_factory=MetricsPlan)
    control: ControlTimes = field(default_factory=ControlTimes)
    happenings: tuple[Happening, ...] = ()
    objective: Objective | None = None
    interval_s: float = 1.0
    seed: int = 0
    not_modelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(0 < self.duration_s < math.inf, "duration_s", "> 0 and finite", self.duration_s)
        within = 0 < self.interval_s <= self.duration_s
        require(within, "interval_s", "> 0 and <= duration_s", self.interval_s)
        require(self.seed >= 0, "seed", ">= 0", self.seed)
        require(len(self.servers) > 0, "servers", "at least one", 0)
        revisions = [self.workload.revision]
        revisions += [h.revision for h in self.happenings if isinstance(h, Rollout)]
        for revision in revisions:
            known = 0 <= revision.server < len(self.servers)
            require(known, "revision.server", f"0 to {len(self.servers) - 1}", revision.server)
        for happening in self.happenings:
            within = 0 <= happening.at_s < math.inf
            require(within, f"happenings.{type(happening).__name__}.at_s", ">= 0 and finite", happening.at_s)
