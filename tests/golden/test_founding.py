"""The founding text's service: every field of its manifests, and what became of it, as the document says."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tonnage.manifests import Release, render
from tonnage.spec import load_model_service

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/founding.md"
Objects = dict[str, dict[str, Any]]


def objects() -> Objects:
    service = load_model_service(ROOT / "examples/founding/service.yaml")
    return {one["kind"]: one for one in render(service, release=Release())}


def template(made: Objects) -> Any:
    return made["Deployment"]["spec"]["template"]


def container(made: Objects) -> Any:
    return template(made)["spec"]["containers"][0]


def scaler(made: Objects) -> Any:
    return made["HorizontalPodAutoscaler"]["spec"]


def asked(probe: Any) -> tuple[Any, ...]:
    return (probe["httpGet"]["path"], probe["httpGet"]["port"], probe["initialDelaySeconds"], probe["periodSeconds"])


def moved(rules: Any) -> tuple[Any, ...]:
    (policy,) = rules["policies"]
    return (rules["stabilizationWindowSeconds"], policy["type"], policy["value"], policy["periodSeconds"])


FIELDS: dict[str, tuple[Callable[[Objects], Any], Any]] = {
    "Deployment metadata.name": (lambda made: made["Deployment"]["metadata"]["name"], "model-serving"),
    "Deployment spec.replicas": (lambda made: made["Deployment"]["spec"].get("replicas"), None),
    "Deployment spec.selector.matchLabels": (
        lambda made: made["Deployment"]["spec"]["selector"]["matchLabels"],
        {"app.kubernetes.io/name": "model-serving"},
    ),
    "Deployment template labels": (lambda made: template(made)["metadata"]["labels"]["app"], "model-serving"),
    "containers[0].name": (lambda made: container(made)["name"], "server"),
    "containers[0].image": (lambda made: container(made)["image"], "model-serving:v1.2.3"),
    "resources.requests": (
        lambda made: container(made)["resources"]["requests"],
        {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu": "1"},
    ),
    "resources.limits": (
        lambda made: container(made)["resources"]["limits"],
        {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
    ),
    "containers[0].ports": (
        lambda made: [(one["name"], one["containerPort"]) for one in container(made)["ports"]],
        [("http", 8080), ("grpc", 9000)],
    ),
    "readinessProbe": (lambda made: asked(container(made)["readinessProbe"]), ("/health", "http", 30, 5)),
    "livenessProbe": (lambda made: asked(container(made)["livenessProbe"]), ("/health", "http", 60, 10)),
    "tolerations": (
        lambda made: template(made)["spec"]["tolerations"],
        [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    ),
    "podAntiAffinity": (
        lambda made: [
            (one["weight"], one["podAffinityTerm"]["topologyKey"])
            for one in template(made)["spec"]["affinity"]["podAntiAffinity"][
                "preferredDuringSchedulingIgnoredDuringExecution"
            ]
        ],
        [(100, "kubernetes.io/hostname")],
    ),
    "nodeSelector": (lambda made: template(made)["spec"]["nodeSelector"], {"gpu-type": "a100"}),
    "HPA metadata.name": (lambda made: made["HorizontalPodAutoscaler"]["metadata"]["name"], "model-serving"),
    "HPA scaleTargetRef": (
        lambda made: scaler(made)["scaleTargetRef"],
        {"apiVersion": "apps/v1", "kind": "Deployment", "name": "model-serving"},
    ),
    "HPA minReplicas, maxReplicas": (lambda made: (scaler(made)["minReplicas"], scaler(made)["maxReplicas"]), (3, 50)),
    "HPA metrics[0]": (
        lambda made: scaler(made)["metrics"][0]["resource"],
        {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
    ),
    "HPA metrics[1]": (
        lambda made: scaler(made)["metrics"][1]["pods"],
        {"metric": {"name": "inference_latency_p99"}, "target": {"type": "AverageValue", "averageValue": "100m"}},
    ),
    "HPA behavior.scaleUp": (lambda made: moved(scaler(made)["behavior"]["scaleUp"]), (30, "Percent", 100, 15)),
    "HPA behavior.scaleDown": (lambda made: moved(scaler(made)["behavior"]["scaleDown"]), (300, "Percent", 10, 60)),
}


@pytest.mark.parametrize("field", FIELDS)
def test_what_became_of_each_founding_field(field: str) -> None:
    """The object has what the table says."""
    read, expected = FIELDS[field]
    assert read(objects()) == expected


def test_the_page_has_a_row_for_each_field_and_no_other() -> None:
    """A field that is looked at here is told there."""
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(FIELDS)


def test_the_example_is_the_golden_document() -> None:
    """But for the first line, which says what it is."""
    golden = (ROOT / "tests/golden/founding/spec.yaml").read_text(encoding="utf-8")
    example = (ROOT / "examples/founding/service.yaml").read_text(encoding="utf-8")
    assert golden.splitlines()[1:] == example.splitlines()[1:]
