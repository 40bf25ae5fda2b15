"""Who leaves when there are too many connections.

A connection between two requests costs its client nothing to lose, so the one that has been silent for
longest makes room for a new one. Where all are busy the new one is let in beyond the limit, for health
and metrics only, so that probes still see an overloaded server live; of such guests there are few, and
the oldest leaves for the next.
"""

from __future__ import annotations

import math
import resource
from collections import deque
from collections.abc import Collection
from typing import Protocol

GUESTS_MAX = 64
"""Connections beyond the limit."""
DESCRIPTORS_RESERVED = GUESTS_MAX + 192
"""Kept for guests, listening sockets, gRPC and whatever the model opens."""
IDLE_S_MIN = 1.0
"""How long a connection must have been silent: a new one's first request may be on its way."""
SEARCH_PERIOD_S = 0.1
"""How often all connections are looked through at most; each search finds everyone that may leave."""


class Member(Protocol):
    """A connection, as far as its place is concerned."""

    def idle_since_s(self) -> float | None:
        """Since when it has been between two requests [s, monotonic]; None while it is not."""

    def leave(self) -> None:
        """Close, as the client expects of an idle connection."""

    def abort(self) -> None:
        """End at once."""


class Crowd:
    """The places of one worker.

    Args:
        connections_max: How many there are.
    """

    def __init__(self, connections_max: int) -> None:
        self.connections_max = connections_max
        self._idle: deque[tuple[float, Member]] = deque()  # longest idle first, as of the last search
        self._searched_s = -math.inf
        self._guests: deque[Member] = deque()

    def admit(self, newcomer: Member, present: Collection[Member], now_s: float) -> bool:
        """Find a place for a new connection.

        Args:
            newcomer: It; not yet among those present.
            present: The open ones.
            now_s: The time.

        Returns:
            Whether it has one; False for a guest.
        """
        if len(present) < self.connections_max or self._make_room(present, now_s):
            return True
        if len(self._guests) >= GUESTS_MAX:
            self._guests.popleft().abort()  # does nothing where it has gone by itself
        self._guests.append(newcomer)
        return False

    def _make_room(self, present: Collection[Member], now_s: float) -> bool:
        if not self._idle and now_s - self._searched_s >= SEARCH_PERIOD_S:
            self._searched_s = now_s
            found = [(since_s, one) for one in present if (since_s := one.idle_since_s()) is not None]
            found = [entry for entry in found if now_s - entry[0] >= IDLE_S_MIN]
            self._idle.extend(sorted(found, key=lambda entry: entry[0]))
        while self._idle:
            since_s, one = self._idle.popleft()
            if one.idle_since_s() == since_s:  # it has not asked meanwhile
                one.leave()
                return True
        return False


def connections_possible(connections_max: int) -> int:
    """How many connections the process can hold, up to ``connections_max``; raises its own limit for them.

    Past the limit of descriptors the kernel refuses every connection, a probe's among them.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections_max + DESCRIPTORS_RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY:
        return connections_max
    return max(1, min(connections_max, soft - DESCRIPTORS_RESERVED))
