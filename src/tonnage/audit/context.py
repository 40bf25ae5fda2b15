"""What rules look at: the objects of an audit as workloads, containers, autoscalers, budgets and services.

A view wraps an object as it was written and reads fields where they are asked for: whatever is missing or of
a wrong type reads as missing, because an audit must get through any YAML. Each view knows the context, so
that a rule about one object can ask for the others; it reports on its own object only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tonnage.audit.measured import Measured
from tonnage.audit.pods import ContainerView, PodView, ProbeView, is_extended, is_gpu, spec_path
from tonnage.audit.scaling import AUTOSCALERS, AutoscalerView, MetricView
from tonnage.audit.trainings import Role, TrainingView, is_training, pod_paths
from tonnage.audit.views import (
    AnyView,
    BudgetView,
    ServiceView,
    is_placeholder,
    quantity_or_none,
    selector_at,
    selector_from,
    share_of,
)
from tonnage.errors import SpecError
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.quantity import Quantity
from tonnage.plan.stock import place_replicas
from tonnage.scheduling import Node
from tonnage.scheduling.node import HOSTNAME
from tonnage.scheduling.objects import node_from_object, pod_from_object
from tonnage.scheduling.selectors import Selector

__all__ = [
    "Autoscaler",
    "Budget",
    "Container",
    "Context",
    "KubeService",
    "MetricView",
    "ObjectView",
    "ProbeView",
    "Role",
    "Training",
    "Workload",
    "context_of",
    "is_extended",
    "is_gpu",
    "is_placeholder",
    "quantity_or_none",
    "selector_from",
    "share_of",
]

REPLICATED: Final = ("Deployment", "StatefulSet", "ReplicaSet")
PLACED_MAX: Final = 500
_PODS_MAX: Final = "110"
_Key = tuple[str, str, str]
_HOOK: Final = "helm.sh/hook"
_NAMING: Final = ("ConfigMap", "PrometheusRule")


@dataclass(frozen=True, slots=True, eq=False)
class ObjectView(AnyView):
    """Any object, and all of the audit."""

    context: Context


@dataclass(frozen=True, slots=True, eq=False)
class Training(TrainingView):
    """A training job, and all of the audit."""

    context: Context


@dataclass(frozen=True, slots=True, eq=False)
class Budget(BudgetView):
    """A PodDisruptionBudget, and all of the audit."""

    context: Context

    @property
    def targets(self) -> tuple[Workload, ...]:
        """The workloads whose pods it protects."""
        selector, namespace = self.selector, self.item.namespace
        return tuple(one for one in self.context.workloads if one.is_picked(selector, namespace))


@dataclass(frozen=True, slots=True, eq=False)
class KubeService(ServiceView):
    """A Service, and all of the audit."""

    context: Context

    @property
    def targets(self) -> tuple[Workload, ...]:
        """The workloads whose pods it selects."""
        selector, namespace = self.selector, self.item.namespace
        return tuple(one for one in self.context.workloads if one.is_picked(selector, namespace))


@dataclass(frozen=True, slots=True, eq=False)
class Autoscaler(AutoscalerView):
    """What sets a workload's replicas, and all of the audit."""

    context: Context

    @property
    def target(self) -> Workload | None:
        """The workload that it scales, where it is among the objects."""
        return self.context.scaled.get((*self.target_name, self.item.namespace))


@dataclass(frozen=True, slots=True, eq=False)
class Container(ContainerView):
    """One container of a workload, init containers left out.

    Attributes:
        workload: Whose it is.
    """

    workload: Workload

    @property
    def must_be_sized(self) -> bool:
        """Whether the scheduler must know what it needs: it serves or has a GPU, and nobody else says it."""
        workload = self.workload
        said = workload.is_kserve or workload.at("resources") is not None
        return not said and (workload.serves or bool(self.gpus))


