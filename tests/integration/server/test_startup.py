"""What a server is started with: nothing that only other commands need."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

OTHERS = frozenset(
    {
        "email",
        "hypothesis",
        "magika",
        "opentelemetry",
        "pandas",
        "plotly",
        "prometheus_client",
        "pydantic",
        "pytest",
        "rich",
        "ruamel",
        "structlog",
        "torch",
    }
)
"""Packages of the command line, of reports and of documents; each costs tens of milliseconds or more."""
ROOMS = frozenset({"kube", "loadgen", "profile", "spec", "traffic"})
"""Rooms of ours that no server needs."""


def imported(command: list[str]) -> set[str]:
    """Run a server until it is ready, and name every module that its processes have imported."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
    )
    assert process.stderr is not None
    modules, ready = set(), False
    try:
        for line in process.stderr:
            if found := re.match(r"import time: .*\| +(\S+)$", line):
                modules.add(found[1])
            elif "] ready" in line or '"event": "ready"' in line:
                ready = True
                process.send_signal(signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert ready
    return modules


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("bare", [True, False])
def test_a_server_imports_what_it_needs(tiny: Path, tmp_path: Path, bare: bool, workers: int):
    """A model file's server, and one started from its settings, import nothing of other commands."""
    if bare:
        command = ["-m", "tonnage", "serve", str(tiny), "--host", "127.0.0.1", "--port", "0"]
        command += ["--grpc-port", "0", "--workers", str(workers), "--lame-duck", "0s"]
    else:
        config = {
            "model": {"name": "m", "format": "onnx", "path": str(tiny)},
            "http": [{"host": "127.0.0.1", "port": 0}],
            "grpc": {"host": "127.0.0.1", "port": 0},
            "workers": workers,
            "lame_duck_s": 0.0,
        }
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config))
        command = ["-m", "tonnage.server", "--config", str(file)]
    modules = imported(command)
    assert {"onnxruntime", "grpc", "tonnage.server.worker"} <= modules
    assert {name.partition(".")[0] for name in modules} & OTHERS == set()
    assert {name.split(".")[1] for name in modules if name.startswith("tonnage.")} & ROOMS == set()
    assert ("click" in modules) is bare
