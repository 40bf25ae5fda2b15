"""``tonnage gpus fit`` against upstream's scheduler, at length: random clusters of GPU nodes, partly in use.

In each cluster two or three workloads are asked about: a job with 4 GPUs, 8 workers with 8 GPUs each, and
others. Compared are, pod by pod, whether our node is among those that upstream finds best (and that upstream
finds one at all); whether upstream, left to choose for itself, places all pods or not as we said; the words
with which each node is rejected; and of each change that we say helps, whether upstream then places all pods,
after the change was made to the objects as its text says.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import tonnage
from tests.differential.gpus.agreeing import Seen, play
from tests.differential.gpus.fleets import fleet
from tests.differential.scheduling.oracle import Oracle
from tests.upstream import build

RESULT = Path(__file__).parent / "results" / "gpus.json"
FLEETS_PER_BATCH = 50


def compare_fleets(program: Path, seed: int, start: int, stop: int) -> tuple[Seen, list[str]]:
    """Plays fleets; says what differs."""
    seen = Seen()
    found: list[str] = []
    with Oracle(program) as oracle:
        for index in range(start, stop):
            found += play(fleet(seed, index), oracle, seen)
    return seen, found


def _document(
    options: argparse.Namespace, seen: Seen, found: list[str], elapsed_s: float
) -> dict[str, Any]:
    return {
        "command": f"python -m benchmarks.differential gpus --seed {options.seed} "
        f"--fleets {options.fleets} --jobs {options.jobs}",
        "seed": options.seed,
        "versions": {
            **build.versions(build.compiler()),
            "python": platform.python_version(),
            "tonnage": tonnage.__version__,
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "elapsed_s": round(elapsed_s, 1),
        "clusters": options.fleets,
        "differences": len(found),
        "different": found[:20],
        "seen": seen.document(),
    }


def main(arguments: list[str]) -> int:
    """Compares, keeps the result, and says whether all was equal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.differential gpus", description=__doc__)
    parser.add_argument("--fleets", type=int, default=1200, help="clusters, with two or three workloads each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes of ours, each with one of Go's")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    program = build.program("scheduler")
    began = time.monotonic()
    seen, found = Seen(), []
    starts = range(0, options.fleets, FLEETS_PER_BATCH)
    stops = [min(start + FLEETS_PER_BATCH, options.fleets) for start in starts]
    count = len(starts)
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = pool.map(compare_fleets, [program] * count, [options.seed] * count, starts, stops)
        for stop, (part, differences) in zip(stops, parts, strict=True):
            seen.add(part)
            found += differences
            print(f"{stop} clusters, {seen.workloads} workloads, {len(found)} differences", flush=True)
    document = _document(options, seen, found, time.monotonic() - began)
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))
    for text in found[:20]:
        print(text[:600], file=sys.stderr)
    return 1 if found else 0
