"""Closed loop: how many requests a second does each server answer on one core?

A virtual machine's speed drifts within minutes, so the cells are not measured one after the other but in
rounds: each round starts every server anew and times it once, and a cell's figure is the median over the
rounds.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
import time
from typing import Any

from benchmarks.serving import check, machine, wrk
from benchmarks.serving.harness import Bench, Running, store
from benchmarks.serving.peers import Peer, Variant, cells

WARM_UP_S = 3
DISTURBANCE_MAX = 0.10
"""Share of the server's core that other work and the hypervisor may take; a run with more is repeated."""
REPEATS_MAX = 2


def timed_run(bench: Bench, running: Running, duration_s: int) -> dict[str, Any]:
    """One run of the load, with the cores used by server, load, and others on the server's core."""
    pids = running.server.pids()
    cpu, (busy, steal), began = (
        running.server.cpu_s(pids),
        machine.busy_s(bench.server_core),
        time.monotonic(),
    )
    load = wrk.run(
        running.port,
        running.path,
        running.bodies,
        connections=bench.connections,
        duration_s=duration_s,
        core=bench.load_core,
        nice=bench.nice,
    )
    took = time.monotonic() - began
    cpu = running.server.cpu_s(pids) - cpu
    busy_after, steal_after = machine.busy_s(bench.server_core)
    record = dataclasses.asdict(load)
    record["load_cpu"] = round(record.pop("load_cpu_s") / took, 2)
    record["server_cpu"] = round(cpu / took, 2)
    record["foreign_cpu"] = round(max(0.0, busy_after - busy - cpu) / took, 2)
    record["steal"] = round((steal_after - steal) / took, 3)
    return record


def is_quiet(run: dict[str, Any]) -> bool:
    """Whether the server had its core to itself in a run."""
    return bool(run["foreign_cpu"] + run["steal"] <= DISTURBANCE_MAX)


def measure(bench: Bench, peer: Peer, variant: Variant, model: str) -> dict[str, Any]:
    """One round of one cell: start, check, warm up, time; a disturbed run is repeated."""
    workload = bench.workload(model)
    before = machine.speed(bench.server_core)
    with bench.serve(peer, variant, workload) as running:
        idle = running.server.memory()
        checked = check.compare(running.port, running.path, peer.style, workload)
        timed_run(bench, running, WARM_UP_S)
        timed, repeats = timed_run(bench, running, bench.duration_s), 0
        while not is_quiet(timed) and repeats < REPEATS_MAX:
            timed, repeats = timed_run(bench, running, bench.duration_s), repeats + 1
        after = machine.speed(bench.server_core)
        loaded = running.server.memory()
    return {
        **timed,
        "check": checked,
        "speed": round((before + after) / 2, 2),
        "ready_s": round(running.ready_s, 3),
        "answered_s": round(running.answered_s, 3),
        "idle": dataclasses.asdict(idle),
        "loaded": dataclasses.asdict(loaded),
    }


def summarise(
    bench: Bench, peer: Peer, variant: Variant, model: str, runs: list[dict[str, Any]]
) -> dict[str, Any]:
    """A cell's figures over its rounds: medians, with the lowest and the highest beside them."""
    rates, p99s = sorted(run["rps"] for run in runs), sorted(run["p99_ms"] for run in runs)
    wrong = [run["check"] for run in runs if run["check"] != "ok"]
    return {
        "peer": peer.name,
        "variant": variant.name,
        "model": model,
        "version": bench.version(peer),
        "batch_size_max": variant.batch_size_max,
        "workers": variant.workers,
        "connections": bench.connections,
        "duration_s": bench.duration_s,
        "nice": bench.nice,
        "check": wrong[0] if wrong else "ok",
        "rps": statistics.median(rates),
        "rps_spread": [rates[0], rates[-1]],
        "p50_ms": statistics.median(run["p50_ms"] for run in runs),
        "p99_ms": statistics.median(p99s),
        "p99_spread_ms": [p99s[0], p99s[-1]],
        "errors": sum(run["errors"] for run in runs),
        "disturbed_runs": sum(not is_quiet(run) for run in runs),
        "runs": runs,
    }


def best_variants(results: list[dict[str, Any]], model: str) -> dict[str, str]:
    """Each peer's fastest setting on a model among stored cells that answered rightly."""
    best: dict[str, dict[str, Any]] = {}
    for cell in results:
        if cell["model"] == model and cell["check"] == "ok":
            known = best.get(cell["peer"])
            if known is None or cell["rps"] > known["rps"]:
                best[cell["peer"]] = cell
    return {peer: cell["variant"] for peer, cell in best.items()}


def choose(
    peers: tuple[Peer, ...], model: str, variants: str, scanned: list[dict[str, Any]] | None
) -> list[tuple[Peer, Variant]]:
    """The cells to measure; with results of an earlier scan, only each peer's fastest setting."""
    wanted = list(cells(peers, model, variants))
    if scanned is None:
        return wanted
    best = best_variants(scanned, model)
    return [(peer, variant) for peer, variant in wanted if best.get(peer.name, variant.name) == variant.name]


def run(
    bench: Bench,
    peers: tuple[Peer, ...],
    models: list[str],
    variants: str,
    *,
    scanned: list[dict[str, Any]] | None,
) -> bool:
    """Measures every cell asked for, in rounds, and stores each at once; a cell that fails is reported and
    skipped.

    Args:
        bench: The run's settings.
        peers: Servers to measure.
        models: Workloads.
        variants: Keeps the settings whose name holds this text.
        scanned: Results of an earlier scan of all settings; then only each peer's fastest setting is
            measured.

    Returns:
        Whether every cell was measured and answered rightly.
    """
    fine = True
    os.sched_setaffinity(0, {bench.load_core})
    for peer in peers:
        bench.bin_folder(peer)  # before the lock is taken: making an environment takes long
    done: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for number in range(bench.runs):
        for model in models:
            for peer, variant in choose(peers, model, variants, scanned):
                label = f"{number + 1}/{bench.runs} {model:7} {peer.name:9} {variant.name:32}"
                try:
                    with bench.quiet():
                        timed = measure(bench, peer, variant, model)
                except RuntimeError as error:
                    print(f"{label} FAILED {error}", file=sys.stderr, flush=True)
                    fine = False
                    continue
                runs = done.setdefault((model, peer.name, variant.name), [])
                runs.append(timed)
                cell = summarise(bench, peer, variant, model, runs)
                store(bench, "scan" if bench.scan else "closed", ("peer", "variant", "model"), cell)
                fine = fine and cell["check"] == "ok" and not cell["errors"]
                print(
                    f"{label} {timed['rps']:>9,.1f} rps, "
                    f"p50 {timed['p50_ms']:.1f}, p99 {timed['p99_ms']:.1f} ms, "
                    f"check {timed['check']}, errors {timed['errors']}, foreign {timed['foreign_cpu']:.2f}, "
                    f"steal {timed['steal']:.2f}, speed {timed['speed']}",
                    flush=True,
                )
    return fine
