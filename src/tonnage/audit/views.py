"""Views of single objects: any object, disruption budgets, Services; and how a selector is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.errors import SpecError
from tonnage.kube.objects import KubeObject, plain
from tonnage.kube.paths import Path
from tonnage.kube.quantity import Quantity, QuantityError
from tonnage.kube.shape import quantity_of
from tonnage.scheduling.objects import selector_from_object
from tonnage.scheduling.selectors import Selector, selector_of

_PLACEHOLDER: Final = re.compile(r"\$\{|\$\(|^\$[A-Za-z_]|\{\{|<[A-Za-z_ -]+>")


def quantity_or_none(value: Any) -> Quantity | None:
    """Reads a quantity; None for what is none."""
    try:
        return quantity_of(value)
    except QuantityError:
        return None


def is_placeholder(value: Any) -> bool:
    """Whether a value is filled in before the object is applied, such as ``${REPLICAS}`` or ``<TAG>``."""
    return isinstance(value, str) and _PLACEHOLDER.search(value) is not None


def selector_at(item: KubeObject, path: Path) -> Selector | None:
    """Reads a label selector of an object; None where there is none, or none that can be read."""
    return selector_from(item.at(*path))


def selector_from(value: Any) -> Selector | None:
    """Reads a label selector; None where there is none, or none that can be read."""
    if not isinstance(value, Mapping):
        return None
    try:
        return selector_from_object({"spec": {"selector": plain(value)}})
    except SpecError:
        return None


def share_of(value: Any, whole: int, *, up: bool) -> int | None:
    """Reads a number or a percentage of a whole, as rollouts and budgets have it.

    Args:
        value: Such as 1 or ``25%``.
        whole: Of which [>= 0].
        up: Whether a part of a pod counts as one.

    Source: k8s.io/apimachinery v0.37.2 pkg/util/intstr/intstr.go GetScaledValueFromIntOrPercent.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdecimal():
        return -(-whole * int(value[:-1]) // 100) if up else whole * int(value[:-1]) // 100
    return None


@dataclass(frozen=True, slots=True, eq=False)
class AnyView:
    """Any object.

    Attributes:
        item: The object.
    """

    item: KubeObject

    def quantity(self, *path: str | int) -> Quantity | None:
        """The quantity at a path."""
        return quantity_or_none(self.item.at(*path))


@dataclass(frozen=True, slots=True, eq=False)
class BudgetView:
    """A PodDisruptionBudget.

    Attributes:
        item: The object.
    """

    item: KubeObject

    @property
    def selector(self) -> Selector | None:
        """What picks the pods that it protects."""
        return selector_at(self.item, ("spec", "selector"))

    def evictable(self, replicas: int) -> int | None:
        """How many of so many healthy pods may be evicted; None where it says nothing that can be read.

        Source: k8s.io/kubernetes v1.37.2 pkg/controller/disruption/disruption.go getExpectedPodCount.
        """
        spec = self.item.at("spec")
        if not isinstance(spec, Mapping):
            return None
        if spec.get("maxUnavailable") is not None:
            return share_of(spec["maxUnavailable"], replicas, up=True)
        kept = share_of(spec.get("minAvailable"), replicas, up=True)
        return None if kept is None else max(0, replicas - kept)


@dataclass(frozen=True, slots=True, eq=False)
class ServiceView:
    """A Service.

    Attributes:
        item: The object.
    """

    item: KubeObject

    @property
    def labels(self) -> dict[str, str]:
        """The labels that it selects by; empty where its endpoints are made by somebody else."""
        value = self.item.at("spec", "selector")
        if not isinstance(value, Mapping):
            return {}
        return {str(key): str(one) for key, one in value.items() if one is not None}

    @property
    def selector(self) -> Selector | None:
        """What picks its pods."""
        return selector_of(self.labels) if self.labels else None
