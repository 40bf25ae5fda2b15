"""The same scenario in the twin: same rendered objects, same nodes, same profile, same trace; and the two compared.

When the HPA controller looks is not known in advance: its first look follows the HPA's creation, which has no
fixed place in time against the traffic. So the twin plays every phase in steps, and the real run is compared
with all of them: where it lies among them, and how far it is from the nearest and from the middle one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.world import World, tonnage

Steps = tuple[tuple[float, int], ...]
"""Replicas as steps: from when [s], how many."""


@dataclass(frozen=True, slots=True)
class Played:
    """One run of the twin.

    Attributes:
        phase_s: When the HPA controller looked first [s].
        wanted: The Deployment's replicas.
        ready: Of them, ready; counted at the ends of seconds.
        p99_s: By second; None without requests.
        failed: Requests that were refused, lost or given up.
    """

    phase_s: float
    wanted: Steps
    ready: Steps
    p99_s: tuple[float | None, ...]
    failed: int


def play(world: World, trace: Path, *, sync_s: float, phases: int, duration_s: float, seed: int = 0) -> list[Played]:
    """Let the twin play a run.

    Args:
        world: Whose objects, nodes and profile.
        trace: The traffic.
        sync_s: The HPA controller's period [s].
        phases: How many places of its first look to try.
        duration_s: How long [s].
        seed: Of the arrivals, as ``tonnage load`` has it.
    """
    return [
        _played(world, trace, sync_s, sync_s * (number + 0.5) / phases, duration_s, seed)
        for number in range(phases)
    ]


def _played(world: World, trace: Path, sync_s: float, phase_s: float, duration_s: float, seed: int) -> Played:
    settings = server_settings(world)
    spec = {
        "inputs": [str(world.objects), str(world.node_list())],
        "profile": str(world.inputs.profile),
        "duration": f"{duration_s:g}s",
        "client": {"balancing": "random"},
        "control": {"syncPeriod": f"{sync_s:g}s", "firstSync": f"{phase_s:g}s"},
        "metrics": {"custom": {"window": f"{settings['window_s']:g}s"}},
        "pod": {"lameDuck": f"{settings['lame_duck_s']:g}s"},
        "start": {"replicas": 2},
        "seed": seed,
    }
    head = {"apiVersion": "tonnage.dev/v1alpha1", "kind": "Simulation", "metadata": {"name": "same"}}
    document = world.folder / "simulation.yaml"
    document.write_text(yaml.safe_dump({**head, "spec": spec}))
    words = ["simulate", str(document), "--traffic", str(trace), "--workload", "sleeper", "--quiet", "--json", "-"]
    return read(json.loads(tonnage(*words)), phase_s)


def server_settings(world: World) -> dict[str, Any]:
    """The server's settings as rendered: the twin reads no ConfigMap, so what matters of it is said."""
    objects = yaml.safe_load_all(world.objects.read_text())
    found = next(one for one in objects if one["kind"] == "ConfigMap" and "server.json" in one["data"])
    return dict(json.loads(found["data"]["server.json"]))


def read(document: dict[str, Any], phase_s: float) -> Played:
    """What is compared, from the twin's document."""
    series = document["series"]
    times = [float(one) for one in series["time_s"]]
    failed = sum(document["totals"]["dropped"].values())
    wanted = _steps(times, series["replicas_wanted"])
    return Played(phase_s, wanted, _steps(times, series["replicas_ready"]), tuple(series["p99_s"]), failed)


def _steps(times: Sequence[float], values: Sequence[float]) -> Steps:
    found: list[tuple[float, int]] = []
    for at_s, value in zip(times, values, strict=True):
        if not found or found[-1][1] != int(value):
            found.append((at_s, int(value)))
    return tuple(found)


def at(steps: Steps, at_s: float) -> int:
    """Replicas at a time; those of the first step before it."""
    value = steps[0][1]
    for since_s, count in steps:
        if since_s > at_s:
            break
        value = count
    return value


def area(steps: Steps, duration_s: float) -> float:
    """Replicas times time [replica seconds]."""
    ends = [*[since_s for since_s, _ in steps[1:]], duration_s]
    return sum(count * max(0.0, min(end, duration_s) - since) for (since, count), end in zip(steps, ends, strict=True))


def apart(one: Steps, other: Steps, duration_s: float, step_s: float = 0.25) -> float:
    """Mean distance of two courses [replicas]."""
    times = [step_s * number for number in range(math.ceil(duration_s / step_s))]
    return sum(abs(at(one, time) - at(other, time)) for time in times) / len(times)


def outside(one: Steps, others: Sequence[Steps], duration_s: float, slack_s: float, step_s: float = 0.25) -> float:
    """Share of the time in which a course is beyond all others, who may each come up to ``slack_s`` early or late."""
    bad = total = 0
    shifts = [slack_s * part for part in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    for number in range(math.ceil(duration_s / step_s)):
        time = step_s * number
        around = [at(other, time + shift) for other in others for shift in shifts]
        total += 1
        bad += not min(around) <= at(one, time) <= max(around)
    return bad / total


def sequence(steps: Steps) -> list[int]:
    """The counts, one after the other."""
    return [count for _, count in steps]
