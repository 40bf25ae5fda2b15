"""Random HorizontalPodAutoscaler documents as users write them: valid ones for scenarios."""

from __future__ import annotations

from random import Random
from typing import Any

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CONTAINERS = ("server", "proxy")
_WINDOWS_S = (0, 15, 30, 45, 60, 61, 120, 300, 301, 600, 3600)
_PERIODS_S = (1, 15, 30, 60, 61, 90, 300, 1800)
_TOLERANCES = ("0", "50m", "0.05", "0.1", "0.15", "0.35", "5e-1", "1", "0.070", 0.2, 1)
_SELECTORS = (
    {"matchLabels": {"verb": "GET", "app": "web"}},
    {"matchExpressions": [{"key": "verb", "operator": "In", "values": ["GET", "PUT"]}]},
    {},
)


def document(random: Random) -> dict[str, Any]:
    """Makes a valid autoscaler of the Deployment ``web``."""
    lowest = random.choices((0, 1, 2, 3, 5), (20, 35, 20, 15, 10))[0]
    highest = lowest + random.choices((1, 3, 7, 10, 20, 50), (15, 20, 25, 25, 12, 3))[0]
    spec: dict[str, Any] = {"scaleTargetRef": TARGET, "maxReplicas": highest}
    if lowest != 1 or random.random() < 0.5:
        spec["minReplicas"] = lowest
    made = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": spec,
    }
    if lowest and random.random() < 0.04:
        made["apiVersion"] = "autoscaling/v1"
        if random.random() < 0.7:
            spec["targetCPUUtilizationPercentage"] = random.choice((50, 80, 100))
        return made
    if not lowest or random.random() < 0.95:
        spec["metrics"] = _metrics(random, needs_external=not lowest)
    if random.random() < 0.65:
        spec["behavior"] = behavior(random)
    if random.random() < 0.03:
        _rise_from_25(random, spec)
    return made


def _rise_from_25(random: Random, spec: dict[str, Any]) -> None:
    """Makes a percentage matter of which doubles and whole numbers round up to different counts."""
    spec["minReplicas"], spec["maxReplicas"] = 25, 60
    policy = {"type": "Percent", "value": random.choice((12, 68, 120, 124, 128)), "periodSeconds": 15}
    spec["behavior"] = {"scaleUp": {"policies": [policy]}}


def behavior(random: Random) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for direction in ("scaleUp", "scaleDown"):
        if random.random() < 0.65:
            made[direction] = _rules(random)
    return made


def _rules(random: Random) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if random.random() < 0.6:
        rules["stabilizationWindowSeconds"] = random.choice(_WINDOWS_S)
    if random.random() < 0.35:
        rules["selectPolicy"] = random.choices(("Max", "Min", "Disabled"), (40, 50, 10))[0]
    if random.random() < 0.6:
        rules["policies"] = [_policy(random) for _ in range(random.choice((1, 1, 2, 3)))]
    if random.random() < 0.25:
        rules["tolerance"] = random.choice(_TOLERANCES)
    return rules


def _policy(random: Random) -> dict[str, Any]:
    if random.random() < 0.5:
        value = random.choice((1, 1, 2, 2, 4, 4, 10, 2**31 - 1))
        return {"type": "Pods", "value": value, "periodSeconds": random.choice(_PERIODS_S)}
    value = random.choice((1, 10, 12, 50, 90, 100, 200, 2**31 - 1))
    return {"type": "Percent", "value": value, "periodSeconds": random.choice(_PERIODS_S)}


def _metrics(random: Random, *, needs_external: bool) -> list[dict[str, Any]]:
    kinds = ["Resource", "ContainerResource", "Pods", "Object", "External"]
    chosen = random.sample(kinds, random.choices((1, 2, 3), (60, 30, 10))[0])
    if needs_external and not {"Object", "External"} & set(chosen):
        chosen.append(random.choice(("Object", "External")))
    return [_metric(random, kind) for kind in chosen]


def _metric(random: Random, kind: str) -> dict[str, Any]:
    if kind in ("Resource", "ContainerResource"):
        name = random.choice(("cpu", "cpu", "memory"))
        source: dict[str, Any] = {"name": name}
        if random.random() < 0.7:
            source["target"] = {"type": "Utilization", "averageUtilization": random.choice((50, 70, 80, 100, 150))}
        else:
            amounts = {"cpu": ("500m", "1", "0.25"), "memory": ("500Mi", "1Gi", "128M")}
            source["target"] = {"type": "AverageValue", "averageValue": random.choice(amounts[name])}
        if kind == "ContainerResource":
            source["container"] = random.choice(CONTAINERS)
        return {"type": kind, kind[0].lower() + kind[1:]: source}
    metric: dict[str, Any] = {"name": {"Pods": "latency", "Object": "hits", "External": "queue"}[kind]}
    if random.random() < 0.3:
        metric["selector"] = random.choice(_SELECTORS)
    target = {"type": "AverageValue", "averageValue": random.choice(("100m", "10", "0.5", "1k", "7"))}
    if kind != "Pods" and random.random() < 0.5:
        target = {"type": "Value", "value": random.choice(("100m", "10", "250", "1k"))}
    source = {"metric": metric, "target": target}
    if kind == "Object":
        source["describedObject"] = {"kind": "Service", "name": "front", "apiVersion": "v1"}
    return {"type": kind, kind.lower(): source}
