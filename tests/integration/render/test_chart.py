"""The chart under Helm itself: with its own values it gives what ``render`` gives, and its values do what they say.

Helm comes from PATH, or is built once from its pinned Go module (minutes) and cached.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from controlplane.binaries import HELM, NoGo, program
from ruamel.yaml import YAML

from tonnage.cli.render_folder import write_folder
from tonnage.manifests import Release, render
from tonnage.manifests.chart import chart_files
from tonnage.profile import load_profile
from tonnage.spec import load_model_service

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[3]
GOLDEN = sorted(path.parent for path in (ROOT / "tests/golden").glob("*/spec.yaml"))


@pytest.fixture(scope="module")
def helm() -> Path:
    found = shutil.which("helm")
    if found:
        return Path(found)
    try:
        return program(HELM)
    except NoGo as error:
        pytest.skip(str(error))


def made(folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    profile = folder / "profile.json"
    service = load_model_service(folder / "spec.yaml")
    measured = load_profile(profile) if profile.is_file() else None
    return service, list(render(service, measured, image="m:v1", release=Release()))


def templated(helm: Path, folder: Path, chart: Path, *options: str) -> list[dict[str, Any]]:
    service, objects = made(folder)
    write_folder(chart, chart_files(service, objects), force=False)
    environment = {**os.environ, "HOME": str(chart.parent)}
    lint = subprocess.run([str(helm), "lint", "--strict", str(chart)], capture_output=True, text=True, env=environment)
    assert lint.returncode == 0, lint.stdout + lint.stderr
    command = [str(helm), "template", "release", str(chart), "--namespace", "x", *options]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return [one for one in YAML(typ="safe").load_all(run.stdout) if one]


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_its_own_values_give_the_objects_of_render(helm: Path, tmp_path: Path, folder: Path) -> None:
    """Nothing is lost, nothing is added and nothing is read as a template; the namespace is the release's."""
    wanted = made(folder)[1]
    for one in wanted:
        one["metadata"].pop("namespace", None)
    assert by_name(templated(helm, folder, tmp_path / "chart")) == by_name(wanted)


def test_values_set_image_bounds_and_resources(helm: Path, tmp_path: Path) -> None:
    """What people set on every chart."""
    digest = "sha256:" + "a" * 64
    options = [
        *("--set", "image.repository=other/m", "--set", "image.tag=", "--set", f"image.digest={digest}"),
        *("--set", "autoscaling.minReplicas=4", "--set", "autoscaling.maxReplicas=9"),
        *("--set-string", "resources.requests.cpu=3", "--set", "priorityClassName=high"),
    ]
    objects = by_name(templated(helm, ROOT / "tests/golden/founding", tmp_path / "chart", *options))
    pod = objects["Deployment", "model-serving"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == f"other/m@{digest}"
    assert pod["containers"][0]["resources"]["requests"] == {"cpu": "3", "memory": "4Gi", "nvidia.com/gpu": "1"}
    assert pod["priorityClassName"] == "high"
    scaler = objects["HorizontalPodAutoscaler", "model-serving"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (4, 9)


def test_without_the_autoscaler_the_number_is_a_value(helm: Path, tmp_path: Path) -> None:
    """Switched off, the HPA is gone and the Deployment says how many replicas there are."""
    options = ["--set", "autoscaling.enabled=false", "--set", "replicaCount=7"]
    objects = by_name(templated(helm, ROOT / "tests/golden/founding", tmp_path / "chart", *options))
    assert objects["Deployment", "model-serving"]["spec"]["replicas"] == 7
    assert not [kind for kind, _ in objects if kind == "HorizontalPodAutoscaler"]
