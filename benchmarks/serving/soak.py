"""Memory over a long run: does it grow with the number of requests answered?"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from benchmarks.serving.closed import choose, timed_run
from benchmarks.serving.harness import Bench, store, stored
from benchmarks.serving.peers import Peer

SETTLED_SHARE = 0.1
"""Share of the requests after which memory must be flat: pools and histograms have been filled by then."""


def run(bench: Bench, peers: tuple[Peer, ...], models: list[str], *, requests: int) -> None:
    """Loads each peer until ``requests`` have been answered; reads memory after each run."""
    os.sched_setaffinity(0, {bench.load_core})
    for model in models:
        for peer, variant in choose(peers, model, "", stored(bench, "scan")):
            with bench.quiet(), bench.serve(peer, variant, bench.workload(model)) as running:
                series: list[dict[str, Any]] = [
                    {"requests": 0, **dataclasses.asdict(running.server.memory())}
                ]
                answered, errors = 0, 0
                while answered < requests:
                    timed = timed_run(bench, running, bench.duration_s)
                    if not timed["rps"]:
                        break
                    answered += round(timed["rps"] * bench.duration_s)
                    errors += timed["errors"]
                    series.append({"requests": answered, **dataclasses.asdict(running.server.memory())})
            settled = next(point for point in series if point["requests"] >= SETTLED_SHARE * answered)
            growth = series[-1]["pss_bytes"] - settled["pss_bytes"]
            cell = {
                "peer": peer.name,
                "variant": variant.name,
                "model": model,
                "version": bench.version(peer),
                "requests": answered,
                "errors": errors,
                "settled_at_requests": settled["requests"],
                "growth_bytes": growth,
                "series": series,
            }
            store(bench, "soak", ("peer", "model"), cell)
            print(
                f"{model:7} {peer.name:9} {answered:,} requests, {errors} errors: "
                f"PSS {series[0]['pss_bytes'] / 2**20:.1f} MiB at first, "
                f"{settled['pss_bytes'] / 2**20:.1f} after {settled['requests']:,}, "
                f"{series[-1]['pss_bytes'] / 2**20:.1f} at the end",
                flush=True,
            )
