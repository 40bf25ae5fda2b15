"""Open loop: requests sent at their own times by ``tonnage load``, whatever became of those before.

Two questions are asked this way.  At a fixed rate below the capacity: how long do answers take, counted from
the time each request was meant to be sent?  At several times the capacity: how much work still gets done in
time, and how long do the admitted requests take?
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.serving import check, machine
from benchmarks.serving.closed import choose, timed_run
from benchmarks.serving.harness import Bench, Running, store, stored
from benchmarks.serving.peers import Peer, Variant
from benchmarks.serving.process import set_nice

DEADLINE_HEADER = "x-request-timeout-ms"
WARM_UP_S = 3


def send(
    bench: Bench,
    running: Running,
    rate: float,
    duration_s: float,
    *,
    deadline_s: float | None,
    connections: int,
) -> dict[str, Any]:
    """Sends requests at ``rate`` per second for ``duration_s`` and returns what ``tonnage load`` says of it.

    Args:
        bench: The run's settings.
        running: The server.
        rate: Requests per second, with Poisson spacing.
        duration_s: For how long [s].
        deadline_s: Told to the server with each request, where there is one [s].
        connections: Keep-alive connections.

    Raises:
        RuntimeError: The load generator failed.
    """
    url = f"http://127.0.0.1:{running.port}{running.path}"
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        out = Path(folder) / "load.json"
        command = [
            "taskset",
            "-c",
            str(bench.load_core),
            sys.executable,
            "-m",
            "tonnage",
            "load",
            url,
            "--quiet",
        ]
        command += ["--rate", f"{rate:g}", "--duration", f"{duration_s:g}s", "--data", str(running.bodies)]
        command += ["--connections", str(connections), "--json", str(out)]
        if deadline_s is not None:
            command += ["--header", f"{DEADLINE_HEADER}: {deadline_s * 1000:.0f}"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        set_nice(process.pid, bench.nice)
        said = process.communicate()[0]
        if not out.exists():
            raise RuntimeError(f"tonnage load: must write its result, got {said[-2000:]}")
        document: dict[str, Any] = json.loads(out.read_text())
    document.pop("seconds", None)
    return document


def _milliseconds(result: dict[str, Any], quantile: str, *, kind: str = "latency") -> float:
    value = result[kind][quantile]
    return float("nan") if value is None else round(value * 1000, 3)


def _in_rounds(
    bench: Bench, peers: tuple[Peer, ...], models: list[str], variants: str, one: Any
) -> list[tuple[Peer, Variant, str, list[dict[str, Any]]]]:
    """Runs ``one(peer, variant, model)`` for every chosen cell, round after round."""
    os.sched_setaffinity(0, {bench.load_core})
    done: dict[tuple[str, str], list[dict[str, Any]]] = {}
    order: dict[tuple[str, str], tuple[Peer, Variant, str]] = {}
    for _ in range(bench.runs):
        for model in models:
            for peer, variant in choose(peers, model, variants, stored(bench, "scan")):
                bench.bin_folder(peer)
                try:
                    with bench.quiet():
                        outcome = one(peer, variant, model)
                except RuntimeError as error:
                    print(f"{model} {peer.name} {variant.name}: {error}", file=sys.stderr, flush=True)
                    continue
                order[model, peer.name] = (peer, variant, model)
                done.setdefault((model, peer.name), []).append(outcome)
    return [(*order[key], runs) for key, runs in done.items()]


def at_rate(
    bench: Bench, peers: tuple[Peer, ...], models: list[str], variants: str, *, rate: float, connections: int
) -> None:
    """Latency at a fixed rate; stored in ``open.json``."""

    def one(peer: Peer, variant: Variant, model: str) -> dict[str, Any]:
        workload = bench.workload(model)
        with bench.serve(peer, variant, workload) as running:
            checked = check.compare(running.port, running.path, peer.style, workload)
            send(bench, running, rate, WARM_UP_S, deadline_s=None, connections=connections)
            _, steal = machine.busy_s(bench.server_core)
            result = send(bench, running, rate, bench.duration_s, deadline_s=None, connections=connections)
            steal = machine.busy_s(bench.server_core)[1] - steal
        said = {
            "check": checked,
            "speed": machine.speed(bench.server_core),
            "steal_s": round(steal, 2),
            **result,
        }
        print(
            f"{model} {peer.name}: {result['achieved_per_s']:,.0f} of {rate:,.0f}/s, "
            f"p50 {_milliseconds(result, 'p50_s')} p99 {_milliseconds(result, 'p99_s')} ms, "
            f"outcomes {result['outcomes']}, "
            f"generator kept up {result['generator_lag']['kept_up']}",
            flush=True,
        )
        return said

    for peer, variant, model, runs in _in_rounds(bench, peers, models, variants, one):
        p99s = sorted(_milliseconds(run, "p99_s") for run in runs)
        cell = {
            "peer": peer.name,
            "variant": variant.name,
            "model": model,
            "version": bench.version(peer),
            "rate": rate,
            "achieved_per_s": round(statistics.median(run["achieved_per_s"] for run in runs), 1),
            "p50_ms": statistics.median(_milliseconds(run, "p50_s") for run in runs),
            "p99_ms": statistics.median(p99s),
            "p99_spread_ms": [p99s[0], p99s[-1]],
            "p99_9_ms": statistics.median(_milliseconds(run, "p99_9_s") for run in runs),
            "failed": sum(run["failed"] for run in runs),
            "check": "ok" if all(run["check"] == "ok" for run in runs) else "wrong",
            "kept_up": all(run["generator_lag"]["kept_up"] for run in runs),
            "runs": runs,
        }
        store(bench, "open", ("peer", "model", "rate"), cell)


def overload(
    bench: Bench,
    peers: tuple[Peer, ...],
    models: list[str],
    variants: str,
    *,
    factor: float,
    deadline_s: float,
    connections: int,
) -> None:
    """Goodput at ``factor`` times the closed loop's peak, measured just before; to ``overload.json``."""

    def one(peer: Peer, variant: Variant, model: str) -> dict[str, Any]:
        workload = bench.workload(model)
        with bench.serve(peer, variant, workload) as running:
            timed_run(bench, running, WARM_UP_S)
            peak = timed_run(bench, running, bench.duration_s)["rps"]
            rate = peak * factor
            result = send(
                bench, running, rate, bench.duration_s, deadline_s=deadline_s, connections=connections
            )
            after = timed_run(bench, running, WARM_UP_S)["rps"]
        print(
            f"{model} {peer.name}: peak {peak:,.0f}/s, offered {rate:,.0f}/s, "
            f"goodput {result['achieved_per_s']:,.0f}/s, "
            f"p99 of the admitted {_milliseconds(result, 'p99_s')} ms, "
            f"outcomes {result['outcomes']}, "
            f"generator kept up {result['generator_lag']['kept_up']}, peak afterwards {after:,.0f}/s",
            flush=True,
        )
        return {"peak_rps": peak, "offered_per_s": rate, "after_rps": after, **result}

    for peer, variant, model, runs in _in_rounds(bench, peers, models, variants, one):
        ratios = sorted(round(run["achieved_per_s"] / run["peak_rps"], 4) for run in runs)
        p99s = sorted(_milliseconds(run, "p99_s") for run in runs)
        cell = {
            "peer": peer.name,
            "variant": variant.name,
            "model": model,
            "version": bench.version(peer),
            "factor": factor,
            "deadline_s": deadline_s,
            "peak_rps": statistics.median(run["peak_rps"] for run in runs),
            "goodput_ratio": statistics.median(ratios),
            "goodput_ratio_spread": [ratios[0], ratios[-1]],
            "p99_ms": statistics.median(p99s),
            "p99_spread_ms": [p99s[0], p99s[-1]],
            "p99_from_send_ms": statistics.median(
                _milliseconds(run, "p99_s", kind="latency_from_send") for run in runs
            ),
            "kept_up": all(run["generator_lag"]["kept_up"] for run in runs),
            "runs": runs,
        }
        store(bench, "overload", ("peer", "model", "factor"), cell)
