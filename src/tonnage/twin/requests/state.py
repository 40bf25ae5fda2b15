"""The state of a request world: numpy arrays that the kernel reads and writes.

Theory of operation. A *station* is one worker of one slot: a queue and the batches that run from it. Stations
of slot k are rows ``k * workers_max`` and on. Waiting requests lie in a ring per station, running ones in a
fixed area per parallel place; of each request the kernel keeps its arrival at the server and, where clients
may retry or give up, its first attempt and the number of this one (as ``~number`` once its client has gone).

Everything that grows with slots is in ``Pods`` and is copied when the world grows; the rest is bounded.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tonnage.batching.service_times import size_classes
from tonnage.twin.requests.buckets import BUCKETS
from tonnage.twin.requests.model import CAUSES, ServerModel

Array = npt.NDArray[Any]

ARRIVALS_AHEAD: Final = 256
"""Arrivals that are drawn at a time; few enough to stay in the nearest cache."""
OPEN_INTERVALS: Final = 16
"""Intervals whose latencies are kept as counts while the kernel may still add to them; a power of two."""
ARRIVED, ANSWERED, SLOW, RETRIED = range(4)
DROPPED, FAILED = 4, 4 + len(CAUSES)
COLUMNS: Final = FAILED + len(CAUSES)
"""Columns of the series' counts: these four, then drops and failures by cause."""
EMPTY, SERVING, DRAINING = range(3)

STATION: Final = np.dtype(
    [
        ("next_s", "f8"),  # when it must be looked at again
        ("timer_s", "f8"),  # when what waits shall start, while a place is free
        ("expiry_s", "f8"),  # no client of its requests gives up before
        ("head", "i8"),  # of the ring
        ("waiting", "i8"),
        ("waiting_gone", "i8"),  # how many of these, from the head, have no client any more
        ("inside", "i8"),  # waiting and running
        ("gone", "i8"),  # how many of these have no client any more
        ("running", "i8"),  # batches
        ("slot", "i8"),
        ("stream", "u8"),
        ("free_s", "f8"),  # when its last batch ended
        ("answered", "i8"),
        ("batches", "i8"),
        ("busy_s", "f8"),
        ("cpu_s", "f8"),
        ("left_s", "f8"),  # time at the pod of requests that have left it
        ("wait_s", "f8"),
        ("latency_s", "f8"),
    ],
    align=True,
)
RUN: Final = np.dtype([("start_s", "f8"), ("end_s", "f8"), ("cpu_s", "f8"), ("items", "i8")], align=True)
SLOT: Final = np.dtype(
    [
        ("state", "i8"),
        ("generation", "i8"),
        ("server", "i8"),
        ("speed", "f8"),
        ("load", "i8"),  # requests whose client waits
        ("least_stamp", "i8"),  # number of the last change of load
        ("least_place", "i8"),  # in the heap of loads; -1 for not routed
        ("started_s", "f8"),
    ],
    align=True,
)
SERVER: Final = np.dtype(
    [
        ("size_max", "i8"),
        ("gather_max", "i8"),
        ("wait_s_max", "f8"),
        ("queue_max", "i8"),
        ("deadline_s", "f8"),
        ("workers", "i8"),
        ("parallel", "i8"),
        ("law", "i8"),
        ("batch_s", "f8"),
        ("item_s", "f8"),
        ("log_mean", "f8"),  # of a lognormal factor with mean 1
        ("log_deviation", "f8"),
        ("batch_overhead_s", "f8"),
        ("request_overhead_s", "f8"),
        ("pauses", "i8"),  # points of its row of ``pause_s``
        ("first_row", "i8"),
        ("own_cpu", "i8"),  # whether CPU time has a table of its own
    ],
    align=True,
)
CONFIG: Final = np.dtype(
    [
        ("balancing", "i8"),
        ("connections", "i8"),
        ("round_trip_s", "f8"),
        ("jitter_s", "f8"),
        ("per_interval", "f8"),
        ("slo_s", "f8"),
        ("timeout_s", "f8"),
        ("retries_max", "i8"),
        ("retry_causes", "i8"),  # one bit for each
        ("backoff_s", "f8"),
        ("backoff_factor", "f8"),
        ("backoff_s_max", "f8"),
        ("backoff_spread", "f8"),
        ("tracked", "i8"),  # whether clients give up or retry
        ("workers_max", "i8"),
        ("parallel_max", "i8"),
        ("size_max", "i8"),
        ("ring", "i8"),  # capacity, a power of two
        ("plan", "i8"),
        ("first_share", "f8"),
        ("end_s", "f8"),
        ("expiring_max", "i8"),  # requests that one event can fail
    ],
    align=True,
)
WORLD: Final = np.dtype(
    [
        ("segment", "i8"),
        ("time_s", "f8"),  # of the last arrival drawn
        ("left", "i8"),  # arrivals left in the segment
        ("passed", "f8"),
        ("total", "f8"),
        ("entered", "i8"),  # whether the segment has been begun
        ("buffer_next", "i8"),
        ("buffer_end", "i8"),
        ("more", "i8"),  # whether arrivals may follow the buffered ones
        ("arrival_stream", "u8"),
        ("balance_stream", "u8"),
        ("client_stream", "u8"),
        ("turn", "i8"),
        ("routed", "i8"),
        ("retries", "i8"),  # in the heap
        ("retry_number", "i8"),
        ("stamps", "i8"),
        ("arrived", "i8"),
        ("answered", "i8"),
        ("logged", "i8"),
    ],
    align=True,
)
RETRY: Final = np.dtype(
    [("time_s", "f8"), ("number", "i8"), ("first_s", "f8"), ("attempt", "i8")], align=True
)
LOG: Final = np.dtype(
    [("station", "i8"), ("kind", "i8"), ("start_s", "f8"), ("end_s", "f8"), ("items", "i8")], align=True
)
# Numbers with a type of their own: numba compiles a function anew for each plain literal passed to it.
_CAUSE_NUMBERS: Any = np.arange(len(CAUSES))
NONE: Final[Any] = np.int64(0)
ONE: Final[Any] = np.int64(1)
QUEUE_FULL, DEADLINE, LATE, REFUSED, LOST, TIMEOUT, NO_ENDPOINT = _CAUSE_NUMBERS
"""Indices in ``CAUSES``."""
BATCH_STARTED: Final[Any] = np.int64(-1)
"""The log's kind of a batch; any other is an index in ``CAUSES``."""


