"""What a worker process asks of its machine: CPUs, log, clock; and what it tells probes."""

from __future__ import annotations

import ast
import io
import json
import os
import re
from pathlib import Path

import pytest

import tonnage
from tonnage.server.cpu import cpu_limit, default_workers
from tonnage.server.logs import LossyStream, make_logger
from tonnage.server.metrics.block import State
from tonnage.server.state import ServerState

SOURCE = Path(tonnage.__file__).parent
HOST = float(len(os.sched_getaffinity(0)))


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, HOST),
        ("0::/a/b\n", {"a/cpu.max": "25000 100000", "a/b/cpu.max": "max 100000"}, 0.25),
        ("0::/a/b\n", {"a/cpu.max": "40000 100000", "a/b/cpu.max": "10000 100000"}, 0.1),
        ("0::/not/seen\n", {"cpu.max": "30000 100000"}, 0.3),
        ("4:cpu,cpuacct:/p\n", {"cpu/p/cpu.cfs_quota_us": "20000", "cpu/p/cpu.cfs_period_us": "100000"}, 0.2),
        ("4:cpu:/p\n", {"cpu/p/cpu.cfs_quota_us": "-1", "cpu/p/cpu.cfs_period_us": "100000"}, HOST),
        ("5:memory:/p\n1:name=systemd:/p\n", {"p/cpu.max": "10000 100000"}, HOST),
        ("0::/\n", {"cpu.max": "nonsense"}, HOST),
        ("", {}, HOST),
    ],
)
def test_the_tightest_cgroup_limits(tmp_path, own, files, limit):
    """The least quota of the process' cgroup and all above it counts, in version 1 and 2."""
    root = tree(tmp_path / "cgroup", files)
    (tmp_path / "own").write_text(own)
    assert cpu_limit(root, tmp_path / "own") == pytest.approx(limit)


def test_there_is_no_cgroup(tmp_path):
    """Without a cgroup file system the scheduling affinity counts."""
    assert cpu_limit(tmp_path / "none", tmp_path / "nobody") == HOST


@pytest.mark.parametrize(("limit", "workers"), [(0.5, 1), (1.0, 1), (1.9, 1), (2.0, 2), (3.5, 3)])
def test_a_worker_for_each_whole_cpu(monkeypatch, limit, workers):
    """A part of a CPU makes no worker, and there is always one."""
    monkeypatch.setattr("tonnage.server.cpu.cpu_limit", lambda: limit)
    assert default_workers() == workers


def test_a_log_that_cannot_be_written_is_counted():
    """Writing and flushing onto a full disk or a closed stream raise nothing and are counted."""
    with io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True) as full:
        lossy = LossyStream(full)
        lossy.write("a\n")
        lossy.write("b\n")
        lossy.flush()
        assert lossy.lines_dropped == 2
    closed = io.StringIO()
    closed.close()
    lossy = LossyStream(closed)
    lossy.write("a\n")
    assert lossy.lines_dropped == 1


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_carries_its_fields(form):
    """A line has its level, event, time and fields; JSON is one object a line."""
    stream = io.StringIO()
    log, _ = make_logger(form, stream, worker=3)
    log.info("ready", model="m\nx")
    (line,) = stream.getvalue().splitlines()
    if form == "json":
        fields = json.loads(line)
        assert fields.pop("timestamp").endswith("Z")
        assert fields == {"worker": 3, "model": "m\nx", "event": "ready", "level": "info"}
    else:
        assert re.fullmatch(r"\S+Z \[info   \] ready worker=3 model='m\\nx'", line)


def test_only_ready_is_ready():
    """Every state but ready fails readiness with a reason of its own."""
    state = ServerState(1.0)
    reasons = set()
    for now in State:
        state.now = now
        verdict = state.readiness()
        assert verdict.ok is (now is State.READY)
        reasons.add(verdict.reason)
    assert len(reasons) == len(State)


def test_a_model_in_one_call_for_too_long_is_dead():
    """Liveness fails once one model call exceeds compute_s_max, and says by how much."""
    state = ServerState(2.0)
    assert state.liveness(0.0, 100.0).ok
    assert state.liveness(98.0, 100.0).ok
    verdict = state.liveness(97.5, 100.0)
    assert not verdict.ok
    assert verdict.reason == "the model has been in one call for 2.5 s, more than 2 s"


WALL_CLOCK = {
    ("time", "time"),
    ("time", "time_ns"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("date", "today"),
}


@pytest.mark.parametrize("room", ["server", "batching"])
def test_no_decision_reads_the_wall_clock(room):
    """A clock that jumps cannot matter: only the monotonic one is read; spans and log lines carry dates."""
    found = []
    for file in (SOURCE / room).rglob("*.py"):
        if file.name in ("tracing.py", "logs.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and (node.value.id, node.attr) in WALL_CLOCK
            ):
                found.append(f"{file}:{node.lineno}")
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                found += [f"{file}:{node.lineno}" for name in node.names if name.name in ("time", "time_ns")]
    assert found == []
