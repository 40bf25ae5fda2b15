"""The real HPA scales a rendered service under real load; the twin plays the same; both courses are compared.

    python -m benchmarks.autoscaling

Real: etcd, API server, controller manager, scheduler and kube-proxy 1.37.2, pods of the rendered Deployment
as processes with addresses of their own, two replicas of the metrics API, ``tonnage load`` through the
Service's address. Twin: the same rendered objects, the same nodes, the profile measured just before, the same
trace, for several places of the HPA controller's first look. Exit code 1 says that a tolerance was exceeded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from cluster.beside import Played, Steps, apart, area, outside, play, sequence  # noqa: E402
from cluster.observe import Observer  # noqa: E402
from cluster.traffic import failures, load, write_trace  # noqa: E402
from cluster.world import MODEL_FOLDER, Inputs, World, tonnage  # noqa: E402

from benchmarks.autoscaling.drawing import draw  # noqa: E402
from benchmarks.serving import machine  # noqa: E402

SYNC_S = 15.0
PHASES = 6
STEPS = ((20.0, 60), (150.0, 180), (20.0, 240))
"""Requests per second, and for how long [s]."""
OUTSIDE_MAX, AREA_MAX, PEAK_MAX = 0.10, 0.15, 1
"""Tolerances: share of the time in which the real count is beyond all that the twin does within one look of
the HPA controller; difference of replica seconds; difference of the highest count."""


def main() -> int:
    """Profile, play for real, play in the twin, compare and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for results")
    parser.add_argument("--profile", type=Path, help="a profile that is there already")
    parser.add_argument("--rounds", type=int, default=1, help="real runs, each with arrivals of its own")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    before = os.getloadavg()
    profile = options.profile or profiled(options.results / "sleeper.profile.json")
    rounds = [one_round(profile, seed) for seed in range(options.rounds)]
    document = {
        "machine": machine.describe(),
        "steps": STEPS,
        "sync_s": SYNC_S,
        "profile_stable": json.loads(profile.read_text())["stability"]["stable"],
        "load_average_before": before,
        "load_average_after": os.getloadavg(),
        "rounds": rounds,
    }
    (options.results / "autoscaling.json").write_text(json.dumps(document, indent=1) + "\n")
    (options.results / "autoscaling.svg").write_text(draw(rounds[0], STEPS))
    for one in rounds:
        say(json.dumps({key: one[key] for key in ("sequence", "twin_sequences", "compared", "failures")}))
    return 0 if all(one["compared"]["within"] for one in rounds) else 1


def profiled(path: Path) -> Path:
    """Measure the service, as a user does before the first deployment."""
    with tempfile.TemporaryDirectory() as folder:
        document = Path(folder) / "service.yaml"
        document.write_text((HERE / "service.yaml").read_text().replace("[model]", f"[{MODEL_FOLDER}]"))
        say("profile")
        tonnage("profile", str(document), "--quick", "--output", str(path), seconds_max=1800)
    return path


def one_round(profile: Path, seed: int) -> dict[str, Any]:
    """One real run and the twin's, compared."""
    control = {"horizontal-pod-autoscaler-sync-period": f"{SYNC_S:g}s"}
    inputs = Inputs(HERE / "service.yaml", profile, control)
    duration_s = float(sum(length for _, length in STEPS))
    with tempfile.TemporaryDirectory() as folder, World(Path(folder), inputs) as world:
        world.render()
        world.deploy()
        trace = write_trace(world.folder / "trace.csv", STEPS)
        say(f"real run {seed}: {duration_s:g} s")
        words = ("--trace", str(trace), "--seed", str(seed))
        with Observer(world) as observer, load(world, "load", *words) as running:
            result = running.result(duration_s + 120)
            begin_s = observer.elapsed_s() - result["elapsed_s"]
        say("twin")
        twin = play(world, trace, sync_s=SYNC_S, phases=PHASES, duration_s=duration_s, seed=seed)
        course: Steps = tuple((max(0.0, one.at_s - begin_s), one.wanted) for one in observer.sights)
        ready: Steps = tuple((max(0.0, one.at_s - begin_s), one.ready) for one in observer.sights)
        seen = [{"at_s": one.at_s - begin_s, **one.metrics} for one in observer.sights]
    return {
        "seed": seed,
        "duration_s": duration_s,
        "sequence": sequence(thin(course)),
        "twin_sequences": [sequence(one.wanted) for one in twin],
        "compared": compared(course, twin, duration_s),
        "failures": {"real": failures(result), "twin": [one.failed for one in twin]},
        "requests": result["requests"],
        "generator_kept_up": result["generator_lag"]["kept_up"],
        "real": {"wanted": thin(course), "ready": thin(ready), "seen": seen},
        "real_p99_s": [one["p99_s"] for one in result["seconds"]],
        "twin": [
            {"phase_s": one.phase_s, "wanted": one.wanted, "ready": one.ready, "p99_s": one.p99_s}
            for one in twin
        ],
    }


def compared(course: Steps, twin: list[Played], duration_s: float) -> dict[str, Any]:
    """How far the real course is from the twin's."""
    courses = [one.wanted for one in twin]
    distances = sorted(apart(course, one, duration_s) for one in courses)
    areas = sorted(area(one, duration_s) for one in courses)
    middle = areas[len(areas) // 2]
    peaks = [max(sequence(one)) for one in courses]
    found = {
        "outside_ratio": outside(course, courses, duration_s, SYNC_S),
        "nearest_phase_replicas": distances[0],
        "median_phase_replicas": distances[len(distances) // 2],
        "replica_seconds": area(course, duration_s),
        "twin_replica_seconds": areas,
        "area_ratio": area(course, duration_s) / middle - 1,
        "peak": max(sequence(course)),
        "twin_peaks": peaks,
    }
    peak = min(abs(found["peak"] - one) for one in peaks)
    within = (
        found["outside_ratio"] <= OUTSIDE_MAX and abs(found["area_ratio"]) <= AREA_MAX and peak <= PEAK_MAX
    )
    return found | {
        "tolerances": {"outside": OUTSIDE_MAX, "area": AREA_MAX, "peak": PEAK_MAX},
        "within": within,
    }


def thin(steps: Steps) -> Steps:
    """Steps where the count changes."""
    kept: list[tuple[float, int]] = []
    for at_s, count in steps:
        if not kept or kept[-1][1] != count:
            kept.append((round(at_s, 2), count))
    return tuple(kept)


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
