"""From settings to the kernel's arrays."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tonnage.batching.service_times import ServiceTimes, size_classes
from tonnage.twin.requests import rng
from tonnage.twin.requests.batching import DEVIATION, LEAST, MEAN
from tonnage.twin.requests.buckets import BUCKETS, CELLS, UPPER_S
from tonnage.twin.requests.model import CAUSES, Balancing, ClientModel, RequestConfig, ServerModel
from tonnage.twin.requests.plan import ArrivalPlan
from tonnage.twin.requests.service import MeasuredService
from tonnage.twin.requests.state import (
    ARRIVALS_AHEAD,
    CONFIG,
    LOG,
    OPEN_INTERVALS,
    SERVER,
    WORLD,
    Array,
    Fixed,
    ring_capacity,
)

BALANCING: Final = {one: number for number, one in enumerate(Balancing)}
LAWS: Final = {"deterministic": 0, "exponential": 1, "lognormal": 2}
MEASURED: Final = 3
PLANS: Final = {"rates": 0, "counts-poisson": 1, "counts-even": 2, "times": 3}
ARRIVALS, BALANCE, CLIENTS, POD = range(1, 5)
"""What a random stream is for."""


def fixed(
    config: RequestConfig,
    client: ClientModel,
    servers: tuple[ServerModel, ...],
    plan: ArrivalPlan,
    seed: int,
) -> Fixed:
    """Everything that does not depend on slots, before the first event."""
    table, inverse, cpu_s = server_rows(servers)
    row, share, scale, size_class = size_rows(servers)
    pause_s, pause_extra_s = pause_rows(servers)
    world = np.zeros(1, WORLD)
    world["more"] = 1
    world["turn"] = -1
    for name, use in (("arrival", ARRIVALS), ("balance", BALANCE), ("client", CLIENTS)):
        world[f"{name}_stream"] = rng.key(seed, use)
    connections = config.connections if config.balancing is Balancing.CONNECTION else 1
    return Fixed(
        config=config_row(config, client, servers, plan),
        world=world,
        servers=table,
        row=row,
        share=share,
        scale=scale,
        inverse=inverse,
        cpu_s=cpu_s,
        pause_s=pause_s,
        pause_extra_s=pause_extra_s,
        size_class=size_class,
        edges_s=np.array(plan.edges_s, dtype=np.float64),
        values=np.array(plan.values, dtype=np.float64),
        buffer_s=np.zeros(ARRIVALS_AHEAD),
        connection_slot=np.full(connections, -1),
        connection_generation=np.zeros(connections, np.int64),
        connection_station=np.zeros(connections, np.int64),
        open_latency=np.zeros((OPEN_INTERVALS, BUCKETS), np.int32),
        log=np.zeros(config.batch_log_max, LOG),
        upper_s=UPPER_S.copy(),
        cells=CELLS.copy(),
    )


def expected_at_first(server: ServerModel, classes: int) -> Array:
    """What a new pod expects of batches: mean, deviation and least time, shape ``(3, classes)``."""
    made = np.zeros((3, classes))
    made[LEAST] = math.inf
    own = size_classes(server.size_max)
    times = ServiceTimes(server.size_max)
    times.seed(server.warmup)
    for i, size in enumerate(own):
        made[MEAN, i] = times.of(size)
        made[DEVIATION, i] = 0.0
        if any(own[int(np.searchsorted(own, min(n, own[-1])))] == size for n, _ in server.warmup):
            made[LEAST, i] = times.least(size)
    return made


def server_rows(servers: tuple[ServerModel, ...]) -> tuple[Array, Array, Array]:
    """The servers' settings, their tables of service times, and CPU seconds by size."""
    size_max = max(server.size_max for server in servers)
    table = np.zeros(len(servers), SERVER)
    cpu_s = np.zeros((len(servers), size_max + 1))
    inverses = [np.zeros((1, 1))]
    first_row = 0
    for i, server in enumerate(servers):
        row = table[i]
        for name in ("size_max", "wait_s_max", "queue_max", "deadline_s", "workers", "parallel"):
            row[name] = getattr(server, name)
        row["batch_overhead_s"] = server.batch_overhead_s
        row["request_overhead_s"] = server.request_overhead_s
        row["pauses"] = len(server.pause_cost.points)
        row["gather_max"] = server.gather_max or server.size_max
        row["first_row"] = first_row
        row["own_cpu"] = bool(server.cpu_s_by_size)
        law = server.service
        if isinstance(law, MeasuredService):
            row["law"] = MEASURED
            inverses.append(law.inverse)
            first_row += len(law.sizes)
        else:
            row["law"], row["batch_s"], row["item_s"] = LAWS[law.shape], law.batch_s, law.item_s
            variance = np.log1p(law.variation**2)
            row["log_deviation"], row["log_mean"] = np.sqrt(variance), -variance / 2
        if server.cpu_s_by_size:
            sizes, seconds = zip(*server.cpu_s_by_size, strict=True)
            n = np.arange(size_max + 1)
            cpu_s[i] = np.interp(n, sizes, seconds) * np.maximum(1.0, n / sizes[-1])
    inverse = np.concatenate(inverses[1:]) if len(inverses) > 1 else np.zeros((1, 2))
    return table, inverse, cpu_s


