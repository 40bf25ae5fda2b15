"""Which fields a Kubernetes object may have, and of which type: what the API server checks first.

The fields are those of lightkube's typed models, generated from Kubernetes 1.37's OpenAPI. An unknown field
is an error, as it is for ``kubectl apply``, which validates strictly; a near miss suggests the name. All
problems of an object are found at once, each at its place in the text.

Source: k8s.io/cli-runtime v0.37.2 pkg/resource/query_param_verifier.go (fieldValidation Strict).
"""

from __future__ import annotations

import difflib
import functools
import importlib
import types
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from tonnage.errors import Problem
from tonnage.kube.objects import KubeObject, show
from tonnage.kube.paths import Path
from tonnage.kube.quantity import Quantity, QuantityError, parse_quantity

KNOWN_KINDS: Final[Mapping[tuple[str, str], str]] = {
    ("apps/v1", "Deployment"): "apps_v1",
    ("apps/v1", "ReplicaSet"): "apps_v1",
    ("apps/v1", "StatefulSet"): "apps_v1",
    ("apps/v1", "DaemonSet"): "apps_v1",
    ("batch/v1", "Job"): "batch_v1",
    ("batch/v1", "CronJob"): "batch_v1",
    ("autoscaling/v1", "HorizontalPodAutoscaler"): "autoscaling_v1",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "autoscaling_v2",
    ("policy/v1", "PodDisruptionBudget"): "policy_v1",
    ("scheduling.k8s.io/v1", "PriorityClass"): "scheduling_v1",
    ("scheduling.k8s.io/v1beta1", "PodGroup"): "scheduling_v1beta1",
    ("networking.k8s.io/v1", "Ingress"): "networking_v1",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networking_v1",
    ("resource.k8s.io/v1", "ResourceClaim"): "resource_v1",
    ("resource.k8s.io/v1", "ResourceClaimTemplate"): "resource_v1",
    ("resource.k8s.io/v1", "DeviceClass"): "resource_v1",
    ("apiregistration.k8s.io/v1", "APIService"): "apiregistration_v1",
    ("rbac.authorization.k8s.io/v1", "Role"): "rbac_v1",
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): "rbac_v1",
    ("rbac.authorization.k8s.io/v1", "ClusterRole"): "rbac_v1",
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): "rbac_v1",
    ("storage.k8s.io/v1", "StorageClass"): "storage_v1",
    ("v1", "ConfigMap"): "core_v1",
    ("v1", "LimitRange"): "core_v1",
    ("v1", "Namespace"): "core_v1",
    ("v1", "Node"): "core_v1",
    ("v1", "PersistentVolume"): "core_v1",
    ("v1", "PersistentVolumeClaim"): "core_v1",
    ("v1", "Pod"): "core_v1",
    ("v1", "ResourceQuota"): "core_v1",
    ("v1", "Secret"): "core_v1",
    ("v1", "Service"): "core_v1",
    ("v1", "ServiceAccount"): "core_v1",
}
"""apiVersion and kind to the module of ``lightkube.models`` that has its fields."""

_NEARNESS_MIN: Final = 0.7
_QUANTITY_MAPS: Final = frozenset(
    {"limits", "requests", "capacity", "allocatable", "overhead", "hard", "podFixed"}
)
"""Mappings whose values are quantities; the models only say that they are mappings."""
_TEXT_MAPS: Final = frozenset(
    {"labels", "annotations", "matchLabels", "nodeSelector", "selector", "stringData", "data"}
)
"""Mappings whose values are strings."""


def shape_problems(item: KubeObject) -> list[Problem]:
    """Finds every field that the object's kind does not have, and every value of a wrong type.

    Args:
        item: The object; one of a kind that is not in ``KNOWN_KINDS`` has no problem.
    """
    module = KNOWN_KINDS.get((item.reference.api_version, item.kind))
    if module is None:
        return []
    model = getattr(importlib.import_module(f"lightkube.models.{module}"), item.kind)
    return list(_struct(item, item.value, model, ()))


