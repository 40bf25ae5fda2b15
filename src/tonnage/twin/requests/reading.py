"""Reading the kernel's state: totals of a pod, where requests are, a digest of all. Nothing is changed."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np

from tonnage.twin.requests.compiled import entry, sources_stamp
from tonnage.twin.requests.model import CAUSES
from tonnage.twin.requests.results import Balance, IntArray, SlotTotals
from tonnage.twin.requests.state import DROPPED, Array, Fixed, Pods

_ANSWERED, _BATCHES, _BUSY, _CPU, _IN_FLIGHT, _WAIT, _LATENCY, _INSIDE, _WAITING = range(9)
_NUMBERS: Final = 9
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


def _told(stamp: int) -> Any:
    """Make the entry that sums up a slot; ``stamp`` stands for all sources, and numba's cache compares it."""

    def told(fixed: Any, pods: Any, slot: int, now_s: float, out: Any) -> int:
        """Add up a slot's workers, and the part of running batches that has passed, into ``out``."""
        if stamp < 0:
            return -1
        config = fixed.config[0]
        mask = config.ring - 1
        out[:] = 0.0
        for s in range(slot * config.workers_max, (slot + 1) * config.workers_max):
            station = pods.stations[s]
            out[_ANSWERED] += station.answered
            out[_BATCHES] += station.batches
            out[_BUSY] += station.busy_s
            out[_CPU] += station.cpu_s
            out[_IN_FLIGHT] += station.left_s
            out[_WAIT] += station.wait_s
            out[_LATENCY] += station.latency_s
            out[_INSIDE] += station.inside
            out[_WAITING] += station.waiting
            for k in range(station.waiting):
                out[_IN_FLIGHT] += now_s - pods.waiting_s[s, (station.head + k) & mask]
            for place in range(config.parallel_max):
                run = pods.runs[s, place]
                if run.items == 0:
                    continue
                passed_s = now_s - run.start_s
                out[_BUSY] += passed_s
                if run.end_s > run.start_s:
                    out[_CPU] += run.cpu_s * passed_s / (run.end_s - run.start_s)
                base = place * config.size_max
                for i in range(base, base + run.items):
                    out[_IN_FLIGHT] += now_s - pods.running_s[s, i]
        return 0

    return entry(told)


_TOLD: Final = _told(sources_stamp())


def slot_totals(fixed: Fixed, pods: Pods, slot: int, now_s: float) -> tuple[SlotTotals, int, int]:
    """What the pod in a slot has done by now, how many requests it has, and how many of these wait."""
    out = np.empty(_NUMBERS)
    _TOLD(fixed, pods, slot, now_s, out)
    answered, batches, busy_s, cpu_s, in_flight_s, wait_s, latency_s, inside, waiting = out.tolist()
    failed, latency = pods.failed[slot].copy(), pods.latency[slot].copy()
    totals = SlotTotals(
        now_s, int(answered), failed, int(batches), busy_s, cpu_s, in_flight_s, wait_s, latency_s, latency
    )
    return totals, int(inside), int(waiting)


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
