"""The scenario of a run as a list of names and values, so that a page says what it is about."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

import numpy as np

from tonnage.twin.scenario import Samples, Scenario
from tonnage.twin.wording import counted, show_number

_ITEMS_MAX: Final = 12
_SECTIONS: Final = (
    ("Run", ("name", "duration_s", "interval_s", "seed")),
    ("Objective", ("objective",)),
    ("Traffic", ("traffic", "client", "network")),
    ("Workload", ("workload",)),
    ("Servers", ("servers",)),
    ("Autoscaler", ("autoscaler",)),
    ("Metrics", ("metrics",)),
    ("Cluster", ("cluster",)),
    ("Control plane", ("control",)),
    ("Happenings", ("happenings",)),
)


def settings_of(scenario: Scenario) -> list[tuple[str, list[tuple[str, str]]]]:
    """List every setting of a scenario, by section; each as its path and its value."""
    sections = []
    for title, names in _SECTIONS:
        rows: list[tuple[str, str]] = []
        for name in names:
            label = name if len(names) > 1 else ""
            rows += list(_flattened(label, getattr(scenario, name)))
        sections.append((title, rows))
    return sections


def _flattened(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Samples):
        yield path, _samples(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = type(value).__name__
        shown = [one for one in dataclasses.fields(value) if one.repr and not one.name.startswith("_")]
        if not shown:
            yield path, kind
        for field in shown:
            name = f"{path}.{field.name}" if path else field.name
            yield from _flattened(name, getattr(value, field.name))
    elif isinstance(value, Mapping):
        yield path, ", ".join(f"{key}={item}" for key, item in list(value.items())[:_ITEMS_MAX]) or "none"
    elif isinstance(value, tuple) and any(dataclasses.is_dataclass(item) for item in value):
        for index, item in enumerate(value[:_ITEMS_MAX]):
            yield f"{path}[{index}]", type(item).__name__
            yield from _flattened(f"{path}[{index}]", item)
        if len(value) > _ITEMS_MAX:
            yield path, f"and {counted(len(value) - _ITEMS_MAX, 'more')}".removesuffix("s")
    else:
        yield path, _leaf(value)


def _samples(samples: Samples) -> str:
    values = samples.values
    if len(values) == 1:
        return show_number(values[0])
    low, high, median = (show_number(float(value)) for value in (values[0], values[-1], np.median(values)))
    return f"{len(values)} samples from {low} to {high}, median {median}"


def _leaf(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return show_number(value) if math.isfinite(value) else "unlimited"
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return "none"
        low, high = show_number(float(value.min())), show_number(float(value.max()))
        return low if value.size == 1 else f"{value.size:,} values from {low} to {high}"
    if isinstance(value, (tuple, frozenset, list)):
        items = [_leaf(item) for item in list(value)[:_ITEMS_MAX]]
        if isinstance(value, frozenset):
            items.sort()
        return ", ".join(items) + (" …" if len(value) > _ITEMS_MAX else "") or "none"
    return str(value) or "none"
