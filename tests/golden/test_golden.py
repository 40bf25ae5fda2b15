"""Each folder here is one flow: from ``spec.yaml``, and where there is one ``profile.json``, to what is made.

What is made must be the same bytes as what is stored. ``TONNAGE_UPDATE_GOLDEN=1`` rewrites the stored files;
where ``CI`` is set that is refused.
"""

from __future__ import annotations

import os
from pathlib import Path

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tonnage.kube.objects import read_objects
from tonnage.kube.shape import shape_problems
from tonnage.manifests import Release, render_text
from tonnage.manifests.metrics_api import MetricsApi, metrics_api_objects
from tonnage.manifests.text import dump_objects
from tonnage.profile import load_profile
from tonnage.spec import load_model_service

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/spec.yaml"))
KUBERNETES = "1.37.0"
OTHERS = ("cert-manager.io/v1",)
"""API groups that are not Kubernetes' own, whose schemas are not here."""
METRICS_API = {
    "cert-manager": MetricsApi(image="tonnage:0.1"),
    "own-certificate": MetricsApi(image="tonnage:0.1", namespace="metrics", ca_bundle="UEVN"),
}


def made(folder: Path) -> str:
    profile = folder / "profile.json"
    measured = load_profile(profile) if profile.is_file() else None
    return render_text(load_model_service(folder / "spec.yaml"), measured, release=Release())


def compared(text: str, stored: Path) -> None:
    if os.environ.get("TONNAGE_UPDATE_GOLDEN"):
        assert not os.environ.get("CI"), "golden files are not rewritten in CI"
        stored.write_text(text, encoding="utf-8")
    assert text == stored.read_text(encoding="utf-8")


def validated(text: str) -> None:
    for document in YAML(typ="safe").load_all(text):
        if document["apiVersion"] not in OTHERS:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)
    objects, problems = read_objects(text, source="made")
    assert problems == []
    assert [str(problem) for item in objects for problem in shape_problems(item)] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_manifests_are_byte_for_byte_what_they_were(folder: Path) -> None:
    """A change of what is made shows in a diff, and is meant."""
    compared(made(folder), folder / "manifests.yaml")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_manifests_are_what_kubernetes_takes(folder: Path) -> None:
    """Each object satisfies Kubernetes 1.37's own schema, unknown fields refused, and our reading of it."""
    validated(made(folder))


@pytest.mark.parametrize("name", METRICS_API)
def test_the_metrics_apis_objects_are_what_they_were_and_what_kubernetes_takes(name: str) -> None:
    """With cert-manager and with a certificate of one's own."""
    text = dump_objects(metrics_api_objects(METRICS_API[name]))
    compared(text, Path(__file__).parent / "metrics-api" / f"{name}.yaml")
    validated(text)


def test_the_schemas_find_faults() -> None:
    """The validation above can fail: an unknown field and a wrong type are refused."""
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"ports": 3, "prots": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)
