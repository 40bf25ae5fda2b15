"""Our own audit finds nothing in what we render that its document did not ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tonnage.audit import audit
from tonnage.kube.objects import read_objects
from tonnage.manifests import Release, render_text
from tonnage.manifests.metrics_api import MetricsApi, metrics_api_objects
from tonnage.manifests.text import dump_objects
from tonnage.profile import load_profile
from tonnage.spec import load_model_service

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path.parent for path in (ROOT / "tests/golden").glob("*/spec.yaml"))
ASKED_FOR = {
    # the founding text writes both probes with one path, and a start of 90 s
    "founding": {"TNG031", "TNG032"},
    # its document forbids scaling down, scales on memory, and wants one replica at least
    "gpu-types": {"TNG066", "TNG072", "TNG075"},
}


def warnings(text: str) -> set[str]:
    objects, problems = read_objects(text, source="made")
    assert problems == []
    return {one.code for one in audit(objects).findings if one.severity != "info"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_service_has_no_fault_that_its_document_did_not_ask_for(folder: Path) -> None:
    """Errors and warnings only where the document wants what they warn of."""
    service = load_model_service(folder / "spec.yaml")
    profile = folder / "profile.json"
    measured = load_profile(profile) if profile.is_file() else None
    assert warnings(render_text(service, measured, release=Release())) == ASKED_FOR.get(folder.name, set())


def test_what_is_added_on_demand_has_no_fault() -> None:
    """A headless Service and a PodMonitor."""
    service = load_model_service(ROOT / "tests/golden/minimal/spec.yaml")
    release = Release(headless=True, pod_monitor=True)
    assert warnings(render_text(service, release=release)) == set()


@pytest.mark.parametrize("bundle", [None, "UEVN"])
def test_the_metrics_api_has_no_fault(bundle: str | None) -> None:
    """Neither with a certificate of one's own nor with cert-manager's."""
    objects = metrics_api_objects(MetricsApi(image="registry.example.com/tonnage:0.1", ca_bundle=bundle))
    assert warnings(dump_objects(objects)) == set()
