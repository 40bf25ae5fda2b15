"""One station: requests taken in, batches run, answers counted.

Theory of operation. A station is looked at only when somebody needs to know its state: ``step`` then plays
all of its events up to that time, in their order. Between two looks nothing outside can change it, so
that how often it is looked at makes no difference. ``next_s`` is the time of its next event, and the
only thing that a caller must check.
"""

from __future__ import annotations

import math
from typing import Any

from tonnage.twin.requests import batching
from tonnage.twin.requests.buckets import bucket_of
from tonnage.twin.requests.clients import failed, interval_of
from tonnage.twin.requests.compiled import inner, merged
from tonnage.twin.requests.rng import exponential
from tonnage.twin.requests.state import (
    ANSWERED,
    BATCH_STARTED,
    DEADLINE,
    LATE,
    NONE,
    ONE,
    OPEN_INTERVALS,
    QUEUE_FULL,
    SLOW,
    TIMEOUT,
)


@inner
def log(fixed: Any, station: int, kind: int, start_s: float, end_s: float, items: int) -> None:
    """Write one line of the log, while it has room."""
    world = fixed.world[0]
    if world.logged < fixed.log.size:
        line = fixed.log[world.logged]
        line.station = station
        line.kind = kind
        line.start_s = start_s
        line.end_s = end_s
        line.items = items
        world.logged += 1


@inner
def failed_here(
    cause: int,
    s: int,
    time_s: float,
    known_s: float,
    first_s: float,
    attempt: int,
    fixed: Any,
    pods: Any,
    series: Any,
    retries: Any,
) -> None:
    """Book an attempt that failed at station ``s``; ``attempt < 0``: its client has gone before."""
    slot = pods.stations[s].slot
    pods.failed[slot, cause] += 1
    if attempt >= 0:
        failed(
            cause, time_s, known_s, first_s, attempt, fixed.config[0], fixed.world[0], series, retries
        )


@merged
def step(s: int, now_s: float, fixed: Any, pods: Any, series: Any, retries: Any) -> None:
    """Play the events of station ``s`` up to and at ``now_s``: at one time ends, timeouts, then starts."""
    station = pods.stations[s]
    slot = pods.slots[station.slot]
    server = fixed.servers[slot.server]
    runs = pods.runs[s]
    while station.next_s <= now_s:
        time_s = station.next_s
        if station.running > 0:
            for place in range(server.parallel):
                if runs[place].items > 0 and runs[place].end_s <= time_s:
                    _end(s, place, fixed, pods, series, retries)
        if station.expiry_s <= time_s:
            _expire(s, time_s, fixed, pods, series, retries)
        while station.waiting > 0 and station.running < server.parallel:
            oldest_s = pods.waiting_s[s, station.head]
            station.timer_s = batching.due_s(server, station, oldest_s, time_s)
            if station.timer_s > time_s:
                break
            _start(s, time_s, fixed, pods, series, retries)
        if station.waiting == 0 or station.running == server.parallel:
            station.timer_s = math.inf
        next_s = min(station.timer_s, station.expiry_s)
        if station.running > 0:
            for place in range(server.parallel):
                if runs[place].items > 0:
                    next_s = min(next_s, runs[place].end_s)
        station.next_s = next_s
    if station.waiting == 0:
        station.head = 0  # near the start of its ring it stays in the cache


@inner
def offer(
    s: int, now_s: float, first_s: float, attempt: int, fixed: Any, pods: Any, series: Any, retries: Any
) -> None:
    """A request arrives at a station that has been stepped to ``now_s``."""
    station = pods.stations[s]
    slot = pods.slots[station.slot]
    server = fixed.servers[slot.server]
    config = fixed.config[0]
    cause = BATCH_STARTED  # for none
    if station.waiting >= server.queue_max:
        cause = QUEUE_FULL
    elif server.deadline_s != math.inf:
        until_s = batching.until_answered(
            server, fixed.size_class[slot.server], pods.expected[s], station, pods.runs[s, 0], now_s
        )
        if now_s + until_s > now_s + server.deadline_s:
            cause = DEADLINE
    if cause >= 0:
        log(fixed, s, cause, now_s, now_s, ONE)
        known_s = now_s + config.round_trip_s
        failed_here(
            cause, s, now_s, known_s, first_s, attempt, fixed, pods, series, retries
        )
        return
    place = (station.head + station.waiting) & (config.ring - 1)
    pods.waiting_s[s, place] = now_s
    station.waiting += 1
    station.inside += 1
    slot.load += 1
    if config.tracked == 1:
        pods.waiting_first_s[s, place] = first_s
        pods.waiting_attempt[s, place] = attempt
        expiry_s = now_s + config.timeout_s
        if expiry_s < station.expiry_s:
            station.expiry_s = expiry_s
            station.next_s = min(station.next_s, expiry_s)
    if station.running < server.parallel:
        oldest_s = pods.waiting_s[s, station.head]
        station.timer_s = batching.due_s(server, station, oldest_s, now_s)
        station.next_s = min(station.next_s, station.timer_s)


