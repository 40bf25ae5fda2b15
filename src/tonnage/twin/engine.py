"""Virtual time: a heap of actions, run in the order of their time, their priority and their number.

Time is whole nanoseconds, so that sums of seconds never disagree about what is simultaneous; it moves only in
``run``, and only forward. Actions at one instant run by priority (the table is in ``events``), then in the
order in which they were planned. An action may plan others, at once or later, and may cancel what it planned.
Nothing here knows what the actions do.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from tonnage.errors import BugError
from tonnage.units import NANOSECONDS_PER_SECOND

ACTIONS_PER_INSTANT_MAX: Final = 1_000_000
"""More actions without time passing are an error of a loop, not a scenario."""

Action = Callable[[], None]


class Ticket:
    """A planned action, for the one who may want to cancel it."""

    __slots__ = ("action",)

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    @property
    def waiting(self) -> bool:
        """Whether it has neither run nor been cancelled."""
        return self.action is not None

    def cancel(self) -> None:
        """Make it not happen; nothing changes when it already did."""
        self.action = None


class Engine:
    """The clock and what is planned."""

    __slots__ = ("_done", "_heap", "_now_ns", "_number")

    def __init__(self) -> None:
        self._now_ns = 0
        self._number = 0
        self._done = 0
        self._heap: list[tuple[int, int, int, Ticket]] = []

    @property
    def now_s(self) -> float:
        """The time [s]."""
        return self._now_ns / NANOSECONDS_PER_SECOND

    @property
    def actions_done(self) -> int:
        """How many actions have run."""
        return self._done

    @property
    def planned(self) -> int:
        """Entries of the heap, cancelled ones included."""
        return len(self._heap)

    def at(self, time_s: float, priority: int, action: Action) -> Ticket:
        """Plan an action.

        Args:
            time_s: When [s]; what lies in the past happens now.
            priority: Its place among the actions of that instant; smaller is earlier.
            action: It.
        """
        time_ns = max(round(time_s * NANOSECONDS_PER_SECOND), self._now_ns)
        ticket = Ticket(action)
        self._number += 1
        heapq.heappush(self._heap, (time_ns, priority, self._number, ticket))
        return ticket

    def after(self, delay_s: float, priority: int, action: Action) -> Ticket:
        """Plan an action for later.

        Args:
            delay_s: From now [s, >= 0].
            priority: Its place among the actions of that instant.
            action: It.
        """
        time_ns = self._now_ns + max(round(delay_s * NANOSECONDS_PER_SECOND), 0)
        ticket = Ticket(action)
        self._number += 1
        heapq.heappush(self._heap, (time_ns, priority, self._number, ticket))
        return ticket

    def run(self, until_s: float) -> None:
        """Run what is planned up to and including a time, which is the time afterwards.

        Args:
            until_s: The time [s].

        Raises:
            BugError: Time stands still.
        """
        until_ns = round(until_s * NANOSECONDS_PER_SECOND)
        heap = self._heap
        instant = self._done
        while heap and heap[0][0] <= until_ns:
            time_ns, _, _, ticket = heapq.heappop(heap)
            action = ticket.action
            if action is None:
                continue
            ticket.action = None
            if time_ns != self._now_ns:
                self._now_ns, instant = time_ns, self._done
            elif self._done - instant > ACTIONS_PER_INSTANT_MAX:
                raise BugError(f"time stands still at {self.now_s} s: {action}")
            self._done += 1
            action()
        self._now_ns = max(self._now_ns, until_ns)
