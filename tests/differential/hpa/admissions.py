"""Random documents, half of them spoilt, and what the API server makes of them.

Not among them are the two things that we refuse and the API server does not: unknown fields (which its
clients refuse) and unknown operators in a metric's selector.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from tests.differential.hpa import documents
from tonnage.errors import SpecError
from tonnage.hpa import Hpa, hpa_from_object

Document = dict[str, Any]
_COUNTS = (-1, 0, 1, 2, 50, 1799, 1800, 1801, 3600, 3601, 2**31 - 1, 2**31, 1.5, "3", None, True)
_QUANTITIES = ("0", "-1", "1n", "0.0001", "100m", "1Ki", "1e3", 5, 0.25, "", "a lot", None, True, [])
_TEXTS = ("", "a/b", ".", "..", "100%", "fine", "Fine_1", "v1", "apps/v1", "a/b/c", 7, None)
_TYPES = ("Resource", "Pods", "Object", "External", "ContainerResource", "Utilization", "Value", "AverageValue")
_OTHER_TYPES = ("Max", "Min", "Disabled", "Percent", "max", "", None, 1)


def document(seed: int, index: int) -> Document:
    """Makes a document."""
    random = Random(f"{seed}/{index}")
    made = copy.deepcopy(documents.document(random))
    for _ in range(random.choices((0, 1, 2), (35, 50, 15))[0]):
        _spoil(random, made)
    return made


def _spoil(random: Random, made: Document) -> None:
    """Changes one random place of the spec: to a value of its kind, to nothing, or to another part."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            if key not in ("operator", "selector"):
                places.append((value, key))
                walk(inner)

    walk(made["spec"])
    parent, key = random.choice(places)
    chance = random.random()
    if chance < 0.15:
        del parent[key]
    elif chance < 0.2:
        parent[key] = random.choice(({}, [], None, "text", 3))
    elif chance < 0.3 and isinstance(parent, dict) and key == "target":
        extra = random.choice(("value", "averageValue", "averageUtilization"))
        parent[key][extra] = random.choice(_COUNTS if extra == "averageUtilization" else _QUANTITIES)
    else:
        parent[key] = random.choice(_choices(key, parent[key]))


def _choices(key: Any, value: Any) -> tuple[Any, ...]:
    if key in ("value", "averageValue", "tolerance") and not isinstance(value, int):
        return _QUANTITIES
    if isinstance(value, int):
        return _COUNTS
    if key in ("type", "selectPolicy"):
        return _TYPES + _OTHER_TYPES
    if isinstance(value, str):
        return _TEXTS
    return ({}, [], None)


def difference(made: Document, theirs: dict[str, Any]) -> str | None:
    """Says how the API server sees a document otherwise than we do; None when it does not."""
    try:
        ours = hpa_from_object(made)
    except SpecError as error:
        return None if theirs["object"] is None else f"refused here ({error}), taken upstream: {made}"
    if theirs["object"] is None:
        return f"taken here, refused upstream ({theirs['problems']}): {made}"
    checks: dict[str, Callable[[], tuple[Any, Any]]] = {
        "as stored": lambda: (ours, hpa_from_object(theirs["object"])),
        "numbers": lambda: (_numbers(ours), theirs["numbers"]),
        "defaults": lambda: (_defaults(ours), _their_defaults(theirs["object"]["spec"])),
    }
    for name, check in checks.items():
        mine, upstream = check()
        if mine != upstream:
            return f"{name}: ours {mine}, upstream {upstream}: {made}"
    return None


def _numbers(hpa: Hpa) -> dict[str, Any]:
    """What the controller would compute with."""
    behavior = hpa.behavior
    return {
        "targets": [
            [target.value_milli, target.average_value_milli, target.average_utilization_percent]
            for target in (metric.target for metric in hpa.metrics)
        ],
        "tolerances": None if behavior is None else [behavior.scale_up.tolerance, behavior.scale_down.tolerance],
    }


def _defaults(hpa: Hpa) -> dict[str, Any]:
    rules = None
    if hpa.behavior is not None:
        rules = [
            {
                "stabilizationWindowSeconds": part.stabilization_window_s,
                "selectPolicy": part.select_policy,
                "policies": [
                    {"type": policy.type, "value": policy.value, "periodSeconds": policy.period_s}
                    for policy in part.policies
                ],
            }
            for part in (hpa.behavior.scale_up, hpa.behavior.scale_down)
        ]
    return {
        "minReplicas": hpa.replicas_min,
        "maxReplicas": hpa.replicas_max,
        "types": [metric.query.type for metric in hpa.metrics],
        "behavior": rules,
    }


def _their_defaults(spec: dict[str, Any]) -> dict[str, Any]:
    rules = None
    if spec.get("behavior") is not None:
        names = ("stabilizationWindowSeconds", "selectPolicy", "policies")
        parts = (spec["behavior"]["scaleUp"], spec["behavior"]["scaleDown"])
        rules = [{name: part.get(name) for name in names} for part in parts]
    return {
        "minReplicas": spec["minReplicas"],
        "maxReplicas": spec["maxReplicas"],
        "types": [metric["type"] for metric in spec["metrics"]],
        "behavior": rules,
    }
