"""Reads the entries of an autoscaler's ``spec.metrics`` from Kubernetes' JSON.

Source: pkg/apis/autoscaling/validation/validation.go (validateMetricSpec and what it calls).
"""

from __future__ import annotations

import re
from typing import Final

from tonnage.hpa.reading import Reader
from tonnage.hpa.spec import (
    LabelRequirement,
    MetricQuery,
    MetricSelector,
    MetricSpec,
    MetricTarget,
    MetricType,
    ObjectReference,
    TargetType,
)

_METRIC_TYPES: Final[tuple[MetricType, ...]] = ("Resource", "ContainerResource", "Pods", "Object", "External")
_TARGET_TYPES: Final[tuple[TargetType, ...]] = ("Utilization", "Value", "AverageValue")
_OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")
_SOURCES: Final[dict[MetricType, str]] = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
_DNS_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_EXTENDED: Final = re.compile(
    r"(?!requests\.)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
    r"/[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_CONTAINER_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")


def read_reference(reference: Reader, *, needs_group: bool) -> ObjectReference | None:
    """Reads a reference to an object.

    Args:
        reference: The object that names it.
        needs_group: Whether the version must name an API group, as what is scaled must; a
            ReplicationController, which has none, need not.
    """
    kind = reference.text("kind", check=_wrong_segment)
    name = reference.text("name", check=_wrong_segment)
    version = reference.text("apiVersion", required=False)
    if version.count("/") > 1:
        reference.problem("apiVersion", f'must be a group and a version, got "{version}"')
    elif needs_group and "/" not in version and kind != "ReplicationController":
        reference.problem("apiVersion", "must name an API group, such as apps/v1")
    reference.finish()
    return ObjectReference(kind, name, version) if kind and name else None


def read_metric(metric: Reader) -> MetricSpec | None:
    """Reads one entry; None where it cannot be read, with the problems noted."""
    type_ = metric.choice("type", _METRIC_TYPES)
    present = [name for name in _SOURCES.values() if metric.has(name)]
    metric.finish()
    if type_ is None:
        return None
    expected = _SOURCES[type_]
    for name in present:
        if name != expected:
            metric.problem(name, f"must not be set for type {type_}")
    source = metric.part(expected)
    if source is None:
        metric.problem(expected, f"must be set for type {type_}")
        return None
    if type_ in ("Resource", "ContainerResource"):
        query = _resource_query(type_, source)
    else:
        query = _named_query(type_, source)
    target = _read_target(source, type_)
    source.finish()
    return MetricSpec(query, target) if query is not None and target is not None else None


def _resource_query(type_: MetricType, source: Reader) -> MetricQuery | None:
    if type_ == "Resource":
        name = source.text("name")
        return MetricQuery(type_, name) if name else None
    name = source.text("name", check=_wrong_container_resource)
    container = source.text("container", check=_wrong_label)
    return MetricQuery(type_, name, container) if name and container else None


def _named_query(type_: MetricType, source: Reader) -> MetricQuery | None:
    described = None
    if type_ == "Object":
        part = source.part("describedObject")
        if part is None:
            source.problem("describedObject", "must be set")
            return None
        described = read_reference(part, needs_group=False)
    identifier = source.part("metric")
    if identifier is None:
        source.problem("metric.name", "must be set")
        return None
    name = identifier.text("name", check=_wrong_segment)
    selector = _read_selector(identifier)
    identifier.finish()
    return MetricQuery(type_, name, described=described, selector=selector) if name else None


def _read_selector(identifier: Reader) -> MetricSelector | None:
    selector = identifier.part("selector")
    if selector is None:
        return None
    labels = tuple(sorted(selector.text_map("matchLabels").items()))
    requirements: list[LabelRequirement] = []
    for expression in selector.parts("matchExpressions"):
        key = expression.text("key")
        operator = expression.choice("operator", _OPERATORS)
        values = expression.texts("values")
        if operator is not None and bool(values) != (operator in ("In", "NotIn")):
            rule = "must not be empty" if not values else "must be empty"
            expression.problem("values", f"{rule} for operator {operator}")
        expression.finish()
        requirements.append(LabelRequirement(key, operator or "", values))
    selector.finish()
    return MetricSelector(labels, tuple(requirements))


def _read_target(source: Reader, type_: MetricType) -> MetricTarget | None:
    part = source.part("target")
    if part is None:
        source.problem("target", "must be set")
        return None
    target_type = part.choice("type", _TARGET_TYPES)
    value_milli = part.positive_milli("value")
    average_milli = part.positive_milli("averageValue")
    percent = part.integer("averageUtilization", lowest=1)
    _check_values(part, type_)
    part.finish()
    return None if target_type is None else MetricTarget(target_type, value_milli, average_milli, percent)


def _check_values(target: Reader, type_: MetricType) -> None:
    """Whether the values that this kind of metric needs are there, and not two that clash."""
    has_value, has_average = target.has("value"), target.has("averageValue")
    has_percent = target.has("averageUtilization")
    if type_ == "Pods" and not has_average:
        target.problem("averageValue", "must be set for type Pods")
    elif type_ in ("Object", "External") and not (has_value or has_average):
        target.problem("averageValue", f"must be set for type {type_}, or value must")
    elif type_ == "External" and has_value and has_average:
        target.problem("value", "must not be set together with averageValue")
    elif type_ in ("Resource", "ContainerResource"):
        if not (has_percent or has_average):
            target.problem("averageUtilization", f"must be set for type {type_}, or averageValue must")
        elif has_percent and has_average:
            target.problem("averageValue", "must not be set together with averageUtilization")


def _wrong_segment(text: str) -> str | None:
    if text in (".", "..") or "/" in text or "%" in text:
        return 'must not be "." or "..", or contain "/" or "%"'
    return None


def _wrong_label(text: str) -> str | None:
    return None if _DNS_LABEL.fullmatch(text) else "must be a DNS label such as server"


def _wrong_container_resource(text: str) -> str | None:
    if text in _CONTAINER_RESOURCES or text.startswith("hugepages-"):
        return None
    return None if _EXTENDED.fullmatch(text) else "must be a resource such as cpu, memory or nvidia.com/gpu"
