"""The world of requests: clients, balancer and pods between two control events.

Theory of operation. The state is a handful of numpy arrays; ``advance`` hands them to the compiled kernel,
which plays every request up to a time and leaves the state there. Whoever controls the pods changes the
world between two calls. All randomness is counted per stream (arrivals, balancing, clients, each worker
of each pod), so that what happens does not depend on how often ``advance`` stops, nor on cores.

Order at equal times: a change made at T (between two calls) comes before every request event at T, since
``advance(T)`` plays what lies before T and not at it; then, for each pod, batches that end, timeouts,
batches that start; then retries; then arrivals.
"""

from __future__ import annotations

import math

import numpy as np

from tonnage.twin.requests import reading, rng
from tonnage.twin.requests.building import POD, expected_at_first, fixed
from tonnage.twin.requests.model import (
    CAUSES,
    SLOTS_MAX,
    Balancing,
    ClientModel,
    RequestConfig,
    ServerModel,
    refuse_unless,
)
from tonnage.twin.requests.plan import ArrivalPlan
from tonnage.twin.requests.play import DONE, KERNEL, MORE_ARRIVALS
from tonnage.twin.requests.recording import Recording
from tonnage.twin.requests.results import Balance, IntArray, LoggedBatch, Series, SlotTotals, SlotWindow
from tonnage.twin.requests.state import DRAINING, EMPTY, RETRY, SERVING, Array, grown, pods


