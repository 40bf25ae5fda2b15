"""A cluster's objects as the scheduler's values, and pods that are wanted in it.

Objects are plain data as the API server hands them out. Pods that have ended count no more, as in the
scheduler's own cache; a pending pod with a nomination keeps its room. What a pod claims of devices becomes a
count per claim request, and each node's free devices are counted for exactly those requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.gpus.claims import ClaimReader
from tonnage.gpus.devices import Devices, devices_of
from tonnage.scheduling import (
    Budget,
    Cluster,
    Node,
    Owner,
    Pod,
    PodSpec,
    Selector,
    budget_from_object,
    node_from_object,
    not_modelled,
    pod_from_object,
    selector_from_object,
)
from tonnage.scheduling.objects import SYSTEM_PRIORITIES

Object = Mapping[str, Any]
PODS_MAX_DEFAULT: Final = 110
"""Pods of a node that does not say. Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/apis/config/v1beta1."""
_CONTROLLERS: Final = ("ReplicaSet", "StatefulSet", "ReplicationController")
_ENDED: Final = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class World:
    """A cluster.

    Attributes:
        nodes: Its nodes.
        running: The pods on them, each with its node.
        nominated: Pending pods for which others were preempted, each with its node.
        devices: Devices of dynamic resource allocation.
        namespaces: Labels by namespace.
        services: Namespace, name and selector of each Service.
        controllers: Namespace, controller and selector.
        budgets: Disruption budgets.
        priorities: Value by PriorityClass.
        priority_default: The value of a pod that names no class.
        claims: ResourceClaims and their templates by kind, namespace and name.
        notes: What was passed over.
    """

    nodes: tuple[Node, ...]
    running: tuple[Pod, ...] = ()
    nominated: tuple[tuple[Pod, str], ...] = ()
    devices: Devices = field(default_factory=Devices)
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    services: tuple[tuple[str, str, Mapping[str, str]], ...] = ()
    controllers: tuple[tuple[str, Owner, Selector], ...] = ()
    budgets: tuple[Budget, ...] = ()
    priorities: Mapping[str, int] = field(default_factory=lambda: dict(SYSTEM_PRIORITIES))
    priority_default: int = 0
    claims: Mapping[tuple[str, str, str], Object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def cluster(self, nodes: Sequence[Node] | None = None) -> Cluster:
        """The state in which the scheduler decides.

        Args:
            nodes: Instead of the world's own, with the same names: nodes with devices counted.
        """
        cluster = Cluster()
        for name, labels in self.namespaces.items():
            cluster.set_namespace(name, labels)
        for namespace, name, selector in self.services:
            cluster.set_service(namespace, name, selector)
        for namespace, owner, selected in self.controllers:
            cluster.set_controller(namespace, owner, selected)
        for budget in self.budgets:
            cluster.set_budget(budget)
        for node in self.nodes if nodes is None else nodes:
            cluster.add_node(node)
        for pod in self.running:
            cluster.add_pod(pod)
        for pod, node_name in self.nominated:
            cluster.nominate(pod, node_name)
        return cluster


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pods that are to be placed.

    Attributes:
        pods: They, in order.
        nodes: The world's nodes, with the devices counted that the pods claim.
        notes: What of the pods is not looked at.
    """

    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...]
    notes: tuple[str, ...]


def read_world(nodes: Iterable[Object], pods: Iterable[Object] = (), objects: Iterable[Object] = ()) -> World:
    """Reads a cluster.

    Args:
        nodes: Node objects; without ``status.allocatable``, all of the capacity can be allocated.
        pods: Pod objects, in whatever state.
        objects: Any others. PriorityClass, PodDisruptionBudget, Namespace, Service, ReplicaSet, StatefulSet,
            ReplicationController, ResourceSlice, DeviceClass, ResourceClaim and ResourceClaimTemplate count.

    Raises:
        SpecError: An object is wrong; it holds every problem.
    """
    problems: list[Problem] = []
    by_kind: dict[str, list[Object]] = {}
    for one in objects:
        by_kind.setdefault(str(one.get("kind")), []).append(one)
    priorities = {**SYSTEM_PRIORITIES}
    default = 0
    for one in by_kind.get("PriorityClass", ()):
        priorities[_name(one)] = int(one.get("value") or 0)
        if one.get("globalDefault"):
            default = int(one.get("value") or 0)
    read_nodes = [_read_node(one, problems) for one in nodes]
    known = {node.name for node in read_nodes if node is not None}
    running, nominated, notes = _read_pods(pods, known, priorities, problems)
    if problems:
        raise SpecError(problems)
    return World(
        nodes=tuple(node for node in read_nodes if node is not None),
        running=running,
        nominated=nominated,
        devices=devices_of(
            by_kind.get("ResourceSlice", ()), by_kind.get("DeviceClass", ()), by_kind.get("ResourceClaim", ())
        ),
        namespaces={
            _name(one): (one["metadata"].get("labels") or {}) for one in by_kind.get("Namespace", ())
        },
        services=tuple(
            (_namespace(one), _name(one), (one.get("spec") or {}).get("selector") or {})
            for one in by_kind.get("Service", ())
        ),
        controllers=tuple(
            (_namespace(one), Owner(kind, _name(one)), _selector(kind, one))
            for kind in _CONTROLLERS
            for one in by_kind.get(kind, ())
        ),
        budgets=tuple(budget_from_object(one) for one in by_kind.get("PodDisruptionBudget", ())),
        priorities=priorities,
        priority_default=default,
        claims={
            (kind, _namespace(one), _name(one)): one
            for kind in ("ResourceClaim", "ResourceClaimTemplate")
            for one in by_kind.get(kind, ())
        },
        notes=notes,
    )


