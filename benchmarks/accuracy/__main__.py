"""How well the twin predicts the real server: profiled first, then both are put under the same loads.

    python -m benchmarks.accuracy --models magika,minilm

For each model the server is profiled by ``tonnage profile``, which is all that the twin knows of it. Then the
real server (one core), set as it was when profiled, answers Poisson load (from another core) at shares of its
sustainable rate, several rounds, each with arrivals of its own; the twin plays the same arrivals from the
profile. Kept: p50 and p99 of both in each round, their ratio, and how far the real server was from itself
between rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.serving import machine, payloads
from tonnage.plan.beside import beside_s
from tonnage.profile import ModelProfile, load_profile
from tonnage.traffic import PoissonArrivals
from tonnage.twin.inputs.serving import ServingFacts, server_model
from tonnage.twin.requests import ClientModel, RequestConfig, RequestWorld, recorded

HERE = Path(__file__).parent
SHARES = (0.3, 0.5, 0.7, 0.8, 0.9)
OBJECTIVES = {"tiny": "p99=10ms", "wide": "p99=50ms", "magika": "p99=500ms", "minilm": "p99=1s"}
PORT = 8765
TONNAGE = Path(sys.executable).parent / "tonnage"


def main() -> int:
    """Profile, measure, predict, compare and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", default="magika,minilm", help="comma-separated: tiny, wide too")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tonnage" / "peers" / "models"
    parser.add_argument("--cache", type=Path, default=cache, help="folder of models")
    parser.add_argument("--rounds", type=int, default=3, help="runs of the real server at each rate")
    parser.add_argument("--duration", type=float, default=40.0, help="seconds of one run")
    parser.add_argument("--nice", type=int, default=0, help="niceness of server and load")
    parser.add_argument(
        "--realtime", action="store_true", help="real-time priority for both, so that nobody else takes part"
    )
    parser.add_argument(
        "--again", action="store_true", help="measure nothing: predict anew from the kept profiles"
    )
    parser.add_argument("--quick", action="store_true", help="a rough profile")
    parser.add_argument("--profiles", type=Path, help="folder of profiles that are there already")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for results")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    for model in options.models.split(","):
        found = again(model, options) if options.again else compare(model, options)
        document = {"machine": machine.describe(), "model": model, **found}
        (options.results / f"{model}.json").write_text(json.dumps(document, indent=1) + "\n")
        show(model, found)
    return 0