class Pods(NamedTuple):
    """What there is of each slot and station."""

    slots: Array  # SLOT [slots]
    failed: Array  # int64 [slots, causes]
    latency: Array  # int64 [slots, BUCKETS]
    stations: Array  # STATION [stations]
    runs: Array  # RUN [stations, parallel_max]
    waiting_s: Array  # f8 [stations, ring]: arrival at the server
    waiting_first_s: Array  # f8 [stations, ring], or [stations, 1] where clients are not tracked
    waiting_attempt: Array  # i8, the same
    running_s: Array  # f8 [stations, parallel_max * size_max]
    running_first_s: Array
    running_attempt: Array
    expected: Array  # f8 [stations, 3, classes]: mean, deviation, least time of a batch by size class
    heap: Array  # i8 [stations]: stations by next_s
    heap_time_s: Array  # f8 [stations]: when, by place in the heap
    heap_place: Array  # i8 [stations]
    routed: Array  # i8 [slots]: the first ``world.routed`` are slots, ascending
    least: Array  # i8 [slots]: routed slots as a heap by load


class Fixed(NamedTuple):
    """What never changes, and what does not depend on slots."""

    config: Array  # CONFIG [1]
    world: Array  # WORLD [1]
    servers: Array  # SERVER [servers]
    row: Array  # i8 [servers, size_max + 1]: lower row of ``inverse`` for a size
    share: Array  # f8 [servers, size_max + 1]: share of the row above it
    scale: Array  # f8 [servers, size_max + 1]: beyond the largest measured size
    inverse: Array  # f8 [rows, STEPS + 1]
    cpu_s: Array  # f8 [servers, size_max + 1]
    pause_s: Array  # f8 [servers, points]: ascending from 0
    pause_extra_s: Array  # f8 [servers, points]
    size_class: Array  # i8 [servers, size_max + 1]
    edges_s: Array  # f8 [segments + 1]
    values: Array  # f8 [segments]
    buffer_s: Array  # f8: arrivals drawn ahead
    connection_slot: Array  # i8 [connections]; -1 for none
    connection_generation: Array  # i8 [connections]
    connection_station: Array  # i8 [connections]
    open_latency: Array  # i4 [OPEN_INTERVALS, BUCKETS]
    log: Array  # LOG
    upper_s: Array  # buckets.UPPER_S
    cells: Array  # buckets.CELLS


def pods(servers: tuple[ServerModel, ...], slots: int, *, tracked: bool) -> Pods:
    """Room for so many pods, all empty."""
    workers = max(server.workers for server in servers)
    parallel = max(server.parallel for server in servers)
    size_max = max(server.size_max for server in servers)
    ring = ring_capacity(servers)
    classes = max(len(size_classes(server.size_max)) for server in servers)
    stations = slots * workers
    wide, places = (ring, parallel * size_max) if tracked else (1, 1)
    made = Pods(
        slots=np.zeros(slots, SLOT),
        failed=np.zeros((slots, len(CAUSES)), np.int64),
        latency=np.zeros((slots, BUCKETS), np.int64),
        stations=np.zeros(stations, STATION),
        runs=np.zeros((stations, parallel), RUN),
        waiting_s=np.zeros((stations, ring)),
        waiting_first_s=np.zeros((stations, wide)),
        waiting_attempt=np.zeros((stations, wide), np.int64),
        running_s=np.zeros((stations, parallel * size_max)),
        running_first_s=np.zeros((stations, places)),
        running_attempt=np.zeros((stations, places), np.int64),
        expected=np.zeros((stations, 3, classes)),
        heap=np.arange(stations),
        heap_time_s=np.full(stations, np.inf),
        heap_place=np.arange(stations),
        routed=np.zeros(slots, np.int64),
        least=np.zeros(slots, np.int64),
    )
    made.slots["least_place"] = -1
    made.slots["speed"] = 1.0
    for name in ("next_s", "timer_s", "expiry_s"):
        made.stations[name] = np.inf
    made.stations["slot"] = np.arange(stations) // workers
    return made


def grown(old: Pods, new: Pods) -> Pods:
    """The larger ``new`` with all that ``old`` holds."""
    for name in Pods._fields:
        source = getattr(old, name)
        getattr(new, name)[: len(source)] = source
    return new


def ring_capacity(servers: tuple[ServerModel, ...]) -> int:
    """The least power of two that holds every server's queue."""
    return 1 << (max(server.queue_max for server in servers) - 1).bit_length()
