"""The ceiling: ONNX Runtime in a plain loop on the server's core, without any server."""

from __future__ import annotations

import os
import statistics
import time

from benchmarks.serving.harness import Bench, store
from benchmarks.serving.payloads import Workload, session

BATCH_SIZES = (1, 2, 4, 8, 16, 32)


def items_per_s(workload: Workload, batch_sizes: tuple[int, ...], *, duration_s: float) -> dict[int, float]:
    """Items a second per batch size, taken in turn so that a drift of the machine hits all alike."""
    model, rows = session(workload.path), workload.array()
    slices = {
        size: [rows[at : at + size] for at in range(0, len(rows) - size + 1, size)] for size in batch_sizes
    }
    done, spent = dict.fromkeys(batch_sizes, 0), dict.fromkeys(batch_sizes, 0.0)
    while min(spent.values()) < duration_s:
        for size, batches in slices.items():
            until, began = time.perf_counter() + 0.25, time.perf_counter()
            at = 0
            while (end := time.perf_counter()) < until:
                model.run(None, {workload.input_name: batches[at % len(batches)]})
                done[size] += size
                at += 1
            spent[size] += end - began
    return {size: done[size] / spent[size] for size in batch_sizes}


def run(bench: Bench, models: list[str]) -> None:
    """Measures the loop for each model and stores it."""
    os.sched_setaffinity(0, {bench.server_core})
    if bench.nice:
        os.setpriority(os.PRIO_PROCESS, 0, bench.nice)
    for name in models:
        workload = bench.workload(name)
        with bench.quiet():
            items_per_s(workload, (1,), duration_s=0.5)
            runs = [
                items_per_s(workload, BATCH_SIZES, duration_s=bench.duration_s / 4) for _ in range(bench.runs)
            ]
        for size in BATCH_SIZES:
            rates = sorted(round(run[size], 1) for run in runs)
            cell = {
                "model": name,
                "batch_size": size,
                "items_per_s": statistics.median(rates),
                "spread": [rates[0], rates[-1]],
            }
            store(bench, "bare", ("model", "batch_size"), cell)
            print(
                f"{name:7} batch {size:3} {cell['items_per_s']:>12,.1f} items/s {cell['spread']}", flush=True
            )
