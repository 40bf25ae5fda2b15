"""How much of the bare model's throughput is left once a server stands in front of it?

The bare loop and the server are measured in turn on the same core, and each round gives one ratio: the
machine's speed drifts more within minutes than the few percent in question.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.serving.closed import WARM_UP_S, choose, timed_run
from benchmarks.serving.harness import Bench, store, stored
from benchmarks.serving.peers import Peer, Variant
from benchmarks.serving.process import set_nice

BATCH_SIZES = (1, 8, 32)
TURNS = 3
"""Alternations of bare loop and server in one round."""

_CHILD = """
import json, sys
from pathlib import Path
from benchmarks.serving import bare, payloads
workload = payloads.load(sys.argv[1], Path(sys.argv[2]))
sizes = tuple(int(size) for size in sys.argv[4].split(","))
print(json.dumps(bare.items_per_s(workload, sizes, duration_s=float(sys.argv[3]))))
"""


def bare_loop(bench: Bench, model: str, duration_s: float) -> dict[int, float]:
    """Items a second per batch size of a process that does nothing else, on the server's core."""
    sizes = ",".join(map(str, BATCH_SIZES))
    arguments = [model, str(bench.cache / "models"), str(duration_s), sizes]
    process = subprocess.Popen(
        ["taskset", "-c", str(bench.server_core), sys.executable, "-c", _CHILD, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    set_nice(process.pid, bench.nice)
    said = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(f"bare loop: must end well, got exit status {process.returncode}")
    return {int(size): rate for size, rate in json.loads(said).items()}


def one_round(bench: Bench, peer: Peer, variant: Variant, model: str) -> list[dict[str, Any]]:
    """Bare loop and server in turn; the server idles while the loop runs."""
    turns = []
    with bench.serve(peer, variant, bench.workload(model)) as running:
        timed_run(bench, running, WARM_UP_S)
        for _ in range(TURNS):
            bare = bare_loop(bench, model, bench.duration_s / 4)
            timed = timed_run(bench, running, bench.duration_s)
            turns.append(
                {
                    "bare": bare,
                    "rps": timed["rps"],
                    "foreign_cpu": timed["foreign_cpu"],
                    "steal": timed["steal"],
                }
            )
    return turns


def run(bench: Bench, peers: tuple[Peer, ...], models: list[str], variants: str) -> None:
    """Measures and stores the ratios in ``efficiency.json``."""
    os.sched_setaffinity(0, {bench.load_core})
    for model in models:
        for peer, variant in choose(peers, model, variants, stored(bench, "scan")):
            turns = []
            for _ in range(bench.runs):
                with bench.quiet():
                    turns += one_round(bench, peer, variant, model)
            to_32 = sorted(turn["rps"] / turn["bare"][32] for turn in turns)
            to_best = sorted(turn["rps"] / max(turn["bare"].values()) for turn in turns)
            cell = {
                "peer": peer.name,
                "variant": variant.name,
                "model": model,
                "version": bench.version(peer),
                "rps": statistics.median(turn["rps"] for turn in turns),
                "bare_at_32": round(statistics.median(turn["bare"][32] for turn in turns), 1),
                "bare_best": round(statistics.median(max(turn["bare"].values()) for turn in turns), 1),
                "ratio_to_32": round(statistics.median(to_32), 4),
                "ratio_to_32_spread": [round(to_32[0], 4), round(to_32[-1], 4)],
                "ratio_to_best": round(statistics.median(to_best), 4),
                "ratio_to_best_spread": [round(to_best[0], 4), round(to_best[-1], 4)],
                "turns": turns,
            }
            store(bench, "efficiency", ("peer", "model"), cell)
            print(
                f"{model:7} {peer.name:9} {cell['rps']:,.1f}/s; bare loop "
                f"{cell['bare_at_32']:,.1f} at batch 32 (ratio {cell['ratio_to_32']}), "
                f"{cell['bare_best']:,.1f} at its best (ratio {cell['ratio_to_best']})",
                flush=True,
            )
