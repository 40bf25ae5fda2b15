"""The batching policy: take what waits when the model becomes free.

Theory of operation. Requests wait in one queue, in order of arrival. When the model is free, the
oldest request decides: its batch is filled with the requests behind it that may share a batch with
it (same *group*: same tensor shapes and types), up to ``gather_max`` items. Under load, batches form
by themselves while the model is busy, so waiting for company is off by default; ``wait_s_max``
holds a batch that is not full until its oldest member has waited that long.

What always holds, and is tested:

* a batch has at least one and at most ``size_max`` items, all of one group, and more than ``gather_max``
  only when one request alone has more;
* two requests of one *stream* (a connection, a gRPC stream) start in the order they came, even
  when their groups differ: a stream whose request was passed over is not looked at again;
* no request waits past ``wait_s_max`` while the model is free;
* the queue never holds more than ``queue_max`` requests;
* what is expected to miss its deadline is refused on arrival, and not computed while something waits that
  will meet its own.

Expectations are learnt from batches that ran, so something must always run: a free model with an empty
queue takes what the *shortest* time ever seen would answer in time, and when all that waits is late by
the mean, what could still be in time is tried. Otherwise one slow spell would refuse everything for ever.

Nothing here reads a clock: every entry takes ``now_s``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from tonnage.batching.service_times import ServiceTimes

LOOK_AHEAD_MAX = 1024
"""Requests looked at for one batch when shapes are mixed; bounds the time of one decision."""


class Request(Protocol):
    """What the policy sees of a request.

    Attributes:
        items: Rows along the batch dimension [1 to size_max].
        group: Requests with equal groups may share a batch.
        stream: Requests of one stream keep their order.
        arrived_s: When it arrived [s].
        deadline_s: When its answer is worthless [s]; ``math.inf`` for never.
    """

    items: int
    group: Hashable
    stream: Hashable
    arrived_s: float
    deadline_s: float


R = TypeVar("R", bound=Request)


class Refusal(Enum):
    """Why a request was not taken in, or was dropped."""

    QUEUE_FULL = "queue_full"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class Limits:
    """The policy's settings.

    Attributes:
        size_max: Items in one batch at most [>= 1].
        wait_s_max: How long the oldest request may wait for company [s, >= 0].
        queue_max: Requests that may wait [>= 1].
        gather_max: Items up to which requests are gathered [1 to size_max]; None for size_max.
    """

    size_max: int
    wait_s_max: float = 0.0
    queue_max: int = 4096
    gather_max: int | None = None

    def __post_init__(self) -> None:
        if self.size_max < 1:
            raise ValueError(f"size_max: must be >= 1, got {self.size_max}")
        if not (self.wait_s_max >= 0 and math.isfinite(self.wait_s_max)):
            raise ValueError(f"wait_s_max: must be >= 0 and finite, got {self.wait_s_max}")
        if self.queue_max < 1:
            raise ValueError(f"queue_max: must be >= 1, got {self.queue_max}")
        if self.gather_max is not None and not 1 <= self.gather_max <= self.size_max:
            raise ValueError(f"gather_max: must be 1 to {self.size_max}, got {self.gather_max}")


@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """Run these now.

    Attributes:
        requests: In order of arrival; may be empty when all that waited was late.
        late: Requests whose deadline can no longer be met; answer them with a refusal.
    """

    requests: list[R]
    late: list[R]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to run before ``until_s``, unless a request arrives earlier."""

    until_s: float