def pause_rows(servers: tuple[ServerModel, ...]) -> tuple[Array, Array]:
    """For each server the pauses whose cost is known, 0 first, and these costs."""
    shape = (len(servers), 1 + max(len(server.pause_cost.points) for server in servers))
    pause_s, extra_s = np.zeros(shape), np.zeros(shape)
    for i, server in enumerate(servers):
        for j, (pause, extra) in enumerate(server.pause_cost.points, start=1):
            pause_s[i, j], extra_s[i, j] = pause, extra
    return pause_s, extra_s


def size_rows(servers: tuple[ServerModel, ...]) -> tuple[Array, Array, Array, Array]:
    """For each server and size: row of the service times, share of the next row, scale, size class."""
    size_max = max(server.size_max for server in servers)
    shape = (len(servers), size_max + 1)
    row, share, scale = np.zeros(shape, np.int64), np.zeros(shape), np.ones(shape)
    size_class = np.zeros(shape, np.int64)
    first_row = 0
    for i, server in enumerate(servers):
        classes = size_classes(server.size_max)
        n = np.minimum(np.arange(size_max + 1), server.size_max)
        size_class[i] = np.searchsorted(classes, np.maximum(n, 1))
        law = server.service
        if isinstance(law, MeasuredService):
            sizes = np.array(law.sizes)
            at = np.clip(np.searchsorted(sizes, n, side="right") - 1, 0, max(len(sizes) - 2, 0))
            row[i] = first_row + at
            if len(sizes) > 1:
                share[i] = np.clip((n - sizes[at]) / (sizes[at + 1] - sizes[at]), 0.0, 1.0)
            scale[i] = np.maximum(1.0, n / sizes[-1])
            first_row += len(sizes)
    return row, share, scale, size_class


def config_row(
    config: RequestConfig, client: ClientModel, servers: tuple[ServerModel, ...], plan: ArrivalPlan
) -> Array:
    """The settings in the kernel's form."""
    made = np.zeros(1, CONFIG)
    row = made[0]
    row["balancing"] = BALANCING[config.balancing]
    for name in ("connections", "round_trip_s", "jitter_s", "slo_s"):
        row[name] = getattr(config, name)
    row["per_interval"] = 1.0 / config.interval_s
    for name in (
        "timeout_s",
        "retries_max",
        "backoff_s",
        "backoff_factor",
        "backoff_s_max",
        "backoff_spread",
    ):
        row[name] = getattr(client, name)
    row["retry_causes"] = sum(1 << i for i, cause in enumerate(CAUSES) if cause in client.retry_on)
    row["tracked"] = client.retries_max > 0 or client.timeout_s < np.inf
    row["workers_max"] = max(server.workers for server in servers)
    row["parallel_max"] = max(server.parallel for server in servers)
    row["size_max"] = max(server.size_max for server in servers)
    row["ring"] = ring_capacity(servers)
    row["plan"] = PLANS[plan.kind]
    row["first_share"], row["end_s"] = plan.first_share, plan.end_s
    row["expiring_max"] = row["ring"] + row["parallel_max"] * row["size_max"] + 4
    return made
