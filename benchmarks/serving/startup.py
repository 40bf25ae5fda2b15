"""Start-up: time from the command to the first right status, and memory when nothing is asked."""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
import time
from typing import Any

from benchmarks.serving.harness import Bench, store
from benchmarks.serving.peers import Peer, Variant, cells

SETTLE_S = 2.0
"""Wait between the first answer and the reading of the memory."""


def measure(bench: Bench, peer: Peer, variant: Variant, model: str) -> dict[str, Any]:
    """Starts the server several times; the files are in the page cache from the first time on."""
    workload, samples = bench.workload(model), []
    for _ in range(bench.runs + 1):
        with bench.serve(peer, variant, workload) as running:
            time.sleep(SETTLE_S)
            memory = dataclasses.asdict(running.server.memory())
        samples.append(
            {"ready_s": round(running.ready_s, 3), "answered_s": round(running.answered_s, 3), **memory}
        )
    warm = samples[1:]
    return {
        "peer": peer.name,
        "variant": variant.name,
        "model": model,
        "version": bench.version(peer),
        **{key: statistics.median(sample[key] for sample in warm) for key in warm[0]},
        "samples": samples,
    }


def run(bench: Bench, peers: tuple[Peer, ...], models: list[str]) -> bool:
    """Measures each peer with the first setting it has for a model."""
    fine = True
    os.sched_setaffinity(0, {bench.load_core})
    for model in models:
        for peer in peers:
            bench.bin_folder(peer)
            variant = next(cells((peer,), model, ""))[1]
            try:
                with bench.quiet():
                    cell = measure(bench, peer, variant, model)
            except RuntimeError as error:
                print(f"{peer.name}: {error}", file=sys.stderr, flush=True)
                fine = False
                continue
            store(bench, "startup", ("peer", "model"), cell)
            print(
                f"{model:7} {peer.name:9} ready {cell['ready_s']:.2f} s, "
                f"answered {cell['answered_s']:.2f} s, "
                f"RSS {cell['rss_bytes'] / 2**20:.0f} MiB, PSS {cell['pss_bytes'] / 2**20:.0f} MiB, "
                f"{cell['processes']:.0f} processes",
                flush=True,
            )
    return fine
