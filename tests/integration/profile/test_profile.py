"""`tonnage profile` on models that really run, as a process with its own command line.

No test asserts how long anything takes: on a shared machine that proves nothing.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tonnage.profile.document import parse_profile
from tonnage.profile.parts import ModelProfile

GENEROUS = ("--objective", "p99=1s", "--rate-max", "400")
"""What a tiny model carries on the busiest machine."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tonnage", "profile", *arguments]


def profile(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip


def servers_of(folder: Path) -> list[int]:
    """Processes of ours that were started from a folder of a test."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            if b"tonnage" in words and (entry / "cwd").resolve() == folder.resolve():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture(scope="module")
def made(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[ModelProfile, Path, str]:
    """One short profile of the tiny model, which several tests look at: the profile, its page, the log."""
    folder = tmp_path_factory.mktemp("profile")
    done = profile(
        folder, str(tiny), "--quick", *GENEROUS, "--json", "--report", "page.html", "--batch-sizes", "1,4"
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    assert servers_of(folder) == []
    return parse_profile(done.stdout), folder / "page.html", done.stderr


@pytest.mark.timeout(300)
def test_everything_that_planning_needs_is_measured(made) -> None:
    """Start-up, batches, the server's cost, memory, capacity and the curve are all there."""
    found, _, _ = made
    assert found.origin == "measured"
    assert found.startup is not None
    assert found.startup.load_s.samples is not None
    assert len(found.startup.load_s.samples) >= 3
    for start in (found.startup.process_s, found.startup.first_batch_s, found.startup.ready_s):
        assert start.mean > 0
    assert [batch.size for batch in found.batches] == [1, 4]
    for batch in found.batches:
        assert batch.steady_s.samples
        assert batch.first_s
        assert len(batch.early_s) == 10
        assert len(batch.thirds_s) == 3
        assert batch.cpu_s
    assert found.overhead is not None
    assert found.overhead.per_request_s > 0
    # of a model of microseconds the server's caches explain no ratio, and none is kept
    assert found.overhead.batch_ratio is None or 0.8 <= found.overhead.batch_ratio <= 2.0
    assert found.after_idle
    assert all(one.requests >= 40 and one.cpu_s > 0 and one.latency_s.mean > 0 for one in found.after_idle)
    assert found.memory is not None
    assert found.memory.before_model_bytes
    assert 0 < found.memory.ready.pss_bytes <= found.memory.ready.rss_bytes <= found.memory.peak_bytes


@pytest.mark.timeout(300)
def test_the_search_ends_at_the_highest_rate_to_try(made) -> None:
    """A tiny model carries it; only a machine that stands still for a second makes it less."""
    found, _, _ = made
    capacity = found.capacity
    assert capacity is not None
    assert capacity.sustainable_per_s is not None
    assert capacity.sustainable_per_s <= 400
    assert capacity.in_flight is not None
    if capacity.sustainable_per_s == 400:
        assert capacity.confirmed
        assert "highest rate to try" in capacity.reason
    assert {point.purpose for point in found.curve} == {"search", "confirm", "curve"}
    rates = sorted(point.rate_per_s for point in found.curve if point.purpose == "curve")
    shares = [rate / capacity.sustainable_per_s for rate in rates]
    assert shares == pytest.approx([0.3, 0.5, 0.7, 0.8, 0.9], rel=1e-4)
    for point in found.curve:
        assert point.requests
        assert point.cpu_ratio
        assert point.batch_size_mean


@pytest.mark.timeout(300)
def test_circumstances_are_described(made) -> None:
    """The machine, the versions, the settings, the model's digest; doubts are told or there are none."""
    found, _, log = made
    assert found.machine is not None
    assert found.machine.cpus_server
    if len(os.sched_getaffinity(0)) > 1:
        assert not found.machine.shared
    assert {"tonnage", "python", "onnxruntime"} <= set(found.versions)
    assert found.settings is not None
    assert (found.settings.payload, found.settings.quick, found.settings.size_max) == ("random", True, 32)
    assert found.model.sha256 is not None
    assert found.stability is not None
    assert found.stability.checks
    assert ("too noisy" in log) == (not found.stability.stable)
    assert any("short form" in note for note in found.notes)


@pytest.mark.timeout(300)
def test_the_report_is_of_this_profile(made) -> None:
    """One page with the sustainable rate and no address to fetch from."""
    _, page, _ = made
    text = page.read_text()
    assert "sustainable rate, p99 &lt;= 1 s" in text
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=", text)


@pytest.mark.timeout(300)
def test_progress_is_plain_lines_without_a_terminal(made) -> None:
    """Shares that do not fall, and no control characters."""
    _, _, log = made
    shares = [int(match) for match in re.findall(r"^ *(\d+)% ", log, re.MULTILINE)]
    assert len(shares) >= 8
    assert shares == sorted(shares)
    assert "\x1b" not in log


@pytest.mark.timeout(300)
def test_an_objective_that_holds_nowhere_is_said_with_exit_code_1(tiny: Path, tmp_path: Path) -> None:
    """The profile is written all the same: service times and start-up are worth having."""
    done = profile(tmp_path, str(tiny), "--quick", "--objective", "p99=1us", "--rate-max", "400")
    assert done.returncode == 1, done.stderr
    assert "objective: p99 <= 0.001 ms must hold at some rate, got none" in done.stderr
    document = json.loads((tmp_path / "tiny.profile.json").read_text())
    assert "sustainablePerSecond" not in document["capacity"]
    assert document["batches"]


@pytest.mark.timeout(300)
def test_a_document_with_a_sample_and_a_python_model(tmp_path: Path) -> None:
    """Objective, sample and batching are the document's; what profile does not use is named."""
    document = tmp_path / "service.yaml"
    (tmp_path / "twice.py").write_text(
        "class Twice:\n    inputs = [('x', 'FP32', [-1, 2])]\n    outputs = [('y', 'FP32', [-1, 2])]\n"
        "    def predict(self, batch):\n        return {'y': 2 * batch['x']}\n"
    )
    document.write_text(
        """apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata: {name: twice}
spec:
  model:
    format: python
    path: twice:Twice
    warmup: {inputs: [{name: x, datatype: FP32, shape: [1, 2], data: [1, 2]}]}
  objective: {latency: {p50: 500ms, p99: 1s}}
  batching: {sizeMax: 2}
  replicas: 2
"""
    )
    done = profile(tmp_path, "service.yaml", "--quick", "--rate-max", "400", "--output", "out.json")
    assert done.returncode == 0, done.stderr
    found = parse_profile((tmp_path / "out.json").read_text())
    assert found.capacity is not None
    assert (found.capacity.objective.origin, found.capacity.objective.latency_s) == ("document", 1.0)
    assert found.settings is not None
    assert (found.settings.payload, found.settings.size_max) == ("sample", 2)
    assert "not used by profile: spec.replicas" in done.stderr
    assert "sustainable rate" in done.stdout


def test_a_model_that_does_not_load_is_told_at_once(tmp_path: Path) -> None:
    """Exit code 3, the server's own words, and no file."""
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    done = profile(tmp_path, "broken.onnx", "--quick", *GENEROUS)
    assert done.returncode == 3
    assert "model.path: must be a model that ONNX Runtime loads" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["broken.onnx"]


def test_a_model_that_raises_is_told_with_what_it_raised(tmp_path: Path) -> None:
    """Warm-up finds it."""
    (tmp_path / "bad.py").write_text(
        "class Bad:\n    inputs = [('x', 'FP32', [-1, 2])]\n    outputs = [('y', 'FP32', [-1, 2])]\n"
        "    def predict(self, batch):\n        raise RuntimeError('out of luck')\n"
    )
    done = profile(tmp_path, "bad:Bad", "--quick", *GENEROUS)
    assert done.returncode == 3
    assert "RuntimeError: out of luck" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["start", "alone", "search"])