class BatchQueue(Generic[R]):
    """Waiting requests of one model, and the decision which of them run next.

    Args:
        limits: Sizes and times.
        times: What is known of service times; shared with whoever observes them.
    """

    __slots__ = ("_gather_max", "_groups", "_items", "_limits", "_queue", "_times")

    def __init__(self, limits: Limits, times: ServiceTimes) -> None:
        self._limits = limits
        self._gather_max = limits.gather_max or limits.size_max
        self._times = times
        self._queue: deque[R] = deque()
        self._items = 0
        # how many waiting requests each group has; one group is the common case and is fast
        self._groups: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def items(self) -> int:
        """Items of all waiting requests."""
        return self._items

    def until_answered(self, items: int, free_s: float | None = None) -> float:
        """How long a request that comes now would take to be answered, all but surely [s].

        Args:
            items: Its items.
            free_s: How long the model is still expected to be busy [s, >= 0]; None when it is free.
        """
        if free_s is None:
            if not self._queue:
                return self._times.least(items)
            free_s = 0.0
        return free_s + self._times.until_answered(self._items, items, self._gather_max)

    def offer(self, request: R, now_s: float, free_s: float | None = None) -> Refusal | None:
        """Take a request in, or say why not.

        Args:
            request: It; ``request.items`` must not exceed ``size_max``.
            now_s: The time.
            free_s: How long the model is still expected to be busy [s, >= 0]; None when it is free.

        Returns:
            None when it waits now; else the reason, with nothing changed.
        """
        if len(self._queue) >= self._limits.queue_max:
            return Refusal.QUEUE_FULL
        items = request.items
        if request.deadline_s != math.inf and now_s + self.until_answered(items, free_s) > request.deadline_s:
            return Refusal.DEADLINE
        self._queue.append(request)
        self._items += items
        groups = self._groups
        group = request.group
        groups[group] = groups.get(group, 0) + 1
        return None

    def take(self, now_s: float) -> Batch[R] | Wait | None:
        """What a free model should do now.

        Returns:
            A batch, a time to wait until, or None when nothing waits.
        """
        queue = self._queue
        if not queue:
            return None
        wait_s_max = self._limits.wait_s_max
        if wait_s_max > 0.0:
            until_s = queue[0].arrived_s + wait_s_max
            if now_s < until_s and not self._full():
                return Wait(until_s)
        if len(self._groups) == 1:
            return self._take_front(now_s)
        return self._take_mixed(now_s)

    def expire(self, now_s: float) -> list[R]:
        """Remove and return what waits past its deadline, in order; for a model that does not answer."""
        if not any(request.deadline_s <= now_s for request in self._queue):
            return []
        late = [request for request in self._queue if request.deadline_s <= now_s]
        self._replace([request for request in self._queue if request.deadline_s > now_s])
        return late

    def clear(self) -> list[R]:
        """Remove and return everything that waits."""
        waiting = list(self._queue)
        self._replace([])
        return waiting

    def _full(self) -> bool:
        """Whether more company could not enlarge the oldest request's batch."""
        if self._items < self._gather_max:
            return False
        if len(self._groups) == 1:
            return True
        group = self._queue[0].group
        return sum(r.items for r in self._queue if r.group == group) >= self._gather_max

    def _take_front(self, now_s: float) -> Batch[R]:
        """All waiting requests share one group: the batch is the front of the queue."""
        queue = self._queue
        gather_max = self._gather_max
        # late is judged by what a batch this large is expected to take
        must_end_s = now_s + self._times.of(min(self._items, gather_max))
        requests: list[R] = []
        late: list[R] = []
        items = gone = 0
        while queue:
            request = queue[0]
            if requests and items + request.items > gather_max:
                break
            queue.popleft()
            if request.deadline_s < must_end_s:
                late.append(request)
                gone += request.items
                continue
            requests.append(request)
            items += request.items
        self._items -= items + gone
        group = (requests or late)[0].group
        left = len(queue)
        if left:
            self._groups[group] = left
        else:
            self._groups.clear()
        return Batch(requests, late) if requests else self._possible(late, now_s)

    def _take_mixed(self, now_s: float) -> Batch[R]:
        """Several groups wait: the oldest request's group, without overtaking inside a stream."""
        queue = self._queue
        gather_max = self._gather_max
        group = queue[0].group
        must_end_s = now_s + self._times.of(min(self._items, gather_max))
        requests: list[R] = []
        late: list[R] = []
        left: list[R] = []
        passed_over: set[Hashable] = set()
        items = looked = 0
        while queue and items < gather_max and looked < LOOK_AHEAD_MAX:
            looked += 1
            request = queue.popleft()
            if request.deadline_s < must_end_s:
                late.append(request)
                self._forget(request)
            elif (
                request.group == group
                and (not requests or items + request.items <= gather_max)
                and request.stream not in passed_over
            ):
                requests.append(request)
                items += request.items
                self._forget(request)
            else:
                passed_over.add(request.stream)
                left.append(request)
        queue.extendleft(reversed(left))
        return Batch(requests, late) if requests or left else self._possible(late, now_s)

    def _possible(self, late: list[R], now_s: float) -> Batch[R]:
        """Of what is late by the mean, a batch that may be in time if it is as fast as ever."""
        requests: list[R] = []
        too_late: list[R] = []
        items = 0
        for request in late:
            fits = not requests or (
                request.group == requests[0].group and items + request.items <= self._gather_max
            )
            if fits and request.deadline_s >= now_s + self._times.least(items + request.items):
                requests.append(request)
                items += request.items
            else:
                too_late.append(request)
        return Batch(requests, too_late)

    def _forget(self, request: R) -> None:
        self._items -= request.items
        count = self._groups[request.group] - 1
        if count:
            self._groups[request.group] = count
        else:
            del self._groups[request.group]

    def _replace(self, requests: list[R]) -> None:
        self._queue = deque(requests)
        self._items = sum(request.items for request in requests)
        self._groups = {}
        for request in requests:
            self._groups[request.group] = self._groups.get(request.group, 0) + 1