@inner
def _start(s: int, now_s: float, fixed: Any, pods: Any, series: Any, retries: Any) -> None:
    """Take the next batch and run it; all that waited may turn out to be late, and then none runs."""
    station = pods.stations[s]
    slot = pods.slots[station.slot]
    number = slot.server
    server = fixed.servers[number]
    config = fixed.config[0]
    expected = pods.expected[s]
    size_class = fixed.size_class[number]
    place = 0
    while pods.runs[s, place].items > 0:
        place += 1
    base = place * config.size_max
    taken = NONE
    if server.deadline_s == math.inf:
        taken = min(station.waiting, server.gather_max)
        _take(s, taken, base, fixed, pods)
    else:
        must_end_s = now_s + expected[
            batching.MEAN, size_class[min(station.waiting, server.gather_max)]
        ]
        # deadlines come in order of arrival: the late ones are at the head
        late = 0
        mask = config.ring - 1
        while (
            late < station.waiting
            and pods.waiting_s[s, (station.head + late) & mask] + server.deadline_s < must_end_s
        ):
            late += 1
        if late < station.waiting:
            for _ in range(late):
                _drop_late(s, now_s, fixed, pods, series, retries)
            taken = min(station.waiting, server.gather_max)
            _take(s, taken, base, fixed, pods)
        else:
            for _ in range(late):
                arrived_s = pods.waiting_s[s, station.head]
                if batching.possible(server, size_class, expected, arrived_s, taken, now_s):
                    _take(s, ONE, base + taken, fixed, pods)
                    taken += 1
                else:
                    _drop_late(s, now_s, fixed, pods, series, retries)
    if taken == 0:
        return
    seconds, station.stream = batching.service_s(
        server, number, taken, station.stream, fixed.row, fixed.share, fixed.scale, fixed.inverse
    )
    around_s = server.batch_overhead_s + taken * server.request_overhead_s
    if server.pauses > 0 and station.running == 0 and now_s > station.free_s:
        around_s += batching.pause_extra_s(number, server.pauses, now_s - station.free_s, fixed)
    run = pods.runs[s, place]
    run.items = taken
    run.start_s = now_s
    run.end_s = now_s + (seconds + around_s) / slot.speed
    run.cpu_s = around_s + (fixed.cpu_s[number, taken] if server.own_cpu == 1 else seconds)
    station.running += 1
    if fixed.log.size > 0:
        log(fixed, s, BATCH_STARTED, now_s, run.end_s, taken)


@inner
def _take(s: int, count: int, base: int, fixed: Any, pods: Any) -> None:
    """Move requests from the head of the queue to the area of running ones."""
    station = pods.stations[s]
    mask = fixed.config[0].ring - 1
    head = station.head
    for i in range(count):
        pods.running_s[s, base + i] = pods.waiting_s[s, (head + i) & mask]
    if fixed.config[0].tracked == 1:
        for i in range(count):
            place = (head + i) & mask
            pods.running_first_s[s, base + i] = pods.waiting_first_s[s, place]
            pods.running_attempt[s, base + i] = pods.waiting_attempt[s, place]
        station.waiting_gone = max(0, station.waiting_gone - count)
    station.head = (head + count) & mask
    station.waiting -= count


@inner
def _drop_late(s: int, now_s: float, fixed: Any, pods: Any, series: Any, retries: Any) -> None:
    """Refuse the oldest waiting request: its deadline cannot be met any more."""
    station = pods.stations[s]
    config = fixed.config[0]
    head = station.head
    arrived_s = pods.waiting_s[s, head]
    first_s, attempt = arrived_s, NONE
    if config.tracked == 1:
        first_s, attempt = pods.waiting_first_s[s, head], pods.waiting_attempt[s, head]
        if attempt < 0:
            station.waiting_gone -= 1
            station.gone -= 1
    if attempt >= 0:
        pods.slots[station.slot].load -= 1
    station.head = (head + 1) & (config.ring - 1)
    station.waiting -= 1
    station.inside -= 1
    station.left_s += now_s - arrived_s
    log(fixed, s, LATE, now_s, now_s, ONE)
    known_s = now_s + config.round_trip_s
    failed_here(
        LATE, s, now_s, known_s, first_s, attempt, fixed, pods, series, retries
    )


