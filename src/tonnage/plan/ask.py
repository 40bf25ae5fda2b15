"""Everything that a plan is made from, gathered and ready: documents read, options parsed, nodes counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tonnage.kube.quantity import Quantity
from tonnage.plan.beside import beside_s
from tonnage.plan.demand import Demand, Following
from tonnage.plan.feasibility import Bound
from tonnage.plan.price import PriceTable, ReplicaNeed
from tonnage.plan.replica import CurveModel, QueueModel, ReplicaModel, curve_model
from tonnage.plan.service_time import service_law
from tonnage.plan.sizing import Spread, Survive
from tonnage.plan.stock import Quota, Stock, quota_bound
from tonnage.plan.words import duration, percent, rate
from tonnage.profile.parts import ModelProfile
from tonnage.spec.scaling import Scaling
from tonnage.spec.service import ModelService

HEADROOM_DEFAULT: Final = 0.2
SYNC_S: Final = 15.0
"""Between two looks of the HorizontalPodAutoscaler.

Source: k8s.io/kubernetes v1.37.2, pkg/controller/podautoscaler/config/v1alpha1/defaults.go,
    RecommendedDefaultHPAControllerConfiguration, HorizontalPodAutoscalerSyncPeriod.
"""
RESOURCE_METRICS_S: Final = 30.0
"""Until a change of CPU or memory shows: two resolutions of metrics-server, which needs two samples.

