"""What all measurements share: one peer started with one setting, and where results are kept."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import importlib.metadata
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import environments, machine, payloads
from benchmarks.serving.peers import SERVERS, Peer, Variant, write_mlserver_settings
from benchmarks.serving.process import Server, free_port


@dataclass(frozen=True, slots=True)
class Bench:
    """Settings of one run of the benchmark.

    Attributes:
        cache: Folder for environments and models.
        results: Folder for results.
        lock: File locked while something is measured, or None.
        server_core: Core of the server.
        load_core: Core of the load.
        nice: Niceness of server and load; below 0 they yield less to other work on the machine (needs
            privileges).
        connections: Connections of a closed loop.
        duration_s: Length of one timed run.
        runs: Timed runs per cell.
        scan: Whether this is a scan of all settings, whose results are kept apart.
    """

    cache: Path
    results: Path
    lock: Path | None
    server_core: int
    load_core: int
    nice: int
    connections: int
    duration_s: int
    runs: int
    scan: bool = False

    def workload(self, name: str) -> payloads.Workload:
        """The named workload, its model made where needed."""
        return payloads.load(name, self.cache / "models")

    def bin_folder(self, peer: Peer) -> Path:
        """Programs of a peer's environment; Tonnage runs from the benchmark's own."""
        if peer.name == "tonnage":
            return Path(sys.executable).parent
        return environments.ensure(peer.name, self.cache, python=peer.python)

    def version(self, peer: Peer) -> str:
        """The peer's version, with the one of ONNX Runtime beside it."""
        found = environments.versions(self.bin_folder(peer))
        return found.get(peer.package, "from source")

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Holds the lock, where there is one, so that two measurements never run at the same time."""
        if self.lock is None:
            yield
            return
        with self.lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def serve(self, peer: Peer, variant: Variant, workload: payloads.Workload) -> Iterator[Running]:
        """Starts a peer, waits until it answers, and stops it at the end."""
        programs, port = self.bin_folder(peer), free_port()
        with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
            folder = Path(scratch)
            if peer.name == "mlserver":
                write_mlserver_settings(folder, workload.name, port, variant)
            fill = {"port": str(port), "folder": scratch, "path": str(workload.path)}
            command = [str(programs / peer.command[0]), *(word.format(**fill) for word in peer.command[1:])]
            environment = {
                **_environment(programs, workload, port, variant),
                **peer.env,
                **variant.env,
            }
            payloads.write_bodies(folder / "bodies", peer.style, workload)
            cwd = folder if peer.name in ("mlserver", "tonnage") else SERVERS
            server = Server(command, environment, folder=cwd, core=self.server_core, nice=self.nice)
            try:
                ready_s = server.wait(port, peer.ready_path.format(model=workload.name))
                path = peer.infer_path.format(model=workload.name)
                first = payloads.body(peer.style, workload, workload.rows[0])
                answered_s = server.wait(port, path, first)
                yield Running(server, port, path, folder / "bodies", ready_s, answered_s)
            finally:
                server.stop()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers; the two times count from its start, in seconds."""

    server: Server
    port: int
    path: str
    bodies: Path
    ready_s: float
    answered_s: float


def _environment(programs: Path, workload: payloads.Workload, port: int, variant: Variant) -> dict[str, str]:
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": f"{SERVERS}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "BENCH_MODEL": workload.name,
        "BENCH_MODEL_PATH": str(workload.path),
        "BENCH_PORT": str(port),
        "BENCH_WORKERS": str(variant.workers),
        "BENCH_BATCH_SIZE_MAX": str(variant.batch_size_max),
    }


def stored(bench: Bench, name: str) -> list[dict[str, Any]]:
    """The cells of ``results/<name>.json``, empty where it does not exist."""
    path = bench.results / f"{name}.json"
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"] if path.exists() else []
    return cells


def now() -> str:
    """The time, to the second, in UTC."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def store(bench: Bench, name: str, key: tuple[str, ...], cell: dict[str, Any]) -> None:
    """Writes one result into ``results/<name>.json``, in place of an older one with the same key fields."""
    path = bench.results / f"{name}.json"
    bench.results.mkdir(parents=True, exist_ok=True)
    document = json.loads(path.read_text()) if path.exists() else {"cells": []}
    document["schema"] = 1
    document["machine"] = machine.describe()
    document["onnxruntime"] = importlib.metadata.version("onnxruntime")
    identity = [cell[part] for part in key]
    kept = [old for old in document["cells"] if [old[part] for part in key] != identity]
    document["cells"] = [*kept, {**cell, "measured_at": now()}]
    path.write_text(json.dumps(document, indent=1) + "\n")