def compare(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measured and predicted latencies of one model at each share of its sustainable rate."""
    options.cache.mkdir(parents=True, exist_ok=True)
    path = payloads.load(model, options.cache).path
    profile = profiled(model, path, options)
    if profile.capacity is None or profile.capacity.sustainable_per_s is None:
        raise SystemExit(f"{model}: its objective holds at no rate here; see the profile")
    capacity_per_s = profile.capacity.sustainable_per_s
    measured: dict[float, list[dict[str, float]]] = {share: [] for share in SHARES}
    for number in range(options.rounds):
        for share in SHARES:
            one = measure(model, path, profile, share * capacity_per_s, number, options)
            one["seed"], one["duration_s"] = number, options.duration
            measured[share].append(one)
            say(f"{model} {share:.0%} round {number + 1}: p50 {one['p50_s']:.6f} p99 {one['p99_s']:.6f} s")
    rows = [row(profile, share, measured[share]) for share in SHARES]
    stable = profile.stability.stable if profile.stability is not None else None
    return {"capacity_per_s": capacity_per_s, "profile_stable": stable, "rows": rows}


def row(profile: ModelProfile, share: float, runs: list[dict[str, float]]) -> dict[str, Any]:
    """One share of the sustainable rate: what was measured, and what the twin says of the same arrivals."""
    assert profile.capacity is not None
    assert profile.capacity.sustainable_per_s is not None
    rate = share * profile.capacity.sustainable_per_s
    predicted = [predict(profile, rate, one["duration_s"], int(one["seed"])) for one in runs]
    made: dict[str, Any] = {"share": share, "rate_per_s": rate, "runs": runs, "predicted": predicted}
    for name in ("p50_s", "p99_s"):
        real, twin = ([one[name] for one in of] for of in (runs, predicted))
        made[name] = {
            "measured": statistics.median(real),
            "predicted": statistics.median(twin),
            "error": statistics.median(twin) / statistics.median(real) - 1,
            "errors": [told / seen - 1 for told, seen in zip(twin, real, strict=True)],
            "spread": (max(real) - min(real)) / statistics.median(real),
        }
    return made


def again(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """The kept measurements beside what the twin says of the kept profile now."""
    kept = json.loads((options.results / f"{model}.json").read_text())
    profile = load_profile(options.results / f"{model}.profile.json")
    rows = [row(profile, one["share"], one["runs"]) for one in kept["rows"]]
    return {**{name: kept[name] for name in ("machine", "capacity_per_s", "profile_stable")}, "rows": rows}


def profiled(model: str, path: Path, options: argparse.Namespace) -> ModelProfile:
    """The profile of a model, made now unless it is there."""
    if options.profiles is not None and (options.profiles / f"{model}.profile.json").exists():
        return load_profile(options.profiles / f"{model}.profile.json")
    output = options.results / f"{model}.profile.json"
    command = [TONNAGE, "profile", path, "--objective", OBJECTIVES[model], "--output", output]
    subprocess.run(
        [*nicely(options), *map(str, command), *(["--quick"] if options.quick else [])], check=True
    )
    return load_profile(output)


def measure(
    model: str, path: Path, profile: ModelProfile, rate_per_s: float, seed: int, options: argparse.Namespace
) -> dict[str, float]:
    """Latencies of the real server at one rate."""
    settings = profile.settings
    assert settings is not None
    where = profile.machine
    assert where is not None
    # where the profile was measured: the lowest CPU often serves the machine's interrupts
    server_cpus, load_cpus = (",".join(map(str, one)) for one in (where.cpus_server, where.cpus_generator))
    command = ["taskset", "-c", server_cpus, *nicely(options), str(TONNAGE), "serve", str(path)]
    command += [
        "--port",
        str(PORT),
        "--host",
        "127.0.0.1",
        "--grpc-port",
        "none",
        "--workers",
        "1",
        "--size-max",
        str(settings.size_max),
        "--gather-max",
        str(settings.gather_max or settings.size_max),
        "--execution",
        settings.execution or "auto",
    ]
    if settings.deadline_s is not None:
        command += ["--deadline", f"{settings.deadline_s * 1e3:g}ms"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        until_ready()
        url = f"http://127.0.0.1:{PORT}"
        load = [
            "taskset",
            "-c",
            load_cpus,
            *nicely(options),
            str(TONNAGE),
            "load",
            url,
            "--model",
            model,
            "--quiet",
        ]
        load += ["--rate", f"{rate_per_s:g}", "--json", "-", "--seed", str(seed)]
        subprocess.run([*load, "--duration", "3s"], capture_output=True, check=True)
        done = subprocess.run(
            [*load, "--duration", f"{options.duration:g}s"], capture_output=True, check=True
        )
    finally:
        server.kill()
        server.wait()
    return read(json.loads(done.stdout))


def read(result: dict[str, Any]) -> dict[str, float]:
    """What is compared, from the result of ``tonnage load``."""
    return {
        "p50_s": result["latency"]["p50_s"],
        "p99_s": result["latency"]["p99_s"],
        "achieved_per_s": result["achieved_per_s"],
        "error_ratio": 1 - result["succeeded"] / max(1, result["requests"]),
        "kept_up": result["generator_lag"]["kept_up"],
    }


def predict(
    profile: ModelProfile, rate_per_s: float, duration_s: float, arrivals_seed: int, seeds: int = 5
) -> dict[str, float]:
    """The same by the twin, for the arrivals that the load generator sent: medians over its own chance."""
    model = server_model(ServingFacts(None, None, profile, None, 1.0))
    network = RequestConfig(round_trip_s=beside_s(profile))
    arrivals = recorded(PoissonArrivals(rate_per_s, duration_s), seed=arrivals_seed)
    runs = []
    for seed in range(seeds):
        world = RequestWorld(network, (model,), arrivals, ClientModel(), seed=seed)
        world.start(0)
        world.set_routed(0, True)
        world.advance(duration_s + 60.0)  # what arrived is answered
        series = world.series()
        runs.append((series.quantile_s(0.5) or math.nan, series.quantile_s(0.99) or math.nan))
    return {
        "p50_s": statistics.median(p50 for p50, _ in runs),
        "p99_s": statistics.median(p99 for _, p99 in runs),
    }


def show(model: str, found: dict[str, Any]) -> None:
    """A table on the terminal."""
    say(f"\n{model}: {found['capacity_per_s']:.0f} requests/s sustainable")
    for row in found["rows"]:
        cells = [
            f"{name[:3]} {row[name]['measured'] * 1e3:8.3f} ms, twin {row[name]['predicted'] * 1e3:8.3f} ms"
            f" ({row[name]['error']:+.1%}; spread {row[name]['spread']:.1%})"
            for name in ("p50_s", "p99_s")
        ]
        say(f"  {row['share']:.0%}: {'   '.join(cells)}")


def nicely(options: argparse.Namespace) -> list[str]:
    """The words that set the priority."""
    if options.realtime:
        return ["chrt", "-f", "5"]
    return ["nice", "-n", str(options.nice)] if options.nice else []


def until_ready() -> None:
    """Wait until the server answers."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit("the server did not become ready")


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