@pytest.mark.timeout(200)
def test_an_interrupt_leaves_no_process_and_no_file(
    tiny: Path, tmp_path: Path, phase: str, number: int
) -> None:
    """In start-ups, while the model runs alone, and under load."""
    process = subprocess.Popen(
        command(str(tiny), "--objective", "p99=5s", "--batch-sizes", "1", "--quick"), cwd=tmp_path,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    if phase == "start":
        while len(servers_of(tmp_path)) < 2:
            assert process.poll() is None
            time.sleep(0.05)
    else:
        told = {"alone": "the model loads", "search": "it runs a batch"}[phase]
        while told not in (line := process.stderr.readline()):
            assert line, lines
            lines.append(line)
        time.sleep(0.6)  # into what comes next; whatever that is, it must end
    os.kill(process.pid, number)
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 130, rest
    assert "interrupted; nothing was written" in rest
    assert list(tmp_path.iterdir()) == []
    assert servers_of(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "SPEC: must be given, got none"),
        (("tiny.onnx",), 2, "objective: must have a latency, got none; give --objective p99=100ms"),
        (("tiny.onnx", "--objective", "fast"), 2, "--objective: must be like p99=100ms, got 'fast'"),
        (("tiny.onnx", "--objective", "p99=1s", "--batch-sizes", "64"), 2, "--batch-sizes: must be at most"),
        (("tiny.onnx", "--objective", "p99=1s", "--rate-max", "0"), 2, "--rate-max: must be > 0, got '0'"),
        (("tiny.onnx", "--objective", "p99=1s", "--output", "no/p.json"), 3, "no/p.json: must be writable"),
        (("tiny.onnx", "--objective", "p99=1s", "--output", "."), 3, ".: must be writable, got a folder"),
        (("absent.onnx", "--objective", "p99=1s"), 2, "must be a file, got 'absent.onnx'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_measured(
    tiny: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """Each has its exit code, and nothing is left behind."""
    (tmp_path / "tiny.onnx").write_bytes(tiny.read_bytes())
    done = profile(tmp_path, *arguments)
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]


def test_all_that_is_wrong_is_told_in_one_go(tmp_path: Path) -> None:
    """Five mistakes, five lines."""
    done = profile(
        tmp_path, "x.onnx", "--objective", "1", "--rate-max", "-1", "--batch-sizes", "0", "--output", "n/p.json"
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("tonnage profile: ") == 5


def test_imports_are_written_and_read_off(tmp_path: Path) -> None:
    """A curve, an objective, a report; exit code 1 when it holds at no rate."""
    (tmp_path / "c.csv").write_text("rate_per_second,p50_ms,p99_ms\n100,5,12\n200,6,130\n")
    arguments = ("--import-csv", "c.csv", "--name", "r")
    done = profile(tmp_path, *arguments, "--objective", "p99=100ms", "--report", "r.html")
    assert done.returncode == 0, done.stderr
    found = parse_profile((tmp_path / "r.profile.json").read_text())
    assert found.capacity is not None
    assert found.capacity.sustainable_per_s == 100
    assert "sustainable 100" in (tmp_path / "r.html").read_text()
    assert profile(tmp_path, *arguments, "--objective", "p99=1ms").returncode == 1
    assert profile(tmp_path, "--import-csv", "c.csv").returncode == 2


def test_a_profile_goes_to_standard_output(tmp_path: Path) -> None:
    """With --output - or --json, and then the table does not."""
    (tmp_path / "t.csv").write_text("batch_size,seconds\n1,0.1\n")
    for option in (("--output", "-"), ("--json",)):
        done = profile(tmp_path, "--import-csv", "t.csv", "--name", "r", *option)
        assert parse_profile(done.stdout).batches[0].steady_s.mean == 0.1
        assert "batch of 1" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
