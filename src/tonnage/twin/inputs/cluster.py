"""The cluster: given nodes, given pools, or a default one that is said aloud."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject
from tonnage.kube.quantity import Quantity
from tonnage.kube.shape import quantity_of
from tonnage.plan.price import CPU_SHARE, MEMORY_SHARE, PriceTable, ReplicaNeed, cheapest
from tonnage.scheduling import Amounts, Node, Pod, Taint
from tonnage.scheduling.node import HOSTNAME, ZONE
from tonnage.scheduling.objects import node_from_object
from tonnage.spec.nodepools import ClusterAutoscaler, Karpenter, NodePool, NodePools
from tonnage.twin.cluster_plan import Expander, NodeAutoscaler, NodePlan, PoolPlan, Spot
from tonnage.twin.pod_life import Samples

INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
PODS_MAX_DEFAULT: Final = 110
"""Pods of a node that does not say. Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/apis/config/v1beta1."""
DEFAULT_ZONES: Final = ("zone-a", "zone-b", "zone-c")
_GPU_RESOURCES: Final = (
    "nvidia.com/gpu", "nvidia.com/mig-", "amd.com/gpu", "gpu.intel.com/", "habana.ai/gaudi",
)  # fmt: skip
_EXPANDERS: Final[Mapping[str, Expander]] = {
    "leastWaste": "least-waste",
    "price": "price",
    "priority": "priority",
    "first": "first",
}


def is_gpu(resource: str) -> bool:
    """Whether a resource counts GPUs, or slices of them."""
    return resource.startswith(_GPU_RESOURCES)


def gpus_in(amounts: Amounts) -> int:
    """GPUs, or slices of them, among amounts."""
    return sum(count for name, count in amounts.scalars if is_gpu(name))


def nodes_from_objects(
    items: list[KubeObject], prices: PriceTable
) -> tuple[tuple[NodePlan, ...], list[str], list[Problem]]:
    """Nodes as Kubernetes has them.

    Args:
        items: Node objects; one without ``status.allocatable`` allocates all of its capacity.
        prices: Prices by instance type.

    Returns:
        The nodes, what was assumed of them, and what is wrong.
    """
    plans: list[NodePlan] = []
    problems: list[Problem] = []
    unpriced: list[str] = []
    by_type = {instance.name: instance.per_hour for instance in prices.instances}
    for item in items:
        value = item.plain()
        status = value.setdefault("status", {})
        allocatable = dict(status.get("allocatable") or status.get("capacity") or {})
        allocatable.setdefault("pods", str(PODS_MAX_DEFAULT))
        status["allocatable"] = allocatable
        labels = value["metadata"].setdefault("labels", {}) or {}
        value["metadata"]["labels"] = {HOSTNAME: item.name, **labels}
        capacity = status.get("capacity") or allocatable
        if "cpu" not in allocatable or "memory" not in allocatable:
            message = "must have cpu and memory, in allocatable or capacity"
            problems.append(item.problem(("status",), message))
            continue
        try:
            node = node_from_object(value)
        except SpecError as error:
            problems += [item.placed(problem) for problem in error.problems]
            continue
        kind = node.labels.get(INSTANCE_TYPE, "")
        if kind not in by_type:
            unpriced.append(node.name)
        plans.append(
            NodePlan(
                node=node,
                cpu_cores=float(quantity_of(capacity.get("cpu", allocatable["cpu"]))),
                memory_bytes=float(quantity_of(capacity.get("memory", allocatable["memory"]))),
                price_per_h=by_type.get(kind, 0.0),
                gpus=gpus_in(node.allocatable),
                images=tuple(node.images),
            )
        )
    assumed = []
    if len(unpriced) < len(plans):
        assumed.append(f"nodes cost what {prices.source} of {prices.date} says of their instance types")
    if unpriced:
        shown = ", ".join(unpriced[:3]) + (f" and {len(unpriced) - 3} more" if len(unpriced) > 3 else "")
        assumed.append(f"{shown} cost nothing, because no price is known; NodePools have pricePerHour")
    return tuple(plans), assumed, problems


def pools_from_document(document: NodePools) -> tuple[tuple[PoolPlan, ...], NodeAutoscaler | None]:
    """Pools as our document has them; one with zones becomes one in each, as providers' node groups are."""
    pools: list[PoolPlan] = []
    for pool in document.spec.pools:
        zones = pool.zones or ("",)
        for index, zone in enumerate(zones):
            name = f"{pool.name}-{zone}" if len(zones) > 1 else pool.name
            low = pool.count if pool.min is None else pool.min
            high = pool.count if pool.max is None else pool.max
            pools.append(
                PoolPlan(
                    name=name,
                    template=_template(pool, name, zone),
                    start=_dealt(pool.count, index, len(zones)),
                    size_min=_dealt(low, index, len(zones)),
                    size_max=_dealt(high, index, len(zones)),
                    startup_s=Samples.of(*(one.seconds for one in pool.startup)),
                    priority=pool.priority,
                )
            )
    return tuple(pools), _autoscaler(document.spec.autoscaler)