@dataclass(frozen=True, slots=True, eq=False)
class Workload(PodView):
    """An object that makes pods, or is one.

    Attributes:
        context: All of the audit.
    """

    context: Context

    @property
    def containers(self) -> tuple[Container, ...]:
        """Its containers, and KServe's ``model``."""
        found = (Container(one.item, one.path, one.value, self) for one in self.container_views)
        return tuple(found)

    @property
    def selector(self) -> Selector | None:
        """What picks its pods; None where it has no selector."""
        return self.context.links[id(self.item), self.path].selector

    @property
    def autoscaler(self) -> Autoscaler | None:
        """The first autoscaler whose target it is."""
        return self.context.links[id(self.item), self.path].autoscaler

    @property
    def is_replicated(self) -> bool:
        """Whether it keeps a number of like pods."""
        return self.item.kind in REPLICATED

    @property
    def replicas_min(self) -> int:
        """Replicas at least; a missing number is 1, as the API server has it."""
        hpa, said = self.autoscaler, self.item.at("spec", "replicas")
        if hpa is not None:
            return hpa.replicas_min
        return said if isinstance(said, int) and not isinstance(said, bool) else 1

    @property
    def replicas_max(self) -> int:
        """Replicas at most."""
        hpa = self.autoscaler
        return max(self.replicas_min, hpa.replicas_max or 0) if hpa is not None else self.replicas_min

    @property
    def services(self) -> tuple[KubeService, ...]:
        """Services of the audit that select its pods."""
        return self.context.links[id(self.item), self.path].services

    @property
    def serves(self) -> bool:
        """Whether requests come to it: it keeps replicas, and has ports, a Service or an autoscaler."""
        ports = any(container.value.get("ports") for container in self.containers)
        return self.is_replicated and bool(ports or self.services or self.autoscaler)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """Disruption budgets of the audit that protect its pods."""
        return self.context.links[id(self.item), self.path].budgets

    def is_picked(self, selector: Selector | None, namespace: str) -> bool:
        """Whether a selector of a namespace picks its pods."""
        return selector is not None and namespace == self.item.namespace and selector.matches(self.pod_labels)

    def refusal(self) -> str | None:
        """Why none of the known nodes can run one of its pods; None when one can, or nothing is known."""
        room = self._placed(1)
        return room[1] if room is not None and room[0] == 0 else None

    def room(self, replicas: int) -> int | None:
        """How many of so many replicas the known nodes can run, when they are empty; None when not known."""
        room = self._placed(min(replicas, PLACED_MAX))
        return room[0] if room is not None and replicas <= PLACED_MAX else None

    def _placed(self, replicas: int) -> tuple[int, str] | None:
        if not self.context.nodes or self.item.kind == "DaemonSet" or not self.containers:
            return None
        metadata = {"labels": dict(self.pod_labels), "name": self.item.name}
        metadata["namespace"] = self.item.namespace
        try:
            pod = pod_from_object({"metadata": metadata, "spec": self.plain_spec()})
        except SpecError:
            return None
        stock = place_replicas(self.context.nodes, (), pod, replicas_max=max(1, replicas))
        return stock.replicas_max, stock.refusal


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """Which other objects point at a workload.

    Attributes:
        services: Services that select its pods.
        budgets: Disruption budgets that protect them.
        autoscaler: The first autoscaler whose target it is.
        selector: Its own, read once.
    """

    services: tuple[KubeService, ...]
    budgets: tuple[Budget, ...]
    autoscaler: Autoscaler | None
    selector: Selector | None


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """All that an audit knows.

    Attributes:
        items: The objects, without those that only exist while a chart's tests run.
        measured: Facts of the model that is served.
        nodes: The nodes that there are; empty for not known.
        quotas: Namespace, and what is left to it by resource.
        images_replaced: Names of images, without tags, for which others are put in before they are applied.
        objects: Every object.
        workloads: What makes pods.
        autoscalers: HorizontalPodAutoscalers, and what stands for one.
        budgets: PodDisruptionBudgets.
        services: Services.
        trainings: Jobs, of which some train.
        links: What points at each workload, by the identity of its object and where its pods' spec
            stands; found once, as rules ask often.
        scaled: The first workload of a kind, a name and a namespace.
        scaling: The first autoscaler of such a workload.
        namings: Texts of objects that name metrics: rules of adapters, of Prometheus.
    """

    items: tuple[KubeObject, ...]
    measured: Measured = field(default_factory=Measured)
    nodes: tuple[Node, ...] = ()
    quotas: tuple[tuple[str, Mapping[str, Quantity]], ...] = ()
    images_replaced: frozenset[str] = frozenset()
    objects: tuple[ObjectView, ...] = field(init=False)
    workloads: tuple[Workload, ...] = field(init=False)
    autoscalers: tuple[Autoscaler, ...] = field(init=False)
    budgets: tuple[Budget, ...] = field(init=False)
    services: tuple[KubeService, ...] = field(init=False)
    trainings: tuple[Training, ...] = field(init=False)
    links: dict[tuple[int, Path], Links] = field(init=False)
    scaled: dict[_Key, Workload] = field(init=False)
    scaling: dict[_Key, Autoscaler] = field(init=False)
    namings: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        paths = [(item, path) for item in self.items for path in (spec_path(item), *pod_paths(item))]
        views: dict[str, tuple[Any, ...]] = {
            "objects": tuple(ObjectView(item, self) for item in self.items),
            "workloads": tuple(Workload(item, path, self) for item, path in paths if path is not None),
            "autoscalers": tuple(Autoscaler(item, self) for item in self.items if item.kind in AUTOSCALERS),
            "budgets": tuple(Budget(item, self) for item in self.of_kind("PodDisruptionBudget")),
            "services": tuple(KubeService(item, self) for item in self.of_kind("Service")),
            "trainings": tuple(Training(item, self) for item in self.items if is_training(item)),
        }
        for name, value in views.items():
            object.__setattr__(self, name, value)
        scaled: dict[_Key, Workload] = {}
        for one in self.workloads:
            scaled.setdefault((one.item.kind, one.item.name, one.item.namespace), one)
        scaling: dict[_Key, Autoscaler] = {}
        for autoscaler in self.autoscalers:
            scaling.setdefault((*autoscaler.target_name, autoscaler.item.namespace), autoscaler)
        object.__setattr__(self, "scaled", scaled)
        object.__setattr__(self, "scaling", scaling)
        object.__setattr__(self, "links", self._linked())
        named = (item for kind in _NAMING for item in self.of_kind(kind))
        object.__setattr__(self, "namings", tuple(str(item.value) for item in named))

    def _linked(self) -> dict[tuple[int, Path], Links]:
        services: dict[str, list[tuple[KubeService, Selector | None]]] = {}
        for service in self.services:
            services.setdefault(service.item.namespace, []).append((service, service.selector))
        budgets: dict[str, list[tuple[Budget, Selector | None]]] = {}
        for budget in self.budgets:
            budgets.setdefault(budget.item.namespace, []).append((budget, budget.selector))
        links: dict[tuple[int, Path], Links] = {}
        for workload in self.workloads:
            item, space = workload.item, workload.item.namespace
            links[id(item), workload.path] = Links(
                tuple(one for one, picks in services.get(space, ()) if workload.is_picked(picks, space)),
                tuple(one for one, picks in budgets.get(space, ()) if workload.is_picked(picks, space)),
                self.scaling.get((item.kind, item.name, space)),
                selector_at(item, ("spec", "selector")),
            )
        return links

    def of_kind(self, kind: str, namespace: str | None = None) -> tuple[KubeObject, ...]:
        """The objects of a kind."""
        return tuple(item for item in self.items if item.kind == kind and namespace in (None, item.namespace))


