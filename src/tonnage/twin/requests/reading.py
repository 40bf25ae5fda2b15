"""Reading the kernel's state: totals of a pod, where requests are, a digest of all. Nothing is changed."""

from __future__ import annotations

import hashlib

import numpy as np

from tonnage.twin.requests.model import CAUSES
from tonnage.twin.requests.results import Balance, IntArray, SlotTotals
from tonnage.twin.requests.state import DROPPED, Array, Fixed, Pods

_DIGESTED = (
    "waiting",
    "waiting_gone",
    "inside",
    "gone",
    "running",
    "stream",
    "answered",
    "batches",
    "busy_s",
    "cpu_s",
    "left_s",
    "wait_s",
    "latency_s",
)


def waiting_places(fixed: Fixed, pods: Pods, s: int) -> Array:
    """Places in the ring of what waits at a station, oldest first."""
    station = pods.stations[s]
    mask = int(fixed.config[0]["ring"]) - 1
    return np.asarray((int(station["head"]) + np.arange(int(station["waiting"]))) & mask)


def running_places(fixed: Fixed, pods: Pods, s: int) -> Array:
    """Places of what runs at a station, batch by batch."""
    size_max = int(fixed.config[0]["size_max"])
    parts = [place * size_max + np.arange(n) for place, n in enumerate(pods.runs["items"][s])]
    return np.concatenate(parts)


def slot_totals(fixed: Fixed, pods: Pods, slot: int, now_s: float) -> SlotTotals:
    """What the pod in a slot has done by now, the part of running batches that has passed included."""
    workers = int(fixed.config[0]["workers_max"])
    own = slice(slot * workers, (slot + 1) * workers)
    stations, runs = pods.stations[own], pods.runs[own]
    runs = runs[runs["items"] > 0]
    passed_s = now_s - runs["start_s"]
    present_s = 0.0
    for s in range(own.start, own.stop):
        waiting = pods.waiting_s[s, waiting_places(fixed, pods, s)]
        running = pods.running_s[s, running_places(fixed, pods, s)]
        present_s += float((now_s - waiting).sum() + (now_s - running).sum())
    return SlotTotals(
        time_s=now_s,
        answered=int(stations["answered"].sum()),
        failed=pods.failed[slot].copy(),
        batches=int(stations["batches"].sum()),
        busy_s=float(stations["busy_s"].sum() + passed_s.sum()),
        cpu_s=float(
            stations["cpu_s"].sum() + (runs["cpu_s"] * passed_s / (runs["end_s"] - runs["start_s"])).sum()
        ),
        in_flight_s=float(stations["left_s"].sum()) + present_s,
        wait_s=float(stations["wait_s"].sum()),
        latency_s=float(stations["latency_s"].sum()),
        latency=pods.latency[slot].copy(),
    )


def balance(fixed: Fixed, pods: Pods, counts: IntArray) -> Balance:
    """Where all requests are."""
    world = fixed.world[0]
    dropped = counts[:, DROPPED : DROPPED + len(CAUSES)].sum(axis=0)
    return Balance(
        arrived=int(world["arrived"]),
        answered=int(world["answered"]),
        dropped=tuple(int(count) for count in dropped),
        at_servers=int((pods.stations["inside"] - pods.stations["gone"]).sum()),
        to_retry=int(world["retries"]),
    )


def digest(fixed: Fixed, pods: Pods, retries: Array, recorded: tuple[Array, ...]) -> str:
    """A digest of what happened and what is under way.

    Args:
        fixed: State that does not depend on slots.
        pods: State of slots that ever had a pod; room for others makes no difference.
        retries: Heap of retries.
        recorded: What else belongs to it.
    """
    made = hashlib.blake2b(digest_size=16)
    world = fixed.world[0]
    for name in ("arrived", "answered", "retry_number", "arrival_stream", "balance_stream", "client_stream"):
        made.update(world[name].tobytes())
    made.update(np.sort(retries["time_s"][: int(world["retries"])]).tobytes())
    for array in recorded:
        made.update(np.ascontiguousarray(array).tobytes())
    workers = int(fixed.config[0]["workers_max"])
    for slot in np.flatnonzero(pods.slots["generation"]).tolist():
        for name in ("state", "generation", "server", "speed", "load"):
            made.update(pods.slots[name][slot].tobytes())
        made.update(pods.failed[slot].tobytes() + pods.latency[slot].tobytes())
        for s in range(slot * workers, (slot + 1) * workers):
            for name in _DIGESTED:
                made.update(pods.stations[name][s].tobytes())
            made.update(pods.waiting_s[s, waiting_places(fixed, pods, s)].tobytes())
            made.update(pods.running_s[s, running_places(fixed, pods, s)].tobytes())
            made.update(pods.runs["end_s"][s][pods.runs["items"][s] > 0].tobytes())
    return made.hexdigest()
