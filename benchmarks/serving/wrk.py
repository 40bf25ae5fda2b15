"""Closed-loop load by wrk: a fixed number of connections, each asking again as soon as it is answered."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.process import set_nice

SCRIPT = Path(__file__).parent / "lua" / "post.lua"


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """What one run of wrk counted; latencies are from sending to the full answer."""

    rps: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    load_cpu_s: float


def run(
    port: int, path: str, bodies: Path, *, connections: int, duration_s: int, core: int, nice: int
) -> ClosedLoop:
    """Loads a server for ``duration_s`` with the bodies in rotation, from one thread on one core.

    Raises:
        RuntimeError: wrk failed.
    """
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        stats = Path(folder) / "stats.json"
        command = [
            "taskset",
            "-c",
            str(core),
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{duration_s}s",
            "--timeout",
            "60s",
        ]
        command += ["--latency", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
        before = os.times()
        process = subprocess.Popen(
            command,
            env={**os.environ, "BODIES": str(bodies), "PATHQ": path, "STATS": str(stats)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        set_nice(process.pid, nice)
        said_by_wrk = process.communicate()[0]
        after = os.times()
        if not stats.exists():
            raise RuntimeError(f"wrk: must write its statistics, got {said_by_wrk}")
        said = json.loads(stats.read_text())
    return ClosedLoop(
        rps=round(said["requests"] / (said["us"] / 1e6), 1),
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
        max_ms=said["max_ms"],
        errors=sum(said[kind] for kind in ("connect", "read", "write", "status", "timeout")),
        load_cpu_s=after.children_user
        + after.children_system
        - before.children_user
        - before.children_system,
    )
