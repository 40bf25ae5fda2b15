"""The image for real: built from the Dockerfiles, run as a rendered pod runs it, and small.

What runs in a pod imports nothing that requirements-image.lock lacks, and requirements-image.in names nothing that no pod imports.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from controlplane.plane import free_port, wait_until

from tonnage.manifests import Release, render
from tonnage.manifests.metrics_api.serving import COMMAND as METRICS_API
from tonnage.manifests.pod import COMMAND as SERVER
from tonnage.spec.load import load_model_service, load_warmup_inputs

sys.path.insert(0, str(Path(__file__).parent))
from images import Images, NoBuilder

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/filetype"
START_S_MAX = 300
BUILD_ONLY = {"editables", "hatchling", "pathspec", "pluggy", "tomlkit", "trove-classifiers"}
"""What the build stage takes away again."""


def pins(file: Path) -> dict[str, str]:
    """Distribution to version, of a lock file; markers are those of this Python."""
    found = {}
    for line in file.read_text().splitlines():
        match = re.match(r"([a-z0-9-]+)==([^ ;]+) ?;? ?([^\\]*)", line)
        if match and "emscripten'" not in match[3].replace("!= 'emscripten'", ""):
            found.setdefault(match[1], match[2])
    return found


def wanted(file: Path) -> set[str]:
    """What a list of requirements names."""
    lines = (line.partition("#")[0].strip() for line in file.read_text().splitlines())
    return {re.sub("[-_.]+", "-", line).lower() for line in lines if line}


IMPORTED = """
import importlib, importlib.metadata as metadata, json, pkgutil, re, sys
allowed = set(json.loads(sys.argv[1]))
owners = {module: {re.sub("[-_.]+", "-", name).lower() for name in names}
          for module, names in metadata.packages_distributions().items()}

class Barrier:
    def find_spec(self, name, path=None, target=None):
        owned = owners.get(name.partition(".")[0])
        if owned and not owned & allowed:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

sys.meta_path.insert(0, Barrier())
for name in ("tonnage.cli.main", "tonnage.cli.serve", "tonnage.cli.metrics_api", "tonnage.metrics_api.running", "tonnage.server.__main__"):
    importlib.import_module(name)
