"""What GPUs a cluster has, who uses them, and which shapes still fit.

A pod's GPUs come from one node, so what counts of free GPUs is how they lie: four nodes with two free ones
take no pod with eight. For each node and in all it is therefore said how many pods of 1, 2, 4 and 8 GPUs
still fit, each size by itself. GPUs of nodes that take no pods (cordoned, or tainted by the control plane as
unready) are counted apart. A pod with its taints tolerated and little CPU and memory is assumed; what a given
workload finds is ``fit``'s to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.gpus.devices import Devices, devices_of
from tonnage.gpus.labels import INSTANCE_TYPE, TYPE_LABEL, Identity, identify, mig_profiles
from tonnage.gpus.vendors import GpuResource, gpu_resource, vendor_of_driver
from tonnage.gpus.world import read_world
from tonnage.kube.quantity import QuantityError
from tonnage.kube.shape import quantity_of
from tonnage.scheduling import Node, Pod, Taint
from tonnage.scheduling.node import ZONE
from tonnage.scheduling.reading import Reader
from tonnage.scheduling.requests import read_requests

Object = Mapping[str, Any]
SIZES: Final = (1, 2, 4, 8)
"""GPUs of one pod for which it is said how many still fit."""
LIFECYCLE: Final = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
"""Beginnings of the keys of taints that the control plane sets; nobody should tolerate them for a GPU."""
_LEAVING: Final = (
    "ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted",
)  # fmt: skip
"""Taints of nodes that an autoscaler is about to remove."""


@dataclass(frozen=True, slots=True)
class Holding:
    """GPUs of one kind on one node.

    Attributes:
        resource: The extended resource, or the DeviceClass with ``allocation`` ``dra``.
        vendor: Whose; empty when not known.
        kind: ``gpu``, ``mig``, ``partition`` or ``shared``.
        profile: The slice's profile; empty for whole GPUs.
        allocation: ``plugin`` (an extended resource) or ``dra`` (devices of a class).
        capacity: How many the node has.
        allocatable: How many of them are healthy and can be allocated.
        used: How many the pods there request, or claims have.
    """

    resource: str
    vendor: str
    kind: str
    profile: str
    allocation: str
    capacity: int
    allocatable: int
    used: int

    @property
    def free(self) -> int:
        """How many are left [>= 0]; more may be used than can be allocated when one broke under a pod."""
        return max(0, self.allocatable - self.used)


@dataclass(frozen=True, slots=True)
class NodeGpus:
    """One node that has GPUs.

    Attributes:
        name: The node.
        identity: Which GPU its labels name.
        type: The GPU's type: the value of the type label, else the short name.
        labelled: Whether the node has the type label.
        zone: Its zone; empty when it has none.
        instance_type: Its instance type; empty when it has none.
        ready: Whether its condition Ready is true; None when it has no such condition.
        cordoned: Whether it takes no new pods.
        taints: Taints that keep pods off, as ``key=value:effect``.
        lifecycle: Those of them that the control plane or an autoscaler has set.
        holdings: Its GPUs.
        mig: MIG slices that its labels name, with their counts.
        pods_left: How many more pods it takes.
    """

    name: str
    identity: Identity
    type: str
    labelled: bool
    zone: str
    instance_type: str
    ready: bool | None
    cordoned: bool
    taints: tuple[str, ...]
    lifecycle: tuple[str, ...]
    holdings: tuple[Holding, ...]
    mig: Mapping[str, int]
    pods_left: int

    @property
    def usable(self) -> bool:
        """Whether the scheduler would put a pod there that tolerates the node's own taints."""
        return not self.cordoned and not self.lifecycle

    def fits(self, holding: Holding, gpus: int) -> int:
        """How many pods of so many GPUs still fit there."""
        return min(holding.free // gpus, max(0, self.pods_left)) if self.usable else 0


@dataclass(frozen=True, slots=True)
class Total:
    """GPUs of one kind and type in all.

    Attributes:
        vendor: Whose.
        resource: The extended resource or DeviceClass.
        type: Their type; empty when not known.
        nodes: Nodes that have them.
        capacity: How many there are.
        allocatable: How many can be allocated.
        used: How many are used.
        free: How many are left on nodes that take pods.
        blocked: How many are left on nodes that take none.
        fits: Per size how many pods of that many GPUs fit.
    """

    vendor: str
    resource: str
    type: str
    nodes: int
    capacity: int
    allocatable: int
    used: int
    free: int
    blocked: int
    fits: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pod that waits for GPUs.

    Attributes:
        pod: Its namespace and name.
        resource: What it asks for.
        count: How many.
    """

    pod: str
    resource: str
    count: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """A cluster's GPUs.

    Attributes:
        nodes: The nodes that have some, by name.
        totals: By vendor, resource and type.
        waiting: Pending pods that ask for some.
        nodes_known: How many nodes there are in all.
        type_label: The label that was taken for the type.
        notes: What is not counted or was not understood.
    """

    nodes: tuple[NodeGpus, ...]
    totals: tuple[Total, ...]
    waiting: tuple[Waiting, ...] = ()
    nodes_known: int = 0
    type_label: str = TYPE_LABEL
    notes: tuple[str, ...] = field(default=())


def inventory(
    nodes: Iterable[Object],
    pods: Iterable[Object] = (),
    slices: Iterable[Object] = (),
    classes: Iterable[Object] = (),
    claims: Iterable[Object] = (),
    *,
    type_label: str = TYPE_LABEL,
    sizes: Sequence[int] = SIZES,
) -> Inventory:
    """Counts the GPUs of a cluster.

    Args:
        nodes: Node objects.
        pods: Pod objects, in whatever state.
        slices: ResourceSlices.
        classes: DeviceClasses.
        claims: ResourceClaims.
        type_label: The node label that says a GPU's type.
        sizes: GPUs of one pod for which it is said how many fit [each >= 1].

    Raises:
        SpecError: An object is wrong; it holds every problem.
    """
    nodes, pods = list(nodes), list(pods)
    world = read_world(nodes, pods)
    devices = devices_of(slices, classes, claims)
    on_node: dict[str, list[Pod]] = {node.name: [] for node in world.nodes}
    for pod in world.running:
        on_node[str(pod.node)].append(pod)
    values = {str(value["metadata"]["name"]): value for value in nodes}
    found = [
        _node(node, values[node.name], on_node[node.name], devices, type_label) for node in world.nodes
    ]
    with_gpus = tuple(sorted((one for one in found if one.holdings), key=lambda one: one.name))
    notes = [*world.notes, *(devices.notes if devices.found else ())]
    return Inventory(
        nodes=with_gpus,
        totals=_totals(with_gpus, sizes),
        waiting=tuple(_waiting(pods)),
        nodes_known=len(world.nodes),
        type_label=type_label,
        notes=tuple(notes),
    )


def is_lifecycle(taint: Taint) -> bool:
    """Whether the control plane or an autoscaler set the taint, so that tolerating it is not the way."""
    return taint.key.startswith(LIFECYCLE) or taint.key in _LEAVING


def written(taint: Taint) -> str:
    """A taint as ``kubectl taint`` writes it."""
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def _node(
    node: Node, value: Object, pods: Sequence[Pod], devices: Devices, type_label: str
) -> NodeGpus:
    identity = identify(node.labels)
    taints = [taint for taint in node.taints if taint.effect != "PreferNoSchedule"]
    named = node.labels.get(type_label, "")
    return NodeGpus(
        name=node.name,
        identity=identity,
        type=named or identity.short,
        labelled=bool(named),
        zone=node.labels.get(ZONE, ""),
        instance_type=node.labels.get(INSTANCE_TYPE, ""),
        ready=_ready(value),
        cordoned=node.unschedulable,
        taints=tuple(written(taint) for taint in taints),
        lifecycle=tuple(written(taint) for taint in taints if is_lifecycle(taint)),
        holdings=(*_plugged(node, value, pods), *_claimed(node, devices)),
        mig=mig_profiles(node.labels),
        pods_left=node.pods_max - len(pods),
    )


def _ready(value: Object) -> bool | None:
    for one in (value.get("status") or {}).get("conditions") or ():
        if one.get("type") == "Ready":
            return bool(one.get("status") == "True")
    return None


def _plugged(node: Node, value: Object, pods: Sequence[Pod]) -> Iterable[Holding]:
    allocatable = dict(node.allocatable.scalars)
    capacity = _gpu_capacity(value)
    for name in sorted({*allocatable, *capacity}):
        resource = gpu_resource(name)
        has = capacity.get(name, allocatable.get(name, 0))
        if resource is not None and (has or allocatable.get(name)):
            used = sum(dict(pod.spec.requests.scalars).get(name, 0) for pod in pods)
            yield _holding(resource, has, allocatable.get(name, 0), used)


def _holding(resource: GpuResource, capacity: int, allocatable: int, used: int) -> Holding:
    return Holding(
        resource.name, resource.vendor, resource.kind, resource.profile, "plugin", capacity, allocatable, used
    )


def _gpu_capacity(value: Object) -> dict[str, int]:
    found = {}
    for name, amount in ((value.get("status") or {}).get("capacity") or {}).items():
        if gpu_resource(name) is not None:
            try:
                found[name] = quantity_of(amount).value
            except QuantityError:
                continue
    return found


def _claimed(node: Node, devices: Devices) -> Iterable[Holding]:
    for one in devices.of_node(node.name):
        vendor = vendor_of_driver(one.device_class) or vendor_of_driver(one.driver)
        kind = "mig" if one.device_class.startswith("mig.") else "gpu"
        yield Holding(one.device_class, vendor, kind, "", "dra", one.total, one.total, one.used)


def _totals(nodes: Sequence[NodeGpus], sizes: Sequence[int]) -> tuple[Total, ...]:
    groups: dict[tuple[str, str, str], list[tuple[NodeGpus, Holding]]] = {}
    for node in nodes:
        for holding in node.holdings:
            groups.setdefault((holding.vendor, holding.resource, node.type), []).append((node, holding))
    return tuple(
        Total(
            vendor=vendor,
            resource=resource,
            type=kind,
            nodes=len(pairs),
            capacity=sum(holding.capacity for _, holding in pairs),
            allocatable=sum(holding.allocatable for _, holding in pairs),
            used=sum(holding.used for _, holding in pairs),
            free=sum(holding.free for node, holding in pairs if node.usable),
            blocked=sum(holding.free for node, holding in pairs if not node.usable),
            fits={size: sum(node.fits(holding, size) for node, holding in pairs) for size in sizes},
        )
        for (vendor, resource, kind), pairs in sorted(groups.items())
    )


def _waiting(pods: Sequence[Object]) -> Iterable[Waiting]:
    for value in pods:
        spec = value.get("spec") or {}
        if spec.get("nodeName") or (value.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        metadata = value.get("metadata") or {}
        requested = dict(read_requests(Reader(spec)).requests.scalars)
        for name, count in requested.items():
            if gpu_resource(name) is not None and count:
                pod = f"{metadata.get('namespace') or 'default'}/{metadata.get('name')}"
                yield Waiting(pod, name, count)
