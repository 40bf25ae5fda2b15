"""The chart installed, changed and taken away by Helm itself, on a real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from controlplane.plane import ControlPlane

sys.path.insert(0, str(Path(__file__).parent))
from test_chart import GOLDEN, helm, made
from test_real_api_server import Client

from tonnage.cli.render_folder import write_folder
from tonnage.manifests.chart import chart_files

__all__ = ["helm"]

pytestmark = [pytest.mark.cluster, pytest.mark.upstream, pytest.mark.timeout(1800)]

SCALED = 40
NAMED = {path.name: path for path in GOLDEN}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with ControlPlane(tmp_path_factory.mktemp("plane")) as plane:
        client = Client(plane)
        client.kubeconfig = plane.kubeconfig
        yield client


def run(helm: Path, client: Client, *words: str) -> Any:
    environment = {**os.environ, "HOME": str(client.kubeconfig.parent)}
    command = [str(helm), *words, "--kubeconfig", str(client.kubeconfig)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower(), done.stderr
    return json.loads(done.stdout) if "json" in words else None


@pytest.mark.parametrize("name", ["founding", "dra-mig", "gaudi", "fixed-replicas"])
def test_it_installs_upgrades_and_goes(helm: Path, client: Client, tmp_path: Path, name: str) -> None:
    """Accepted in a namespace that enforces ``restricted``, without a warning; a value changes what it should; nothing stays."""
    service, objects = made(NAMED[name])
    write_folder(tmp_path / "chart", chart_files(service, objects), force=False)
    namespace = client.namespace(f"chart-{name}")
    chart = (str(tmp_path / "chart"), "--namespace", namespace)
    run(helm, client, "install", name, *chart, "--dry-run=server")
    run(helm, client, "install", name, *chart)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{service.name}"
    scale = {"spec": {"replicas": SCALED}}
    before = client.ask("PATCH", path, scale, "application/merge-patch+json")[0]
    run(helm, client, "upgrade", name, *chart, "--set", "image.tag=v2,image.digest=")
    after = client.ask("GET", path)[0]
    images = [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in (before, after)]
    assert images[0] != images[1]
    assert images[1].endswith(":v2")
    scaled = any(one["kind"] == "HorizontalPodAutoscaler" for one in objects)
    # the HPA itself may have raised it to its minimum since; an upgrade must not throw it back
    assert (after["spec"]["replicas"] >= SCALED) if scaled else (after["spec"]["replicas"] == service.spec.replicas)
    run(helm, client, "uninstall", name, "--namespace", namespace)
    with pytest.raises(AssertionError, match="404"):
        client.ask("GET", path)