import tonnage.server, tonnage.metrics_api
for room in (tonnage.server, tonnage.metrics_api):
    for module in pkgutil.walk_packages(room.__path__, room.__name__ + "."):
        if module.name not in ("tonnage.server.runtimes.torch", "tonnage.server.tracing.otlp"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if error.name.partition(".")[0] not in ("torch", "opentelemetry"):
                    raise
from tonnage.local.source import read_source
read_source(sys.argv[2], host="127.0.0.1", stdin=None)
used = {name for module in {name.partition(".")[0] for name in sys.modules} for name in owners.get(module, ())}
print(json.dumps(sorted(used & allowed)))
"""


def test_pods_import_nothing_that_the_image_lacks() -> None:
    """Server, metrics API and the document of a service are imported with every other distribution barred."""
    lock = pins(ROOT / "requirements-image.lock")
    allowed = json.dumps(sorted({*lock, "tonnage"} - BUILD_ONLY))
    command = [sys.executable, "-c", IMPORTED, allowed, str(EXAMPLE / "service.yaml")]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-3000:]
    unused = wanted(ROOT / "requirements-image.in") - set(json.loads(run.stdout)) - BUILD_ONLY
    assert unused == set(), "is in the image, and no pod imports it"


def test_the_image_has_the_versions_that_are_tested() -> None:
    """Its lock is a part of requirements.lock, without the twin's compiler and the reports."""
    whole, image = pins(ROOT / "requirements.lock"), pins(ROOT / "requirements-image.lock")
    assert image.items() <= whole.items()
    assert not image.keys() & {"numba", "llvmlite", "plotly", "rich", "magika"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    try:
        images = Images(tmp_path_factory.mktemp("images"))
    except NoBuilder as error:
        pytest.skip(str(error))
    try:
        images.build("localhost/tonnage:test", ROOT)
        yield images
    finally:
        images.close()


def settings(folder: Path) -> tuple[int, Path]:
    """The ConfigMap of the example, on free ports of the loopback address; its HTTP port and its folder."""
    service = load_model_service(EXAMPLE / "service.yaml")
    release = Release(warmup_inputs=load_warmup_inputs(service, base=EXAMPLE))
    (config,) = [one for one in render(service, image="i", release=release) if one["kind"] == "ConfigMap"]
    server = json.loads(config["data"]["server.json"])
    for listen in (*server["http"], server["grpc"]):
        listen |= {"host": "127.0.0.1", "port": free_port("127.0.0.1")}
    server["lame_duck_s"] = 0.5
    folder.mkdir(mode=0o755)  # the image's user is another
    (folder / "server.json").write_text(json.dumps(server))
    return server["http"][0]["port"], folder


def asked(url: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def is_up(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
    except OSError:
        return False
    return True


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_the_image_serves_a_model(images: Images, tmp_path: Path) -> None:
    """Built with its model baked in, it answers as the image's own user with the rendered settings, and drains on SIGTERM."""
    images.build("localhost/filetype:test", EXAMPLE, TONNAGE="localhost/tonnage:test")
    port, folder = settings(tmp_path / "settings")
    log = tmp_path / "log"
    options = ("--env", "HOME=/tmp", "-v", f"{folder}:/etc/tonnage:ro")
    container = images.container("localhost/filetype:test")
    process = images.start(container, *options, command=SERVER, log=log)
    try:
        assert wait_until(lambda: is_up(port) or process.poll() is not None, START_S_MAX)
        assert process.poll() is None, log.read_text()
        script = "#!/bin/sh\nset -eu\nfor f in *; do wc -l $f; done\n"
        tensor = {"name": "content", "datatype": "BYTES", "shape": [1, 1], "data": [script]}
        answer = asked(f"http://127.0.0.1:{port}/v2/models/filetype/infer", {"inputs": [tensor]})
        assert answer["outputs"][0]["data"] == ["shell"], log.read_text()
        pid = server_of(process.pid)
        assert Path(f"/proc/{pid}").stat().st_uid == 65532
        os.kill(pid, signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def server_of(pid: int) -> int:
    """The server's first process among the descendants of another."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        if words[1:3] == [b"-m", b"tonnage.server"]:
            return one
        for task in Path(f"/proc/{one}/task").iterdir():
            waiting += [int(child) for child in (task / "children").read_text().split()]
    raise AssertionError("no server runs")


@pytest.mark.cluster
@pytest.mark.timeout(900)
def test_the_image_holds_what_pods_run_and_no_more(images: Images) -> None:
    """Both commands start, packages are exactly those of the lock, nothing of its own can be written, nobody is root."""
    container = images.container("localhost/tonnage:test")
    for command in (SERVER[:3], METRICS_API[:2], ("tonnage", "serve")):
        assert "Usage" in images.run(container, *command, "--help").title()
    listing = "import importlib.metadata as m; print(*sorted({d.name.lower().replace('_', '-').replace('.', '-') for d in m.distributions(path=['/opt/tonnage/lib/python3.11/site-packages'])}))"
    found = set(images.run(container, "python", "-c", listing).split())
    assert found == (pins(ROOT / "requirements-image.lock").keys() - BUILD_ONLY) | {"tonnage"}
    root = images.folder(container)
    writable = [path for path in (root / "opt/tonnage").rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o002]
    assert writable == []
    configured = json.loads(images.configuration("localhost/tonnage:test"))["OCIv1"]["config"]
    assert (configured["User"], configured["Entrypoint"]) == ("65532:65532", ["tonnage"])
    size_mib = sum(path.lstat().st_size for path in (root / "opt/tonnage").rglob("*")) / 2**20
    assert size_mib < 350
