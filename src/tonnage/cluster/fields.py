"""Which fields of an object we have set, read from what the server notes of each manager's. Pure.

Source: kubernetes v1.37.2, sigs.k8s.io/structured-merge-diff v6 fieldpath (FieldsV1: ``f:`` a field, ``k:``
an item of a list by its keys, ``v:`` an item of a set by its value, ``i:`` by its index, ``.`` the thing
itself), apimachinery pkg/util/managedfields/extract.go (ExtractInto).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tonnage.cluster.api import FIELD_MANAGER


def fields_of(value: Mapping[str, Any], manager: str = FIELD_MANAGER) -> dict[str, Any]:
    """The fields of an object that a manager has applied, as an object to apply again.

    Args:
        value: An object as the server gives it, with ``metadata.managedFields``.
        manager: Its name.

    Returns:
        The object with the manager's fields only; with kind and name alone where it has applied none.
    """
    metadata = value.get("metadata") or {}
    found: dict[str, Any] = {}
    for entry in metadata.get("managedFields") or ():
        if is_applied_by(entry, manager):
            found = _picked(value, entry.get("fieldsV1") or {})
            break
    about = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {
        "apiVersion": value.get("apiVersion"),
        "kind": value.get("kind"),
        **{key: part for key, part in found.items() if key not in ("apiVersion", "kind")},
        "metadata": {**found.get("metadata", {}), **about},
    }


def is_applied_by(entry: Mapping[str, Any], manager: str = FIELD_MANAGER) -> bool:
    """Whether an entry of ``metadata.managedFields`` tells of a manager's server-side apply."""
    mine = entry.get("manager") == manager and entry.get("operation") == "Apply"
    return mine and not entry.get("subresource")


def _picked(value: Any, fields: Mapping[str, Any]) -> Any:
    """The parts of a value that a set of fields names; all of it where it names none."""
    inner = {key: part for key, part in fields.items() if key != "."}
    if not inner:
        return value
    if isinstance(value, Mapping):
        return {
            key[2:]: _picked(value[key[2:]], part)
            for key, part in inner.items()
            if key.startswith("f:") and key[2:] in value
        }
    if isinstance(value, list):
        return [
            {**_keys(key), **picked} if isinstance(picked := _picked(item, part), dict) else picked
            for key, part in inner.items()
            for item in value
            if _is_meant(key, item, value)
        ]
    return value


def _keys(key: str) -> dict[str, Any]:
    return dict(json.loads(key[2:])) if key.startswith("k:") else {}


def _is_meant(key: str, item: Any, items: list[Any]) -> bool:
    if key.startswith("k:"):
        return isinstance(item, Mapping) and all(item.get(k) == v for k, v in _keys(key).items())
    if key.startswith("v:"):
        return bool(item == json.loads(key[2:]))
    return key.startswith("i:") and items.index(item) == int(key[2:])