def near(wrong: str, right: Iterable[str]) -> str | None:
    """The known name that was most likely meant; None when none is near."""
    by_key = {name.casefold(): name for name in right}
    matches = difflib.get_close_matches(wrong.casefold(), by_key, n=1, cutoff=_NEARNESS_MIN)
    return by_key[matches[0]] if matches else None


def _struct(
    item: KubeObject, value: Any, model: type[msgspec.Struct], path: Path
) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield item.problem(path, f"must be a mapping, got {show(value)}")
        return
    fields = _fields(model)
    meant_names = set()
    for name, inner in value.items():
        here = (*path, name)
        field = fields.get(name)
        if field is None:
            meant = near(name, fields)
            meant_names.add(meant)
            hint = f'did you mean "{meant}"?' if meant else None
            message = f"must be a field that {model.__name__} has, got {show(name)}"
            yield item.problem(here, message, hint, key=True)
        elif inner is None:
            if field.required:
                yield item.problem(here, "must be given, got null")
        elif "Quantity" in str(model.__annotations__.get(field.name, "")):
            yield from _quantity(item, inner, here)
        else:
            yield from _value(item, inner, field.type, here)
    for name, field in fields.items():
        if field.required and name not in value and name not in meant_names:
            yield item.problem((*path, name), "must be given")


@functools.cache
def _fields(model: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    """A model's fields by their names in a document; the models never change."""
    return {field.encode_name: field for field in msgspec.structs.fields(model)}


def _value(item: KubeObject, value: Any, kind: Any, path: Path) -> Iterator[Problem]:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        options = [option for option in arguments if option is not type(None)]
        if len(options) > 1:
            if isinstance(value, bool) or not isinstance(value, int | str):
                yield item.problem(path, f"must be a whole number or a string, got {show(value)}")
            return
        kind, origin, arguments = options[0], get_origin(options[0]), get_args(options[0])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _struct(item, value, kind, path)
    elif origin is list or kind is list:
        if not isinstance(value, list):
            yield item.problem(path, f"must be a list, got {show(value)}")
            return
        for index, inner in enumerate(value if arguments else ()):
            yield from _value(item, inner, arguments[0], (*path, index))
    elif origin is dict or kind is dict:
        yield from _mapping(item, value, path)
    elif kind in _SCALARS:
        types_taken, what = _SCALARS[kind]
        wrong_truth = isinstance(value, bool) and kind is not bool
        if wrong_truth or not isinstance(value, types_taken):
            quoted = kind is str and not isinstance(value, Mapping | list) and value is not None
            hint = f'put it in quotes: "{_written(item, path, value)}"' if quoted else None
            yield item.problem(path, f"must be {what}, got {_written(item, path, value)}", hint)


_SCALARS: Final[Mapping[Any, tuple[Any, str]]] = {
    str: (str, "a string"),
    int: (int, "a whole number"),
    float: (int | Decimal | float, "a number"),
    bool: (bool, "true or false"),
}


def _written(item: KubeObject, path: Path, value: Any) -> str:
    return item.document.written.get((*item.prefix, *path)) or show(value)


def _mapping(item: KubeObject, value: Any, path: Path) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield item.problem(path, f"must be a mapping, got {show(value)}")
        return
    for name, inner in value.items():
        if path[-1] in _QUANTITY_MAPS:
            yield from _quantity(item, inner, (*path, name))
        elif path[-1] in _TEXT_MAPS and inner is not None:
            yield from _value(item, inner, str, (*path, name))


def _quantity(item: KubeObject, value: Any, path: Path) -> Iterator[Problem]:
    try:
        quantity_of(value)
    except QuantityError as error:
        yield item.problem(path, f"{error}, got {_written(item, path, value)}")


def quantity_of(value: Any) -> Quantity:
    """Reads a quantity as the API server does, from a string or a bare number.

    Raises:
        QuantityError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise QuantityError("must be a quantity such as 2, 500m or 4Gi")
    return parse_quantity(value if isinstance(value, str) else format(Decimal(str(value)), "f"))