@inner
def _end(s: int, place: int, fixed: Any, pods: Any, series: Any, retries: Any) -> None:
    """Answer a batch."""
    station = pods.stations[s]
    slot = pods.slots[station.slot]
    server = fixed.servers[slot.server]
    config = fixed.config[0]
    run = pods.runs[s, place]
    items = run.items
    end_s = run.end_s
    base = place * config.size_max
    row = interval_of(config, end_s)
    latencies = fixed.open_latency[row & (OPEN_INTERVALS - 1)]
    own = pods.latency[station.slot]
    upper_s, cells = fixed.upper_s, fixed.cells
    total_s = 0.0
    answered = slow = 0
    network_s = config.round_trip_s
    same = network_s == 0.0 and config.jitter_s == 0.0
    for i in range(items):
        latency_s = end_s - pods.running_s[s, base + i]
        total_s += latency_s
        bucket = bucket_of(latency_s, upper_s, cells)
        own[bucket] += 1
        seen_s = latency_s + network_s
        if config.jitter_s > 0.0:
            extra, station.stream = exponential(station.stream)
            seen_s += extra * config.jitter_s
        if config.tracked == 1:
            attempt = pods.running_attempt[s, base + i]
            if attempt < 0:
                station.gone -= 1
                slot.load += 1  # taken off when its client went
                continue
            first_s = pods.running_first_s[s, base + i]
            if seen_s > config.timeout_s:
                arrived_s = pods.running_s[s, base + i]
                known_s = arrived_s + config.timeout_s
                failed_here(
                    TIMEOUT, s, end_s, known_s, first_s, attempt, fixed, pods, series, retries
                )
                continue
            seen_s += pods.running_s[s, base + i] - first_s
            if first_s != pods.running_s[s, base + i] or not same:
                bucket = bucket_of(seen_s, upper_s, cells)
        elif not same:
            bucket = bucket_of(seen_s, upper_s, cells)
        answered += 1
        slow += seen_s > config.slo_s
        latencies[bucket] += 1
    slot.load -= items
    series[row, ANSWERED] += answered
    series[row, SLOW] += slow
    fixed.world[0].answered += answered
    taken_s = end_s - run.start_s
    station.free_s = end_s
    _leave(station, run, taken_s, total_s)
    if server.deadline_s != math.inf:
        batching.observe(pods.expected[s], fixed.size_class[slot.server, items], taken_s)


@inner
def _leave(station: Any, run: Any, taken_s: float, total_s: float) -> None:
    """Book an ended batch in the station's own totals; ``total_s`` is its requests' time here, summed."""
    station.inside -= run.items
    station.running -= 1
    station.answered += run.items
    station.batches += 1
    station.latency_s += total_s
    station.left_s += total_s
    station.wait_s += total_s - run.items * taken_s
    station.busy_s += taken_s
    station.cpu_s += run.cpu_s
    run.items = 0


@inner
def _expire(s: int, now_s: float, fixed: Any, pods: Any, series: Any, retries: Any) -> None:
    """Clients whose patience ends now go away; the server does not know and works on."""
    station = pods.stations[s]
    slot = pods.slots[station.slot]
    config = fixed.config[0]
    mask = config.ring - 1
    earliest_s = math.inf
    for place in range(fixed.servers[slot.server].parallel):
        base = place * config.size_max
        for i in range(base, base + pods.runs[s, place].items):
            attempt = pods.running_attempt[s, i]
            if attempt < 0:
                continue
            arrived_s = pods.running_s[s, i]
            if arrived_s + config.timeout_s > now_s:
                earliest_s = min(earliest_s, arrived_s + config.timeout_s)
                break  # the ones behind it in its batch came later
            pods.running_attempt[s, i] = ~attempt
            station.gone += 1
            slot.load -= 1
            first_s = pods.running_first_s[s, i]
            failed_here(
                TIMEOUT, s, now_s, now_s, first_s, attempt, fixed, pods, series, retries
            )
    while station.waiting_gone < station.waiting:
        place = (station.head + station.waiting_gone) & mask
        arrived_s = pods.waiting_s[s, place]
        if arrived_s + config.timeout_s > now_s:
            earliest_s = min(earliest_s, arrived_s + config.timeout_s)
            break
        attempt = pods.waiting_attempt[s, place]
        pods.waiting_attempt[s, place] = ~attempt
        station.waiting_gone += 1
        station.gone += 1
        slot.load -= 1
        first_s = pods.waiting_first_s[s, place]
        failed_here(
            TIMEOUT, s, now_s, now_s, first_s, attempt, fixed, pods, series, retries
        )
    station.expiry_s = earliest_s
