"""The scheduler against upstream's, at length: random clusters, and every pod's placement in each of them.

A world is made from a seed and an index, played by both sides step by step, and compared in everything that
either says: feasible nodes, reasons, scores, totals, messages, preemption candidates with their victims, and
the choice. One that differs is kept in ``tests/differential/scheduling/cases/``, where the tests run it for
ever. What was met on the way is counted, because a comparison that never met a situation proves nothing of
it. How fast our side is alone is measured beside it: a rollout of one service on pools of GPU nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import tonnage
from tests.differential.scheduling.compare import Tally, play, play_devices, play_wide
from tests.differential.scheduling.devices import devices_world
from tests.differential.scheduling.oracle import Oracle
from tests.differential.scheduling.worlds import wide_world, world
from tests.upstream import build
from tonnage.scheduling import Cluster, node_from_object, pod_from_object, schedule

RESULT = Path(__file__).parent / "results" / "scheduling.json"
CASES = Path(__file__).parents[2] / "tests" / "differential" / "scheduling" / "cases"
WORLDS_PER_BATCH = 50
OTHERS_EVERY = 40
"""One in so many worlds has two others beside it: one of 100 nodes or more, of which not all are looked at,
and one with claimed devices."""


def compare_worlds(program: Path, seed: int, start: int, stop: int) -> tuple[Tally, list[str]]:
    """Plays worlds, and keeps those that differ."""
    tally = Tally()
    found = []
    with Oracle(program) as oracle:
        for index in range(start, stop):
            differences = play(world(seed, index), oracle, tally)
            if differences:
                again = world(seed, index)  # playing has changed the other one
                (CASES / f"world-{seed}-{index}.json").write_text(json.dumps(again, indent=1) + "\n")
                found.append(f"world {seed}/{index}: {[(one.pod, one.what) for one in differences]}")
            if index % OTHERS_EVERY == 0:
                differences = play_wide(wide_world(seed, index), oracle, tally)
                if differences:
                    found.append(f"wide world {seed}/{index}: {differences}"[:2000])
                differences = play_devices(devices_world(seed, index), oracle, tally)
                if differences:
                    found.append(f"devices world {seed}/{index}: {differences}"[:2000])
    return tally, found


def pods_per_s(nodes: int, pods: int) -> float:
    """How many pods a second ours places, each bound before the next, on nodes that are empty at first."""
    cluster = Cluster()
    for rank in range(nodes):
        cluster.add_node(node_from_object(_gpu_node(rank)))
    template = pod_from_object(_GPU_POD)
    began = time.perf_counter()
    for rank in range(pods):
        pod = replace(template, name=f"pod-{rank}", uid=f"uid-{rank}")
        node = schedule(pod, cluster).node
        assert node is not None
        cluster.add_pod(pod, node)
    return pods / (time.perf_counter() - began)


def _gpu_node(rank: int) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": f"node-{rank}", "topology.kubernetes.io/zone": f"zone-{rank % 3}"}
    return {
        "metadata": {"name": f"node-{rank}", "labels": labels},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]},
        "status": {"allocatable": {"cpu": "96", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": "16"}},
    }


_SAME = {"matchLabels": {"app": "a"}}
_GPU_POD: dict[str, Any] = {
    "metadata": {"name": "pod", "labels": {"app": "a", "pod-template-hash": "1"}},
    "spec": {
        "containers": [{"resources": {"limits": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}}}],
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": _SAME},
                    }
                ]
            }
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": _SAME,
                "matchLabelKeys": ["pod-template-hash"],
            }
        ],
    },
}


def _document(
    options: argparse.Namespace, tally: Tally, worlds: int, found: list[str], elapsed_s: float
) -> dict[str, Any]:
    return {
        "command": f"python -m benchmarks.differential scheduling --seed {options.seed} "
        f"--worlds {options.worlds} --jobs {options.jobs}",
        "seed": options.seed,
        "versions": {
            **build.versions(build.compiler()),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "tonnage": tonnage.__version__,
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "elapsed_s": round(elapsed_s, 1),
        "worlds": worlds,
        "wide_worlds": len(range(0, worlds, OTHERS_EVERY)),
        "worlds_with_devices": len(range(0, worlds, OTHERS_EVERY)),
        "pods": tally.pods,
        "differences": len(found),
        "different": found[:20],
        "seen": tally.document(),
        "ours_alone_pods_per_s": {
            str(nodes): round(statistics.median(pods_per_s(nodes, 1500) for _ in range(3)))
            for nodes in (100, 1000)
        },
    }


def main(arguments: list[str]) -> int:
    """Compares, keeps the result, and says whether all was equal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.differential scheduling", description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000, help="clusters, with about 18 pods each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes of ours, each with one of Go's")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    program = build.program("scheduler")
    began = time.monotonic()
    tally, found = Tally(), []
    starts = range(0, options.worlds, WORLDS_PER_BATCH)
    stops = [min(start + WORLDS_PER_BATCH, options.worlds) for start in starts]
    count = len(starts)
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = pool.map(compare_worlds, [program] * count, [options.seed] * count, starts, stops)
        for stop, (part, differences) in zip(stops, parts, strict=True):
            tally.add(part)
            found += differences
            print(f"{stop} worlds, {tally.pods} pods, {len(found)} differences", flush=True)
    document = _document(options, tally, options.worlds, found, time.monotonic() - began)
    options.result.parent.mkdir(parents=True, exist_ok=True)
    options.result.write_text(json.dumps(document, indent=2) + "\n")
    print(json.dumps(document, indent=2))
    for text in found[:20]:
        print(text, file=sys.stderr)
    return 1 if found else 0