class RequestWorld:
    """All requests of one service.

    Args:
        config: Balancing, network and recording.
        servers: Kinds of pods; ``start`` names one by its index. At least one.
        arrivals: When requests come; a plan of kind ``times`` is used up.
        client: What clients do about failures.
        slots_max: Slots to begin with [>= 1]; more are made when a higher one is started.
        seed: Decides everything random [>= 0].

    Attributes:
        now_s: Up to where time has been played [s]; events at exactly this time are still to come.
    """

    now_s: float

    def __init__(
        self,
        config: RequestConfig,
        servers: tuple[ServerModel, ...],
        arrivals: ArrivalPlan,
        client: ClientModel | None = None,
        *,
        slots_max: int = 16,
        seed: int = 0,
    ) -> None:
        refuse_unless(
            ("servers", len(servers), len(servers) >= 1, "at least one"),
            ("slots_max", slots_max, 1 <= slots_max <= SLOTS_MAX, f"1 to {SLOTS_MAX}"),
            ("seed", seed, 0 <= seed < 1 << 64, "0 to 2**64 - 1"),
        )
        client = client or ClientModel()
        self.now_s = 0.0
        self._servers = servers
        self._seed = seed
        self._chunks = arrivals.chunks() if arrivals.chunks is not None else None
        self._eager = client.retries_max > 0 or config.balancing is Balancing.LEAST_REQUEST
        self._fixed = fixed(config, client, servers, arrivals, seed)
        self._tracked = bool(self._fixed.config[0]["tracked"])
        self._pods = pods(servers, slots_max, tracked=self._tracked)
        self._retries: Array = np.zeros(1, RETRY)
        self._recording = Recording(config.interval_s)
        self._read: dict[int, SlotTotals] = {}

    def start(self, slot: int, server: int = 0, *, speed: float = 1.0) -> None:
        """A pod begins to serve in a slot, with nothing known of the pod that was there before.

        Args:
            slot: An empty slot [0 to SLOTS_MAX - 1]; the world grows where it has no such slot yet.
            server: Index in ``servers``.
            speed: Work done in a second over that of the model as measured [> 0].

        Raises:
            ValueError: The slot has a pod, or an argument is out of its range.
        """
        if not 0 <= server < len(self._servers):
            raise ValueError(f"server: must be 0 to {len(self._servers) - 1}, got {server}")
        _check_speed(speed)
        self._make_room(slot)
        row = self._pods.slots[slot]
        if row["state"] != EMPTY:
            raise ValueError(f"slot: must be one without a pod, got {slot}")
        row["state"], row["server"], row["speed"], row["started_s"] = SERVING, server, speed, self.now_s
        row["generation"] += 1
        self._pods.failed[slot] = 0
        self._pods.latency[slot] = 0
        self._read.pop(slot, None)
        expected = expected_at_first(self._servers[server], self._pods.expected.shape[2])
        for s in self._stations(slot):
            station = self._pods.stations[s]
            for name in ("answered", "batches", "busy_s", "cpu_s", "left_s", "wait_s", "latency_s"):
                station[name] = 0
            station["stream"] = rng.key(self._seed, POD, s, int(row["generation"]))
            self._pods.expected[s] = expected

    def set_routed(self, slot: int, routed: bool) -> None:
        """Put a slot into, or take it out of, the endpoints that the balancer knows.

        The two lists are not tied: a routed slot without a pod refuses connections (``Cause.REFUSED``),
        and an unrouted one keeps its kept-alive connections.

        Raises:
            ValueError: There can be no such slot.
        """
        self._make_room(slot)
        slots, world = self._pods.slots, self._fixed.world[0]
        if (slots["least_place"][slot] >= 0) == routed:
            return
        slots["least_place"][slot] = 0 if routed else -1
        members = np.flatnonzero(slots["least_place"] >= 0)
        world["routed"] = members.size
        self._pods.routed[: members.size] = members
        # in order, and so a heap
        by_load = members[np.lexsort((slots["least_stamp"][members], slots["load"][members]))]
        self._pods.least[: members.size] = by_load
        slots["least_place"][by_load] = np.arange(members.size)

    def drain(self, slot: int) -> None:
        """The pod takes no new requests (``Cause.REFUSED``), closes its connections, and ends what it has.

        Raises:
            ValueError: The slot has no pod.
        """
        self._check_pod(slot)
        self._pods.slots["state"][slot] = DRAINING

    def kill(self, slot: int) -> int:
        """The pod is gone; what it had is lost (``Cause.LOST``). Returns how many requests that were.

        Its totals can be read until the slot is started again.

        Raises:
            ValueError: The slot has no pod.
        """
        self._check_pod(slot)
        self._recording.reserve(self.now_s)
        self._reserve_retries(self.in_flight(slot) + 1)
        counts = self._recording.counts
        return int(KERNEL.kill(self._fixed, self._pods, counts, self._retries, slot, self.now_s))

    def set_speed(self, slot: int, speed: float) -> None:
        """Change how fast a pod works, running batches included.

        Raises:
            ValueError: The slot has no pod, or ``speed`` is not above 0 and finite.
        """
        _check_speed(speed)
        self._check_pod(slot)
        row = self._pods.slots[slot]
        slower = float(row["speed"]) / speed
        row["speed"] = speed
        for s in self._stations(slot):
            station, runs = self._pods.stations[s], self._pods.runs[s]
            running = runs["items"] > 0
            if slower == 1.0 or not running.any():
                continue
            runs["end_s"][running] = self.now_s + (runs["end_s"][running] - self.now_s) * slower
            ends_s = float(runs["end_s"][running].min())
            station["next_s"] = min(float(station["timer_s"]), float(station["expiry_s"]), ends_s)
        self._sort_events()

    def advance(self, until_s: float) -> None:
        """Play every event before ``until_s``.

        Args:
            until_s: Where to stop [s, >= now_s, finite].

        Raises:
            ValueError: It is out of its range.
        """
        if not self.now_s <= until_s < math.inf:
            raise ValueError(f"until_s: must be >= {self.now_s} and finite, got {until_s}")
        play = KERNEL.eager if self._eager else KERNEL.lazy
        recording = self._recording
        while self.now_s < until_s:
            stop_s = float(min(until_s, recording.open_until_s(self.now_s)))
            recording.reserve(stop_s)
            while True:
                code = play(self._fixed, self._pods, recording.counts, self._retries, stop_s)
                if code == DONE:
                    break
                if code == MORE_ARRIVALS:
                    self._next_chunk()
                else:
                    self._reserve_retries(int(self._fixed.config[0]["expiring_max"]))
            recording.close(self._fixed.open_latency, stop_s)
            self.now_s = stop_s

    def in_flight(self, slot: int) -> int:
        """Requests at the pod, waiting and running; those whose client has gone included."""
        return int(self._pods.stations["inside"][self._stations(slot)].sum())

    def is_serving(self, slot: int) -> bool:
        """Whether the slot has a pod, draining or not."""
        return 0 <= slot < len(self._pods.slots) and bool(self._pods.slots["state"][slot] != EMPTY)

    def read_slot(self, slot: int) -> SlotWindow:
        """What the pod did since the last ``read_slot`` of this slot, and since it started.

        Raises:
            ValueError: The slot has never had a pod.
        """
        self._check_used(slot)
        total, in_flight, waiting = reading.slot_totals(self._fixed, self._pods, slot, self.now_s)
        earlier = self._read.get(slot) or SlotTotals.none(float(self._pods.slots["started_s"][slot]))
        self._read[slot] = total
        return SlotWindow(total, total.since(earlier), in_flight, waiting)

    def totals(self, slot: int) -> SlotTotals:
        """What the pod did since it started; moves no window, so that several readers may have their own.

        Raises:
            ValueError: The slot has never had a pod.
        """
        self._check_used(slot)
        return reading.slot_totals(self._fixed, self._pods, slot, self.now_s)[0]

    def series(self) -> Series:
        """What clients saw in each interval up to now."""
        return self._recording.series(self.now_s, self._fixed.open_latency)

    def latency_between(self, from_s: float, until_s: float) -> IntArray:
        """Client-observed latencies of the intervals that touch [from_s, until_s) as bucket counts."""
        first, end = self._recording.row(from_s), self._recording.row(np.nextafter(until_s, -math.inf)) + 1
        return self._recording.latency_of(first, end, self._fixed.open_latency)

    def balance(self) -> Balance:
        """Where all requests are now."""
        return reading.balance(self._fixed, self._pods, self._recording.counts)

    def batch_log(self) -> tuple[LoggedBatch, ...]:
        """The first ``batch_log_max`` batches and refusals, in order for each pod, not among pods."""
        lines = self._fixed.log[: int(self._fixed.world[0]["logged"])]
        workers = int(self._fixed.config[0]["workers_max"])
        return tuple(
            LoggedBatch(int(s) // workers, int(s) % workers, CAUSES[kind] if kind >= 0 else None, *rest)
            for s, kind, *rest in lines.tolist()
        )

    def digest(self) -> str:
        """A digest of everything that happened and of all that is under way, in hexadecimal digits.

        Equal for equal arguments, changes and times of changes, however ``advance`` was split.
        """
        recording = self._recording
        rows = recording.row(self.now_s) + 1
        latency = recording.total + self._fixed.open_latency.sum(axis=0, dtype=np.int64)
        parts = (np.array(self.now_s), recording.counts[:rows], latency)
        return reading.digest(self._fixed, self._pods, self._retries, parts)

    def _stations(self, slot: int) -> range:
        workers = int(self._fixed.config[0]["workers_max"])
        return range(slot * workers, (slot + 1) * workers)

    def _check_pod(self, slot: int) -> None:
        if not self.is_serving(slot):
            raise ValueError(f"slot: must be one with a pod, got {slot}")

    def _check_used(self, slot: int) -> None:
        if not 0 <= slot < len(self._pods.slots) or self._pods.slots["generation"][slot] == 0:
            raise ValueError(f"slot: must be one that has had a pod, got {slot}")

    def _make_room(self, slot: int) -> None:
        """Grow until there is such a slot."""
        if not 0 <= slot < SLOTS_MAX:
            raise ValueError(f"slot: must be 0 to {SLOTS_MAX - 1}, got {slot}")
        have = len(self._pods.slots)
        if slot >= have:
            larger = pods(self._servers, min(SLOTS_MAX, max(slot + 1, 2 * have)), tracked=self._tracked)
            self._pods = grown(self._pods, larger)
            self._sort_events()

    def _sort_events(self) -> None:
        """Order the heap of stations anew; what is in order is a heap."""
        order = np.argsort(self._pods.stations["next_s"], kind="stable")
        self._pods.heap[:] = order
        self._pods.heap_time_s[:] = self._pods.stations["next_s"][order]
        self._pods.heap_place[order] = np.arange(order.size)

    def _reserve_retries(self, count: int) -> None:
        """Make room for so many more retries, and one of scratch."""
        need = int(self._fixed.world[0]["retries"]) + count + 1
        if need > len(self._retries):
            larger = np.zeros(2 * need, RETRY)
            larger[: len(self._retries)] = self._retries
            self._retries = larger

    def _next_chunk(self) -> None:
        """Hand the kernel the next recorded arrivals."""
        world = self._fixed.world[0]
        times_s = next(self._chunks, None) if self._chunks is not None else None
        if times_s is None:
            world["more"] = 0
            return
        times_s = times_s[times_s < self._fixed.config[0]["end_s"]]
        self._fixed = self._fixed._replace(buffer_s=np.array(times_s, dtype=np.float64))
        world["buffer_next"], world["buffer_end"] = 0, times_s.size


def _check_speed(speed: float) -> None:
    if not 0 < speed < math.inf:
        raise ValueError(f"speed: must be > 0 and finite, got {speed}")
