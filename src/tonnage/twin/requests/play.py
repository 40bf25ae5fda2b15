"""The two loops of the kernel, and the end of a pod.

*Lazy*: where nothing flows back from pods to clients, only arrivals drive the loop, and a pod is looked at
when the balancer needs to know it, or at the end. No event is ever queued. *Eager*: where clients retry or
the balancer compares all pods, events are played in order of time: pods from a heap of stations by
their next event, then retries from a heap, then arrivals.

Source of the kind of loop: next-event time advance, Law, Simulation Modeling and Analysis, section 1.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from tonnage.twin.requests.arriving import refill
from tonnage.twin.requests.balancer import (
    connected,
    draw,
    load_changed,
    other_of,
    reschedule,
    worker_of,
)
from tonnage.twin.requests.clients import failed, interval_of, pop_retry
from tonnage.twin.requests.compiled import entry, inner, merged, sources_stamp
from tonnage.twin.requests.rng import below, high, low
from tonnage.twin.requests.state import ARRIVED, EMPTY, LOST, NO_ENDPOINT, NONE, REFUSED, SERVING
from tonnage.twin.requests.station import failed_here, offer, step

DONE, MORE_ARRIVALS, MORE_ROOM = range(3)
"""What a loop returns: all is played; it needs the next chunk of times; it needs a larger heap of retries."""
_RANDOM, _ROUND_ROBIN, _TWO_CHOICES, _LEAST, _CONNECTION = range(5)


@merged
def _next_arrival(fixed: Any) -> float:
    """Time of the next arrival; infinite after the last; NaN when the next chunk of times is needed."""
    world = fixed.world[0]
    if world.buffer_next == world.buffer_end:
        if world.more == 0:
            return math.inf
        if fixed.config[0].plan == 3:
            return math.nan
        refill(fixed.config[0], world, fixed.edges_s, fixed.values, fixed.buffer_s)
        if world.buffer_next == world.buffer_end:
            return math.inf
    return float(fixed.buffer_s[world.buffer_next])


@inner
def _unreachable(
    cause: int, now_s: float, first_s: float, attempt: int, fixed: Any, series: Any, retries: Any
) -> None:
    """Book an attempt that reached no station."""
    known_s = now_s + fixed.config[0].round_trip_s
    failed(
        cause, now_s, known_s, first_s, attempt, fixed.config[0], fixed.world[0], series, retries
    )


@merged
def _choice(fixed: Any, pods: Any) -> tuple[int, int, int]:
    """What the balancer chooses without a look at any pod.

    Returns:
        A slot, or -1 for none; its station, or -1 where that is open; the other of two slots, or -1.
    """
    config, world = fixed.config[0], fixed.world[0]
    balancing, workers_max, count = config.balancing, config.workers_max, world.routed
    slot = s = other = -1
    if balancing == _CONNECTION:
        s = connected(fixed, pods)
        slot = s // workers_max if s >= 0 else -1
    elif count > 0:
        if balancing == _ROUND_ROBIN:
            world.turn = world.turn + 1 if world.turn + 1 < count else 0
            slot = pods.routed[world.turn]
        else:
            bits = draw(world)
            first = below(low(bits), count)
            slot = pods.routed[first]
            if balancing == _TWO_CHOICES and count > 1:
                other = pods.routed[other_of(first, high(bits), count)]
        if other < 0:
            s = worker_of(slot, world, fixed.servers, pods.slots, workers_max)
    return slot, s, other


def _lazy(stamp: int) -> Any:
    """Make the entry; ``stamp`` stands for all sources, and numba's cache compares it."""

    def lazy(fixed: Any, pods: Any, series: Any, retries: Any, until_s: float) -> int:
        """Play every event before ``until_s`` where only arrivals drive the loop."""
        if stamp < 0:
            return -1
        config = fixed.config[0]
        world = fixed.world[0]
        slots, stations = pods.slots, pods.stations
        workers_max = config.workers_max
        while True:
            now_s = _next_arrival(fixed)
            if not now_s < until_s:
                if math.isnan(now_s):
                    return MORE_ARRIVALS
                break
            world.buffer_next += 1
            world.arrived += 1
            series[interval_of(config, now_s), ARRIVED] += 1
            slot, s, other = _choice(fixed, pods)
            if slot < 0:
                _unreachable(NO_ENDPOINT, now_s, now_s, NONE, fixed, series, retries)
                continue
            # one place in the code that steps, for one station or for all of two slots
            here, end = s, s + 1
            if other >= 0:
                here, end = slot * workers_max, (slot + 1) * workers_max
            while True:
                if stations[here].next_s <= now_s:
                    step(here, now_s, fixed, pods, series, retries)
                here += 1
                if here == end:
                    if other < 0 or end == (other + 1) * workers_max:
                        break
                    here, end = other * workers_max, (other + 1) * workers_max
            if other >= 0:
                if slots[other].load < slots[slot].load:
                    slot = other
                s = worker_of(slot, world, fixed.servers, slots, workers_max)
            if slots[slot].state == SERVING:
                offer(s, now_s, now_s, NONE, fixed, pods, series, retries)
            else:
                pods.failed[slot, REFUSED] += 1
                _unreachable(REFUSED, now_s, now_s, NONE, fixed, series, retries)
        limit_s = np.nextafter(until_s, -math.inf)
        for here in range(stations.size):
            if stations[here].next_s <= limit_s:
                step(here, limit_s, fixed, pods, series, retries)
        return DONE

    return entry(lazy)