def want(world: World, pods: Sequence[Object]) -> Wanted:
    """Reads pods that are to be placed in a world.

    Raises:
        SpecError: A pod is wrong, or names a priority class that is not known.
    """
    reader = ClaimReader(world.devices, world.claims, world.nodes)
    read: list[Pod] = []
    notes: dict[str, None] = {}
    shared: dict[PodSpec, PodSpec] = {}
    for value in pods:
        plain, claims = reader.resolve(value)
        for line in not_modelled(plain, claims):
            if not line.startswith("spec.schedulingGroup"):  # a gang is what is asked about
                notes[line] = None
        read.append(_read_wanted(plain, world, claims, shared))
    free = reader.free()
    nodes = tuple(
        replace(node, devices={key: count.get(node.name, 0) for key, count in free.items()})
        if free
        else node
        for node in world.nodes
    )
    return Wanted(tuple(read), nodes, (*notes, *reader.notes))


def _read_wanted(
    value: Object, world: World, claims: Mapping[str, Mapping[str, int]], shared: dict[PodSpec, PodSpec]
) -> Pod:
    spec = dict(value.get("spec") or {})
    if not spec.get("priorityClassName"):
        spec.setdefault("priority", world.priority_default)
    pod = pod_from_object({**value, "spec": spec}, priorities=world.priorities, claims=claims)
    # its uid is one that no running pod has, and pods with equal specs share one, so that what was found
    # out of the nodes for it is found out once
    uid = f"wanted/{pod.namespace}/{pod.name}"
    return replace(pod, uid=uid, spec=shared.setdefault(pod.spec, pod.spec), node=None)


def _read_node(value: Object, problems: list[Problem]) -> Node | None:
    status = value.get("status") or {}
    allocatable = status.get("allocatable") or status.get("capacity") or {}
    if "pods" not in allocatable:
        stated = {**allocatable, "pods": str(PODS_MAX_DEFAULT)}
        value = {**value, "status": {**status, "allocatable": stated}}
    try:
        return node_from_object(value)
    except SpecError as error:
        problems += [_of(f"Node/{_name(value)}", one) for one in error.problems]
        return None


def _read_pods(
    values: Iterable[Object], known: set[str], priorities: Mapping[str, int], problems: list[Problem]
) -> tuple[tuple[Pod, ...], tuple[tuple[Pod, str], ...], tuple[str, ...]]:
    running: dict[str, Pod] = {}
    nominated: list[tuple[Pod, str]] = []
    lost = 0
    for value in values:
        node = (value.get("spec") or {}).get("nodeName")
        status = value.get("status") or {}
        wished = status.get("nominatedNodeName")
        if status.get("phase") in _ENDED or not (node or wished):
            continue
        if (node or wished) not in known:
            lost += 1
            continue
        try:
            pod = pod_from_object(value, priorities=priorities)
        except SpecError as error:
            problems += [_of(f"Pod/{_name(value)}", one) for one in error.problems]
            continue
        if node:
            running[pod.uid] = pod
        else:
            nominated.append((pod, str(wished)))
    noun = "pod is" if lost == 1 else "pods are"
    notes = (f"{lost} {noun} on nodes that were not given, and left out",) if lost else ()
    return tuple(running.values()), tuple(nominated), notes


def _selector(kind: str, value: Object) -> Selector:
    if kind == "ReplicationController":  # whose selector is a mapping
        wanted = {"matchLabels": (value.get("spec") or {}).get("selector") or {}}
        value = {**value, "spec": {"selector": wanted}}
    return selector_from_object(value)


def _of(name: str, problem: Problem) -> Problem:
    return replace(problem, path=f"{name}: {problem.path}" if problem.path else name)


def _name(value: Object) -> str:
    return str((value.get("metadata") or {}).get("name", ""))


def _namespace(value: Object) -> str:
    return str((value.get("metadata") or {}).get("namespace") or "default")