def _dealt(count: int, index: int, hands: int) -> int:
    """How many of ``count`` come to one of several hands that are dealt in turn."""
    return count // hands + (1 if index < count % hands else 0)


def _template(pool: NodePool, name: str, zone: str) -> NodePlan:
    zero = Quantity.of(0)
    left = {
        resource: amount - pool.reserved.get(resource, zero) for resource, amount in pool.capacity.items()
    }
    labels = {**pool.labels, **({ZONE: zone} if zone else {})}
    node = Node(
        name=name,
        labels=labels,
        taints=tuple(Taint(taint.key, taint.value, taint.effect) for taint in pool.taints),
        allocatable=Amounts.of(left),
        pods_max=left["pods"].value if "pods" in left else PODS_MAX_DEFAULT,
    )
    spot = pool.spot
    return NodePlan(
        node=node,
        cpu_cores=float(pool.capacity["cpu"]),
        memory_bytes=float(pool.capacity["memory"]),
        price_per_h=pool.price_per_hour,
        gpus=gpus_in(node.allocatable),
        spot=Spot(spot.interruptions_per_hour, spot.notice.seconds, spot.drained)
        if spot is not None
        else None,
    )


def _autoscaler(said: ClusterAutoscaler | Karpenter | None) -> NodeAutoscaler | None:
    match said:
        case ClusterAutoscaler():
            return NodeAutoscaler(
                kind="cluster-autoscaler",
                scan_s=said.scan_interval.seconds,
                expander=_EXPANDERS[said.expander],
                scale_down=said.scale_down,
                idle_s=said.scale_down_unneeded.seconds,
                after_add_s=said.scale_down_after_add.seconds,
                utilization_max=float(said.scale_down_utilization),
                provision_max_s=said.provision_max.seconds,
            )
        case Karpenter():
            return NodeAutoscaler(
                kind="karpenter",
                scale_down=said.scale_down,
                provision_max_s=said.provision_max.seconds,
                batch_idle_s=said.batch_idle.seconds,
                batch_max_s=said.batch_max.seconds,
                consolidate_after_s=said.consolidate_after.seconds,
            )
        case None:
            return None


@dataclass(frozen=True, slots=True)
class DefaultCluster:
    """A cluster that nobody gave.

    Attributes:
        pools: Its pools, one in each zone.
        assumed: What it is, in a sentence.
    """

    pools: tuple[PoolPlan, ...]
    assumed: str


