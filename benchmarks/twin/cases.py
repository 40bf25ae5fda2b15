"""The worlds that are timed: kinds of pods, loads, and how long they run."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass

import numpy as np

from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import (
    Balancing,
    ClientModel,
    MeasuredService,
    ParametricService,
    RequestConfig,
    RequestWorld,
    ServerModel,
    plan_of,
)

WARM_UP_SHARE = 0.05


@dataclass(frozen=True)
class Case:
    """One cell of the table.

    Attributes:
        server: ``batching`` (a measured law, up to 32 items) or ``single`` (exponential, one at a time).
        pods: How many.
        load: Arrival rate over what the pods can serve at most.
        balancing: How requests are spread.
        retries: Whether clients time out and retry, which needs events in order of time.
        requests: How many are played.
    """

    server: str
    pods: int
    load: float
    balancing: str
    retries: bool = False
    requests: int = 5_000_000


def server_of(name: str) -> tuple[ServerModel, float]:
    """The server and the highest rate that one pod can serve [requests/s]."""
    if name == "single":
        law = ParametricService(batch_s=0.001, shape="exponential")
        return ServerModel(service=law, size_max=1), 1000.0
    spread = np.random.default_rng(0).lognormal(0.0, 0.15, 500)
    samples = {n: ((0.0015 + 0.0002 * n) * spread).tolist() for n in (1, 2, 4, 8, 16, 32)}
    measured = MeasuredService.from_samples(samples)
    return ServerModel(service=measured, size_max=32), 32 / measured.mean_s(32)


def world_of(case: Case, seed: int = 1) -> tuple[RequestWorld, float]:
    """A world with its pods started, and how long its traffic lasts [s]."""
    server, capacity = server_of(case.server)
    rate = case.load * capacity * case.pods
    duration_s = case.requests / rate
    plan = plan_of(PoissonArrivals(rate, duration_s), seed=seed)
    config = RequestConfig(balancing=Balancing(case.balancing), slo_s=0.1, connections=20 * case.pods)
    client = ClientModel(timeout_s=0.5, retries_max=2) if case.retries else ClientModel()
    world = RequestWorld(config, (server,), plan, client, slots_max=case.pods, seed=seed)
    for slot in range(case.pods):
        world.start(slot)
        world.set_routed(slot, True)
    return world, duration_s


def timed(case: Case) -> dict[str, float | int | str]:
    """Play a case once: compiled and warm before the clock starts, all accounting on."""
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    world, duration_s = world_of(case)
    world.advance(WARM_UP_SHARE * duration_s)
    counted = world.balance().arrived
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    world.advance(duration_s)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    balance = world.balance()
    assert balance.arrived == balance.answered + sum(balance.dropped) + balance.in_flight
    played = balance.arrived - counted
    pod = world.totals(0)
    return {
        "requests": played,
        "per_cpu_s": round(played / cpu_s),
        "per_wall_s": round(played / wall_s),
        "batch_mean": round(pod.answered / max(1, pod.batches), 2),
        "busy_ratio": round(pod.busy_s / world.now_s, 3),
        "p99_s": world.series().quantile_s(0.99) or 0.0,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "world_bytes": max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib) * 1024,
        "digest": world.digest(),
    }
