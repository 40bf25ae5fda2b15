"""Clients that are not ours ask servers that ``tonnage serve`` started: tritonclient, kserve, perf_analyzer."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.clients import environment
from tests.environments import or_skip

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]  # the first time installs

HERE = Path(__file__).resolve().parent
INSIDE = HERE / "inside"
MODELS = HERE.parent / "models"
READY_S_MAX = 60.0


@dataclass
class Served:
    """One ``tonnage serve`` and where it listens."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)

    def read(self) -> None:
        """Follow the log; beyond readiness too, so that the pipe never fills up."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            self.lines.append(text)
            line = json.loads(text) if text.startswith("{") else {}
            if line.get("event") == "listening":
                self.addresses[line.get("protocol", "http")] = line["address"]
            if line.get("event") == "ready":
                self.ready.set()
        self.ready.set()


@pytest.fixture(scope="module")
def addresses(tiny: Path) -> Iterator[dict[str, dict[str, str]]]:
    """Four servers: a model file, every datatype, one that raises, and one that will hang."""
    sources = {
        "tiny": str(tiny),
        "identity": "served:Identity",
        "steered": "served:Steered",
        "hanging": "served:Steered",
    }
    served: dict[str, Served] = {}
    try:
        for name, source in sources.items():
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "tonnage", "serve", source, "--name", name, "--workers", "1",
                    "--host", "127.0.0.1", "--port", "0", "--grpc-port", "0", "--log-format", "json",
                    "--execution", "thread", "--lame-duck", "0s",
                ],
                cwd=MODELS, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            served[name] = Served(process)
            threading.Thread(target=served[name].read, daemon=True).start()
        for name, one in served.items():
            assert one.ready.wait(READY_S_MAX), f"{name} is not ready: {one.lines}"
            assert set(one.addresses) == {"http", "grpc"}, one.lines
        yield {name: one.addresses for name, one in served.items()}
        for name in ("tiny", "identity", "steered"):  # nothing that a client did keeps them from a clean end
            served[name].process.send_signal(signal.SIGTERM)
            assert served[name].process.wait(30) == 0, served[name].lines
    finally:
        for one in served.values():
            one.process.kill()
            one.process.wait()
            if one.process.stderr is not None:
                one.process.stderr.close()


@pytest.fixture(scope="module")
def interpreter() -> Path:
    """The Python that has the clients."""
    return or_skip(environment.clients)


@pytest.mark.parametrize("file", sorted(INSIDE.glob("check_*.py")), ids=lambda file: file.stem)
def test_the_checks_pass_with_the_client(file: Path, addresses, interpreter: Path, tmp_path: Path) -> None:
    """Every check of the file passes in the client's own environment, and at least one ran."""
    done = subprocess.run(
        [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", INSIDE / "pytest.ini", file],
        env={**os.environ, "TONNAGE_TEST_SERVERS": json.dumps(addresses), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


@pytest.fixture(scope="module")
def perf_analyzer() -> tuple[list[str], dict[str, str]]:
    """The command and the variables that it needs."""
    return or_skip(environment.perf_analyzer)


@pytest.mark.parametrize(
    ("protocol", "options"),
    [
        ("http", ["--concurrency-range", "2"]),
        ("http", ["--async", "--concurrency-range", "4"]),
        ("http", ["--request-rate-range", "50", "--request-distribution", "poisson"]),
        ("grpc", ["--concurrency-range", "2"]),
        ("grpc", ["--async", "--concurrency-range", "4"]),
        ("grpc", ["--streaming", "--async", "--concurrency-range", "2"]),
        ("grpc", ["--request-rate-range", "50"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_perf_analyzer_measures_the_server(
    protocol: str, options: list[str], addresses, perf_analyzer, tmp_path: Path
) -> None:
    """It reads the model's metadata, makes its own inputs, and writes a table with what it measured."""
    command, variables = perf_analyzer
    table = tmp_path / "measured.csv"
    done = subprocess.run(
        [
            *command, "-m", "tiny", "-i", protocol, "-u", addresses["tiny"][protocol], *options,
            "-b", "1", "--measurement-mode", "count_windows",
            "--measurement-request-count", "30", "--stability-percentage", "999", "--max-trials", "3",
            "-f", str(table),
        ],
        env={**os.environ, **variables}, cwd=tmp_path, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1, done.stdout
    assert float(rows[0]["Inferences/Second"]) > 0
    assert 0 < float(rows[0]["p50 latency"]) <= float(rows[0]["p99 latency"])