def default_cluster(
    pod: Pod, template: Mapping[str, Any], replicas: int, prices: PriceTable
) -> DefaultCluster:
    """Nodes on which the workload fits: enough of the cheapest instance of the price table, in three zones.

    Args:
        pod: The workload's pod.
        template: Its template, for the node labels that it wants.
        replicas: Replicas that there must be room for; one node is added.
        prices: The price table.
    """
    labels = wanted_labels(template)
    gpus = {name: count for name, count in pod.spec.requests.scalars if is_gpu(name)}
    need = ReplicaNeed(
        cpu_millicores=max(pod.spec.requests.cpu_millicores, 1),
        memory_bytes=max(pod.spec.requests.memory_bytes, 1),
        gpus=sum(gpus.values()),
        gpu_types=_gpu_types(labels, prices),
    )
    unheard = bool(gpus) and not need.gpu_types and any(_names_gpus(key) for key in labels)
    fit = cheapest(prices, need, replicas) if _is_plain(gpus) and not unheard else None
    if fit is not None:
        instance, per_node = fit.instance, fit.per_node
        cpu_cores, memory_bytes = instance.cpu_cores, instance.memory_bytes
        price, kind = instance.per_hour, instance.name
        devices = dict.fromkeys(gpus, instance.gpus)
        what = f"{kind} nodes at {price:g} {prices.currency}/h ({prices.source} of {prices.date})"
    else:
        per_node, price, kind, devices = 1, 0.0, "made-to-measure", gpus
        cpu_cores = need.cpu_millicores / 1000 / CPU_SHARE
        memory_bytes = int(need.memory_bytes / MEMORY_SHARE) + 1
        what = "nodes that hold one pod each, without a price, because no instance of the price table fits"
    count = -(-replicas // per_node) + 1
    node = Node(
        name="default",
        labels={**labels, INSTANCE_TYPE: kind},
        allocatable=Amounts(
            cpu_millicores=-(-int(cpu_cores * CPU_SHARE * 1e6) // 1000),
            memory_bytes=int(memory_bytes * MEMORY_SHARE),
            storage_bytes=max(pod.spec.requests.storage_bytes * per_node, 100 * 2**30),
            scalars=tuple(sorted({**dict(_others(pod, per_node)), **devices}.items())),
        ),
        pods_max=PODS_MAX_DEFAULT,
    )
    plan = NodePlan(node, cpu_cores, float(memory_bytes), price, gpus=gpus_in(node.allocatable))
    pools = tuple(
        PoolPlan(
            name=f"default-{zone}",
            template=dataclasses.replace(
                plan, node=dataclasses.replace(node, labels={**node.labels, ZONE: zone})
            ),
            start=(dealt := _dealt(count, index, len(DEFAULT_ZONES))),
            size_min=dealt,
            size_max=dealt,
        )
        for index, zone in enumerate(DEFAULT_ZONES)
    )
    return DefaultCluster(pools, f"no nodes were given: {count} {what}, in three zones, without taints")


def _gpu_types(labels: Mapping[str, str], prices: PriceTable) -> tuple[str, ...]:
    """GPU types of the table that the labels name: ``a100``, or as in ``NVIDIA-A100-SXM4-80GB``."""
    words = {word for value in labels.values() for word in re.split(r"[^a-z0-9]+", value.casefold())}
    return tuple(sorted({instance.gpu_type for instance in prices.instances} & words - {""}))


def _names_gpus(label: str) -> bool:
    """Whether a node label says which GPUs a node has, as far as its key tells."""
    return "gpu" in label.casefold() or "accelerator" in label.casefold()


def _is_plain(gpus: Mapping[str, int]) -> bool:
    """Whether whole GPUs of one kind, as instances have them, are asked for."""
    return len(gpus) <= 1 and not any("mig-" in name for name in gpus)


def _others(pod: Pod, per_node: int) -> list[tuple[str, int]]:
    return [(name, count * per_node) for name, count in pod.spec.requests.scalars if not is_gpu(name)]


def wanted_labels(template: Mapping[str, Any]) -> dict[str, str]:
    """Labels that a node must have for the pod to be allowed on it, as far as they are named."""
    spec = template.get("spec") or {}
    labels = {str(key): str(value) for key, value in (spec.get("nodeSelector") or {}).items()}
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in (required.get("nodeSelectorTerms") or [])[:1]:
        for wanted in term.get("matchExpressions") or []:
            if wanted.get("operator") == "In" and wanted.get("values"):
                labels.setdefault(str(wanted["key"]), str(wanted["values"][0]))
            elif wanted.get("operator") == "Exists":
                labels.setdefault(str(wanted.get("key")), "")
    return labels
