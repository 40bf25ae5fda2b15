"""The commands of the benchmark; each stores its result beside a description of the machine."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.serving import machine
from benchmarks.twin import environments
from benchmarks.twin.cases import Case, timed

RESULTS = Path(__file__).parent / "results"
PODS = (1, 10, 100, 1000)
BALANCINGS = ("random", "round-robin", "two-choices", "least-request", "connection")
DAY = Case("batching", 20, 0.0, "two-choices", requests=864_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.twin", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for results")
    commands = parser.add_subparsers(dest="command", required=True)
    speed = commands.add_parser("speed", help="requests per CPU second by pods, load and balancing")
    speed.add_argument("--rounds", type=int, default=3)
    speed.add_argument("--requests", type=int, default=5_000_000)
    day = commands.add_parser("day", help="a day of 10,000 requests/s, every one of them")
    day.add_argument("--hours", type=float, default=24.0)
    peers = commands.add_parser("peers", help="the same M/M/c queue in SimPy and Ciw")
    peers.add_argument("--requests", type=int, default=200_000)
    peers.add_argument("--rounds", type=int, default=3)
    parallel = commands.add_parser("parallel", help="several runs at once: speed and equal digests")
    parallel.add_argument("--requests", type=int, default=20_000_000)
    options = parser.parse_args()
    made = {"speed": run_speed, "day": run_day, "peers": run_peers, "parallel": run_parallel}
    store(options.results, options.command, made[options.command](options))


def store(folder: Path, name: str, result: dict[str, Any]) -> None:
    """Write a result with the versions and the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    versions = {package: version(package) for package in ("numba", "llvmlite", "numpy")}
    whole = {"machine": machine.describe(), "versions": versions, **result}
    (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    print(f"stored {folder / name}.json")


def fresh(case: Case, rounds: int = 1) -> list[dict[str, Any]]:
    """Time a case in a process of its own, so that memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return [pool.submit(timed, case).result() for _ in range(rounds)]


def run_speed(options: argparse.Namespace) -> dict[str, Any]:
    cases = [
        Case("batching", pods, load, balancing, requests=options.requests)
        for balancing in BALANCINGS
        for pods in PODS
        for load in ((0.3, 0.7, 0.9) if balancing in ("random", "two-choices") else (0.7,))
    ]
    cases += [Case("single", pods, 0.7, "random", requests=options.requests) for pods in PODS]
    cases += [Case("batching", pods, 0.7, "two-choices", True, options.requests) for pods in PODS]
    fresh(Case("batching", 1, 0.5, "random", requests=1000))  # compiles, where the cache is empty
    fresh(Case("batching", 1, 0.5, "least-request", requests=1000))
    cells = []
    for case in cases:
        rounds = fresh(case, options.rounds)
        speeds = sorted(int(one["per_cpu_s"]) for one in rounds)
        cell = {
            **asdict(case),
            **rounds[0],
            "per_cpu_s": statistics.median(speeds),
            "per_cpu_s_lowest": speeds[0],
            "per_cpu_s_highest": speeds[-1],
        }
        cells.append(cell)
        print(
            f"{case.server:9}{case.balancing:14}{'retries ' if case.retries else '':8}{case.pods:5} pods "
            f"load {case.load:.1f} {cell['per_cpu_s'] / 1e6:6.1f} M/s ({speeds[0] / 1e6:.1f} to "
            f"{speeds[-1] / 1e6:.1f}), batch {cell['batch_mean']:.1f}, {cell['peak_rss_bytes'] >> 20} MiB",
            flush=True,
        )
    return {"rounds": options.rounds, "cells": cells}


def run_day(options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.twin.cases import server_of

    capacity = server_of("batching")[1]
    pods = 3
    load = 10_000 / (capacity * pods)
    requests = round(36_000_000 * options.hours)
    cells = []
    for pods_wanted in (pods, 20):
        case = Case("batching", pods_wanted, load * pods / pods_wanted, "two-choices", requests=requests)
        cell = {**asdict(case), **fresh(case)[0]}
        cell["cpu_s"] = round(cell["requests"] / cell["per_cpu_s"], 1)
        cell["wall_s"] = round(cell["requests"] / cell["per_wall_s"], 1)
        cells.append(cell)
        print(
            f"{options.hours:g} h of 10,000/s on {pods_wanted} pods: {cell['requests']} requests in "
            f"{cell['cpu_s']} CPU s, {cell['wall_s']} s elapsed, {cell['peak_rss_bytes'] >> 20} MiB"
        )
    return {"hours": options.hours, "cells": cells}


def run_parallel(options: argparse.Namespace) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0))
    case = Case("batching", 20, 0.7, "two-choices", requests=options.requests)
    rows = []
    for processes in sorted({1, 2, cores}):
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            cells = list(pool.map(timed, [case] * processes))
        together = sum(int(cell["per_wall_s"]) for cell in cells)
        digests = {str(cell["digest"]) for cell in cells}
        rows.append({"processes": processes, "per_wall_s": together, "digests": sorted(digests)})
        print(f"{processes} at once: {together / 1e6:.1f} M/s together, {len(digests)} digest(s)")
    assert len({digest for row in rows for digest in row["digests"]}) == 1
    return {"cores": cores, "case": asdict(case), "rows": rows}


def run_peers(options: argparse.Namespace) -> dict[str, Any]:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tonnage" / "benchmarks-twin"
    settings = {"places": 4, "load": 0.8, "requests": options.requests}
    rows: dict[str, Any] = {}
    programs = {"tonnage": Path(sys.executable)}
    for name in ("simpy", "ciw"):
        programs[name] = environments.ensure(name, cache)
    for name, python in programs.items():
        file = Path(__file__).parent / "peers" / f"mmc_{name}.py"
        rounds = []
        for seed in range(options.rounds):
            command = [str(python), str(file), json.dumps({**settings, "seed": seed})]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rounds.append(json.loads(done.stdout))
        speed = statistics.median(one["requests"] / one["cpu_s"] for one in rounds)
        wait_s = statistics.mean(one["wait_s"] for one in rounds)
        rows[name] = {"per_cpu_s": round(speed), "wait_s": wait_s, "rounds": rounds}
        print(f"{name:8} {speed:12.0f} requests per CPU second, mean wait {wait_s:.4f} s")
    return {**settings, "theory_wait_s": theory_wait_s(4, 0.8), "rows": rows}


def theory_wait_s(places: int, load: float) -> float:
    """Erlang's C formula for a mean service time of 1 s."""
    from math import factorial

    offered = load * places
    tail = offered**places / factorial(places) / (1 - load)
    waits = tail / (sum(offered**k / factorial(k) for k in range(places)) + tail)
    return waits / (places - offered)
