"""A real Prometheus reads the metrics page. Skipped where it is neither installed nor to be had."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tonnage-tests" / "prometheus"


def find(name: str) -> str:
    """A program of Debian's package, installed or unpacked into the cache."""
    installed = shutil.which(name)
    if installed:
        return installed
    program = CACHE / "usr" / "bin" / name
    if not program.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            pytest.skip(f"{name} is not installed, and there is no apt-get to fetch it")
        CACHE.mkdir(parents=True, exist_ok=True)
        got = subprocess.run(
            ["apt-get", "download", "prometheus"], cwd=CACHE, capture_output=True, timeout=100
        )
        packages = list(CACHE.glob("prometheus_*.deb"))
        if got.returncode or not packages:
            pytest.skip(f"{name} is not installed and cannot be fetched: {got.stderr.decode()[-200:]}")
        subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(CACHE)], check=True)
        packages[0].unlink()
    return str(program)


@pytest.fixture
def used(serve, tiny):
    """A server that has answered well and badly."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
    assert server.infer("tiny", [[1, 2, 3, 4]])[0] == 200
    assert server.infer("tiny", [[1, 2, 3]])[0] == 400
    return server


def test_promtool_has_no_complaint(used):
    """Promtool check metrics accepts the page, without a lint."""
    page = used.ask("/metrics")[1]
    checked = subprocess.run(
        [find("promtool"), "check", "metrics"], input=page, capture_output=True, timeout=60
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_prometheus_scrapes_it(used, tmp_path):
    """Prometheus finds the target up, without a scrape error, and answers queries with our values."""
    program = find("prometheus")
    config = tmp_path / "prometheus.yml"
    config.write_text(
        json.dumps({
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
            "scrape_configs": [{
                "job_name": "tonnage", "static_configs": [{"targets": [f"127.0.0.1:{used.port}"]}],
            }],
        })
    )  # fmt: skip
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=log, stderr=log,
    )  # fmt: skip
    try:

        def ask(path: str):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
                    return json.load(answer)["data"]
            except OSError:
                return None

        def until(path: str, found):
            end_s = time.monotonic() + 60
            while time.monotonic() < end_s:
                assert process.poll() is None, (tmp_path / "log").read_text()
                data = ask(path)
                if data is not None and found(data):
                    return data
            raise AssertionError(f"{path}: {data}")

        targets = until(
            "targets", lambda data: [t for t in data["activeTargets"] if t["health"] != "unknown"]
        )
        assert [(t["health"], t["lastError"]) for t in targets["activeTargets"]] == [("up", "")]
        for query, value in (
            ("tonnage_ready", 1.0),
            ('sum(tonnage_requests_total{code="200"})', 1.0),
            ('sum(tonnage_requests_total{code="400"})', 1.0),
            ("histogram_quantile(0.99, tonnage_request_duration_seconds_bucket)", None),
            ("inference_latency_p99", None),
        ):
            data = until(f"query?query={urllib.parse.quote(query)}", lambda one: one["result"])
            got = float(data["result"][0]["value"][1])
            assert got == value if value is not None else 0 < got < 60, (query, data)
    finally:
        process.kill()
        process.wait()
        log.close()
