"""Other projects' real servers under a little load: their own pages, read by their presets.

Each runs where the benchmark's environment for it is (``python -m benchmarks.serving prepare``), and is skipped, with
that said, where it is not. ``TONNAGE_RECORD=1`` keeps the pages as inputs of the unit tests.
"""

from __future__ import annotations

import contextlib
import os
import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.serving import payloads, peers
from benchmarks.serving.harness import Bench
from benchmarks.serving.process import ask
from tonnage.metrics_api.page import BadPage
from tonnage.metrics_api.presets import preset_named
from tonnage.metrics_api.readings import read
from tonnage.metrics_api.windows import Reading

pytestmark = [
    pytest.mark.clients,
    pytest.mark.timeout(600),
    # the benchmark kills what it started, and leaves its children to whom they fall to
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ROOT = Path(__file__).parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonnage" / "peers"
SERVERS = Path(__file__).parent / "servers"
PAGES = ROOT / "tests/unit/metrics_api/pages"
REQUESTS = 20
PATIENCE_S = 60.0
SERVED = {
    # peer: its preset, the distance of its metrics port from its own, a program of ours in place of the benchmark's
    "kserve": ("kserve", 0, None),
    "bentoml": ("bentoml", 0, None),
    "mlserver": ("mlserver", 2, None),
    "pytriton": ("triton", 2, "triton_page.py"),
    "ray": ("ray", 2, "ray_page.py"),
}


def requests_of(reading: Reading) -> float:
    return reading.counters.get("requests", 0.0)


def page_of(port: int, preset: str) -> tuple[bytes, Reading]:
    """The page, once it tells all requests; Ray's comes every few seconds."""
    wanted = preset_named(preset)
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{wanted.path}", timeout=5) as answer:
                body, kind = answer.read(), answer.headers["content-type"]
            reading = read(wanted, body, kind, 0.0)
            if requests_of(reading) > REQUESTS or time.monotonic() > until_s:
                return body, reading
        except (OSError, BadPage):
            if time.monotonic() > until_s:
                raise
        time.sleep(0.5)


def kept(body: bytes, preset: str) -> bytes:
    """What concerns the preset, of a page."""
    names = {name.encode() for name in preset_named(preset).wanted}
    return b"".join(line + b"\n" for line in body.splitlines() if any(line.startswith(name) for name in names))


@pytest.mark.parametrize("name", SERVED)
def test_its_page_says_what_was_asked(name: str, tmp_path: Path) -> None:
    """Requests are counted as they were sent, nothing is in flight afterwards, and latencies fit those seen outside."""
    if not (CACHE / name / "bin" / "python").exists():
        pytest.skip(f"needs the environment of {name}: python -m benchmarks.serving prepare")
    preset, offset, program = SERVED[name]
    (peer,) = peers.select(name)
    if program is not None:
        more = {**peer.env, "RAY_raylet_start_wait_time_s": "100", "TEST_RAY_FOLDER": str(tmp_path)}
        peer = replace(peer, command=("python", str(SERVERS / program)), env=more)
    variant = next(one for one in peer.variants if one.batch_size_max <= 1)
    bench = Bench(CACHE, tmp_path, None, 0, 1, 0, 1, 1, 1)
    workload = bench.workload("tiny")
    question = payloads.body(peer.style, workload, workload.rows[0])
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(bench.serve(peer, variant, workload))
        except RuntimeError as error:  # Ray, for one, gives up where the machine is busy
            pytest.skip(f"{name} does not start here: {str(error)[:300]}")
        seen_s = []
        for _ in range(REQUESTS):
            begun_s = time.monotonic()
            status, answer = ask(running.port, "POST", running.path, question)
            seen_s.append(time.monotonic() - begun_s)
            assert status == 200, answer
        body, reading = page_of(running.port + offset, preset)
    if os.environ.get("TONNAGE_RECORD"):
        (PAGES / f"{preset}.txt").write_bytes(kept(body, preset))
    # the harness asks once by itself to know that it answers
    assert requests_of(reading) == REQUESTS + 1
    if preset_named(preset).in_flight:
        assert reading.gauges["in_flight"] == 0
    median_s = sorted(seen_s)[REQUESTS // 2]
    found_s = reading.gauges.get("latency:0.5")
    if found_s is None:
        found_s = reading.histograms["latency"].quantile(0.5)
        assert reading.histograms["latency"].total == REQUESTS + 1
    # a server's own time is a part of what its client sees, and buckets are wide: the unit is what this tells
    assert found_s is not None
    assert median_s / 1000 < found_s < 10 * max(median_s, 0.005)