def context_of(
    objects: Sequence[KubeObject],
    *,
    measured: Measured | None = None,
    nodes: Sequence[Node] = (),
    quotas: Sequence[tuple[str, Mapping[str, Quantity]]] = (),
    images_replaced: Collection[str] = (),
) -> Context:
    """Makes the views; see ``audit`` for the arguments."""
    items = tuple(item for item in objects if not item.is_ours and not _is_test(item))
    known = [*nodes, *(node for node in map(_node, items) if node is not None)]
    return Context(
        items,
        measured or Measured(),
        tuple(known),
        (*quotas, *(_quota(item) for item in items if item.kind == "ResourceQuota")),
        frozenset(images_replaced),
    )


def _is_test(item: KubeObject) -> bool:
    hook = item.at("metadata", "annotations", _HOOK)
    return isinstance(hook, str) and "test" in hook


def _node(item: KubeObject) -> Node | None:
    """A Node object as the scheduler sees it; None for anything else, and for one that is no sound Node."""
    if item.kind != "Node":
        return None
    value = item.plain()
    status = value.get("status") if isinstance(value.get("status"), dict) else {}
    stated: dict[str, Any] = (status or {}).get("allocatable") or (status or {}).get("capacity") or {}
    value["status"] = {"allocatable": {"pods": _PODS_MAX, **stated}}
    value["metadata"]["labels"] = {HOSTNAME: item.name, **(value["metadata"].get("labels") or {})}
    try:
        return node_from_object(value)
    except SpecError:
        return None


def _quota(item: KubeObject) -> tuple[str, Mapping[str, Quantity]]:
    view = AnyView(item)
    holder: Path = ("spec", "hard")
    hard = item.at(*holder)
    names = hard if isinstance(hard, Mapping) else {}
    amounts = {name: view.quantity(*holder, name) for name in names}
    return item.namespace, {name: amount for name, amount in amounts.items() if amount is not None}