@merged
def _dispatch(
    now_s: float, first_s: float, attempt: int, fixed: Any, pods: Any, series: Any, retries: Any
) -> int:
    """Send one attempt to a pod; all pods have been played up to now.

    Returns:
        The station that has it, or -1 for none.
    """
    config, world = fixed.config[0], fixed.world[0]
    slots, workers_max = pods.slots, config.workers_max
    balancing = config.balancing
    if balancing == _LEAST:
        slot = pods.least[0] if world.routed > 0 else -1
        s = other = -1
    else:
        slot, s, other = _choice(fixed, pods)
        if other >= 0 and slots[other].load < slots[slot].load:
            slot = other
    if slot >= 0 and s < 0:
        s = worker_of(slot, world, fixed.servers, slots, workers_max)
    if slot < 0:
        _unreachable(NO_ENDPOINT, now_s, first_s, attempt, fixed, series, retries)
        return -1
    if slots[slot].state != SERVING:
        pods.failed[slot, REFUSED] += 1
        _unreachable(REFUSED, now_s, first_s, attempt, fixed, series, retries)
        if balancing == _LEAST:
            load_changed(slot, world, slots, pods.least)  # its turn has passed, or it would get all
        return -1
    offer(s, now_s, first_s, attempt, fixed, pods, series, retries)
    return s


def _eager(stamp: int) -> Any:
    """Make the entry; ``stamp`` stands for all sources, and numba's cache compares it."""

    def eager(fixed: Any, pods: Any, series: Any, retries: Any, until_s: float) -> int:
        """Play every event before ``until_s`` in order of time."""
        if stamp < 0:
            return -1
        config = fixed.config[0]
        world = fixed.world[0]
        stations, slots = pods.stations, pods.slots
        while True:
            if world.retries + config.expiring_max > retries.size:
                return MORE_ROOM
            pod_s = pods.heap_time_s[0]
            retry_s = retries[0].time_s if world.retries > 0 else math.inf
            arrival_s = _next_arrival(fixed)
            if math.isnan(arrival_s):
                return MORE_ARRIVALS
            now_s = min(pod_s, retry_s, arrival_s)
            if now_s >= until_s:
                return DONE
            load = NONE - 1
            if pod_s == now_s:
                s = pods.heap[0]
                load = slots[stations[s].slot].load
            else:
                first_s, attempt = now_s, NONE
                if retry_s == now_s:
                    first_s, attempt = retries[0].first_s, retries[0].attempt
                    pop_retry(retries, world)
                else:
                    world.buffer_next += 1
                    world.arrived += 1
                    series[interval_of(config, now_s), ARRIVED] += 1
                s = _dispatch(now_s, first_s, attempt, fixed, pods, series, retries)
                if s < 0:
                    continue
            # what a free pod has just been given starts at once: one place in the code that steps
            station = stations[s]
            if station.next_s <= now_s:
                step(s, now_s, fixed, pods, series, retries)
            reschedule(s, station.next_s, pods.heap, pods.heap_time_s, pods.heap_place)
            if config.balancing == _LEAST and slots[station.slot].load != load:
                load_changed(station.slot, world, slots, pods.least)

    return entry(eager)


def _kill(stamp: int) -> Any:
    """Make the entry; ``stamp`` stands for all sources, and numba's cache compares it."""

    def kill(fixed: Any, pods: Any, series: Any, retries: Any, slot: int, now_s: float) -> int:
        """Lose all that a slot has, and leave it empty; there is room for their retries.

        Returns:
            How many requests it had.
        """
        if stamp < 0:
            return -1
        config = fixed.config[0]
        world = fixed.world[0]
        mask = config.ring - 1
        lost = 0
        for s in range(slot * config.workers_max, (slot + 1) * config.workers_max):
            station = pods.stations[s]
            for place in range(config.parallel_max):
                run = pods.runs[s, place]
                if run.items == 0:
                    continue
                base = place * config.size_max
                passed = (now_s - run.start_s) / (run.end_s - run.start_s)
                station.busy_s += now_s - run.start_s
                station.cpu_s += run.cpu_s * passed
                for i in range(base, base + run.items):
                    arrived_s = pods.running_s[s, i]
                    first_s, attempt = arrived_s, NONE
                    if config.tracked == 1:
                        first_s, attempt = pods.running_first_s[s, i], pods.running_attempt[s, i]
                    station.left_s += now_s - arrived_s
                    failed_here(
                        LOST, s, now_s, now_s, first_s, attempt, fixed, pods, series, retries
                    )
                run.items = 0
            for k in range(station.waiting):
                i = (station.head + k) & mask
                arrived_s = pods.waiting_s[s, i]
                first_s, attempt = arrived_s, NONE
                if config.tracked == 1:
                    first_s, attempt = pods.waiting_first_s[s, i], pods.waiting_attempt[s, i]
                station.left_s += now_s - arrived_s
                failed_here(
                    LOST, s, now_s, now_s, first_s, attempt, fixed, pods, series, retries
                )
            lost += station.inside
            station.head = station.waiting = station.waiting_gone = 0
            station.inside = station.gone = station.running = 0
            station.next_s = station.timer_s = station.expiry_s = math.inf
            reschedule(s, station.next_s, pods.heap, pods.heap_time_s, pods.heap_place)
        pods.slots[slot].load = 0
        pods.slots[slot].state = EMPTY
        load_changed(slot, world, pods.slots, pods.least)
        return lost

    return entry(kill)


class Kernel(NamedTuple):
    """The entries; the first call of each compiles it, or reads its machine code from disk."""

    lazy: Callable[..., int]
    eager: Callable[..., int]
    kill: Callable[..., int]


_STAMP: Final = sources_stamp()
KERNEL: Final = Kernel(_lazy(_STAMP), _eager(_STAMP), _kill(_STAMP))