Source: kubernetes-sigs/metrics-server, manifests/base/deployment.yaml, --metric-resolution=15s.
"""
READY_UNKNOWN_S: Final = 60.0
"""Start of a replica where nothing was measured."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of planning.

    Attributes:
        service: The document.
        profile: What was measured.
        rate_per_s: Rate to be carried [1/s, > 0].
        rate_origin: Where it is from.
        headroom_ratio: Rate on top [>= 0].
        survive: What may be lost at once.
        zones: Zones that replicas are spread over, where no nodes say so [>= 1]; None for unknown.
        demand: Traffic for the minimum and maximum; None for none.
        stock: Room on given nodes; None for unknown.
        quotas: Of the namespace.
        each: What a replica takes, by resource name, for quotas.
        prices: Price table; None for none.
        least: Replicas at least, where the twin asked for more than the estimate [>= 1].
    """

    service: ModelService
    profile: ModelProfile
    rate_per_s: float
    rate_origin: str = "spec.objective.requestsPerSecond"
    headroom_ratio: float = HEADROOM_DEFAULT
    survive: Survive = "node"
    zones: int | None = None
    demand: Demand | None = None
    stock: Stock | None = None
    quotas: tuple[Quota, ...] = ()
    each: Mapping[str, Quantity] = field(default_factory=dict, hash=False)
    prices: PriceTable | None = None
    least: int = 1

    def __post_init__(self) -> None:
        if not self.rate_per_s > 0:
            raise ValueError(f"rate_per_s: must be > 0, got {self.rate_per_s}")
        if not self.headroom_ratio >= 0:
            raise ValueError(f"headroom_ratio: must be >= 0, got {self.headroom_ratio}")
        if self.zones is not None and self.zones < 1:
            raise ValueError(f"zones: must be >= 1, got {self.zones}")

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        gpu = self.service.spec.resources.gpu
        return gpu.count if gpu is not None else 0

    @property
    def size_max(self) -> int:
        """Items in one batch at most."""
        batching = self.service.spec.batching
        return batching.size_max if batching.enabled else 1

    @property
    def gather_max(self) -> int | None:
        """Items that are gathered into a batch; None where the server measures it at warm-up."""
        batching = self.service.spec.batching
        return batching.gather_max if batching.enabled else None

    @property
    def wait_max_s(self) -> float:
        """How long an unfilled batch is held [s]."""
        return self.service.spec.batching.wait_max.seconds if self.size_max > 1 else 0.0

    @property
    def cores(self) -> float:
        """CPU limit of a replica [cores]."""
        return self.service.spec.resources.cpu_limit.nano / 1e9

    @property
    def workers(self) -> int:
        """Processes of a replica; where the document says nothing, as many as the server takes by itself.

        Source: ``tonnage.server.cpu.default_workers``, one for each whole CPU of the limit, at least one.
        """
        return self.service.spec.server.workers or max(1, int(self.cores))

    @property
    def need(self) -> ReplicaNeed:
        """What a replica takes of a node."""
        resources = self.service.spec.resources
        anti_affinity = self.service.spec.scheduling.anti_affinity
        alone = anti_affinity.mode == "required" and anti_affinity.topology_key == "kubernetes.io/hostname"
        return ReplicaNeed(
            cpu_millicores=resources.cpu.milli_value,
            memory_bytes=resources.memory.value,
            gpus=self.gpus,
            gpu_types=resources.gpu.types_in_order if resources.gpu is not None else (),
            alone=alone,
        )


def model_of(ask: Ask) -> ReplicaModel:
    """The replica: its queue where service times were measured, else the measured curve.

    Raises:
        ValueError: The profile has neither.
    """
    if ask.profile.batches:
        law = service_law(
            ask.profile,
            size_max=ask.size_max,
            gather_max=ask.gather_max,
            wait_max_s=ask.wait_max_s,
            workers=ask.workers,
            cores=ask.cores,
        )
        return QueueModel(replace(law, fixed_s=law.fixed_s + beside_s(ask.profile)))
    curve = curve_model(ask.profile)
    if curve is None:
        raise ValueError("must hold batches, or a curve with quantiles of runs without errors")
    return curve


def spread_of(ask: Ask) -> Spread:
    """Over what replicas are spread, as the nodes or the options tell."""
    if ask.survive == "none":
        return Spread("none")
    if ask.survive == "zone":
        if ask.stock is not None and any(ask.stock.zones):
            return Spread("zone", order=ask.stock.zones)
        return Spread("zone", domains=ask.zones or 1)
    if ask.stock is not None:
        return Spread("node", order=ask.stock.nodes)
    return Spread("node")


def bounds_of(ask: Ask) -> tuple[Bound, ...]:
    """How many replicas there may be."""
    bounds = []
    scaling = ask.service.spec.scaling
    if scaling is not None:
        text = f"spec.scaling.maxReplicas is {scaling.max_replicas}"
        bounds.append(Bound("max-replicas", "spec.scaling.maxReplicas", scaling.max_replicas, text))
    stock = ask.stock
    if stock is not None and stock.complete:
        text = f"on {stock.nodes_known} nodes the next one finds no room ({stock.refusal})"
        bounds.append(Bound("stock", "--nodes", stock.replicas_max, text, surge_counts=True))
    quota = quota_bound(ask.quotas, ask.each)
    if quota is not None:
        left = f"ResourceQuota {quota.quota} leaves {quota.left} of {quota.resource}"
        text = f"{left}, and a replica takes {quota.each}"
        bounds.append(Bound("quota", f"ResourceQuota/{quota.quota}", quota.replicas, text, surge_counts=True))
    return tuple(bounds)


def following_of(ask: Ask) -> tuple[Following, tuple[tuple[str, float, str], ...]]:
    """How an autoscaler follows the traffic, and (name, seconds, origin) of what makes it late."""
    scaling = ask.service.spec.scaling or Scaling()
    resource = all(metric.type in ("cpu", "memory") for metric in scaling.metrics)
    window_s = ask.service.spec.server.latency_window.seconds
    seen = (
        ("the metric shows it", RESOURCE_METRICS_S, "metrics-server, two samples of 15 s")
        if resource
        else ("the metric's window passes", window_s, "spec.server.latencyWindow")
    )
    startup = ask.profile.startup
    ready = (
        ("a replica becomes ready", startup.ready_s.at(99), "profile: startup.readySeconds, p99")
        if startup is not None
        else ("a replica becomes ready", READY_UNKNOWN_S, "assumed, the profile has no start-up")
    )
    up, down = scaling.behavior.scale_up, scaling.behavior.scale_down
    parts = (
        seen,
        ("the autoscaler looks", SYNC_S, "Kubernetes' default"),
        ("it waits before it adds", up.stabilization_window.seconds, "spec.scaling.behavior.scaleUp"),
        ready,
    )
    behind_s = sum(seconds for _, seconds, _ in parts)
    return Following(behind_s, down.stabilization_window.seconds + SYNC_S), parts


def remarks_of(ask: Ask, model: ReplicaModel) -> tuple[str, ...]:
    """What a reader should know before trusting the plan."""
    remarks = _of_the_profile(ask)
    if isinstance(model, CurveModel):
        remarks.append(
            "the profile has no service times by batch size: latencies are read off its measured curve, "
            "whatever batching and workers the document sets"
        )
    if ask.gpus and ask.workers > ask.gpus:
        remarks.append(
            f"{ask.workers} workers share {ask.gpus} GPU: each is taken to be as fast as one alone, which it "
            "is not; set spec.server.workers to the number of GPUs"
        )
    if ask.wait_max_s > 0:
        remarks.append(
            "the estimate only adds the batch delay to every request; trust the twin, which plays it"
        )
    if ask.demand is not None:
        peak = ask.demand.peak_per_s(ask.service.spec.server.latency_window.seconds)
        if peak > ask.rate_per_s * (1 + 1e-9):
            remarks.append(
                f"the traffic's peak of {rate(peak)} is above the rate: the count is for the rate, the "
                "maximum for the traffic"
            )
    if ask.headroom_ratio == 0:
        remarks.append(f"head-room of {percent(0)}: a replica runs at the edge of its objective")
    return tuple(remarks)


def _of_the_profile(ask: Ask) -> list[str]:
    """Where the profile is rough, or was made with other settings than the document's."""
    profile, remarks = ask.profile, []
    settings = profile.settings
    if settings is not None:
        pairs = (("sizeMax", settings.size_max, ask.size_max), ("workers", settings.workers, ask.workers))
        remarks += [
            f"the profile was measured with {name} {then}, the document says {now}"
            for name, then, now in pairs
            if then != now
        ]
        if settings.quick:
            remarks.append("the profile is of the quick form: its tails are rough, and so is the plan")
    largest = max((batch.size for batch in profile.batches), default=0)
    if profile.batches and ask.size_max > largest:
        remarks.append(
            f"batches beyond the largest measured size ({largest}) are taken to grow in proportion to items"
        )
    if profile.stability is not None and not profile.stability.stable:
        failed = [check.name for check in profile.stability.checks if not check.holds]
        remarks.append(
            f"the profile calls its own figures unstable: {len(failed)} of "
            f"{len(profile.stability.checks)} checks do not hold ({', '.join(failed[:3])}, ...); "
            "profile again on a calmer machine"
        )
    if profile.startup is None and ask.demand is not None:
        remarks.append(f"a replica is assumed to start in {duration(READY_UNKNOWN_S)}: it was not measured")
    if profile.machine is not None and abs(len(profile.machine.cpus_server) - ask.cores) >= 1:
        remarks.append(
            f"the profile's server had {len(profile.machine.cpus_server)} CPUs ({profile.machine.cpu}), "
            f"a replica has {ask.cores:g}: times on other hardware differ"
        )
    return remarks
