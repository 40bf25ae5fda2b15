"""When there are too many connections the one that is missed least leaves, and probes always get in."""

from __future__ import annotations

import resource

from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.http.crowd import (
    DESCRIPTORS_RESERVED,
    GUESTS_MAX,
    IDLE_S_MIN,
    Crowd,
    connections_possible,
)


class Member:
    def __init__(self, idle_since_s: float | None) -> None:
        self.since_s, self.left, self.aborted = idle_since_s, False, False

    def idle_since_s(self) -> float | None:
        return None if self.left else self.since_s

    def leave(self) -> None:
        self.left = True

    def abort(self) -> None:
        self.aborted = True


NOW_S = 1000.0


@given(st.lists(st.none() | st.floats(0.0, NOW_S), min_size=3, max_size=20))
def test_the_longest_idle_makes_room(since):
    """Who leaves has been idle for longest and for long enough; where nobody has, the new one is a guest."""
    members = [Member(one) for one in since]
    newcomer = Member(NOW_S)
    admitted = Crowd(len(members)).admit(newcomer, members, NOW_S)
    left = [one for one in members if one.left]
    may_leave = [one for one in since if one is not None and NOW_S - one >= IDLE_S_MIN]
    assert admitted is bool(may_leave)
    assert [one.since_s for one in left] == ([min(may_leave)] if may_leave else [])
    assert not newcomer.left


def test_below_the_limit_nobody_leaves():
    """There is room for as many as the limit says."""
    member = Member(0.0)
    assert Crowd(2).admit(Member(NOW_S), [member], NOW_S)
    assert not member.left


def test_who_has_asked_since_the_search_stays():
    """A connection that was idle when all were looked through and is not any more keeps its place."""
    one, two, three = Member(1.0), Member(2.0), Member(3.0)
    crowd = Crowd(3)
    assert crowd.admit(Member(NOW_S), [one, two, three], NOW_S)
    two.since_s = NOW_S
    assert crowd.admit(Member(NOW_S), [one, two, three], NOW_S)
    assert (one.left, two.left, three.left) == (True, False, True)


def test_guests_are_few():
    """Beyond the limit and with everybody busy, the oldest guest leaves for the next."""
    busy, crowd = [Member(None)], Crowd(1)
    guests = [Member(NOW_S) for _ in range(GUESTS_MAX + 3)]
    for guest in guests:
        assert not crowd.admit(guest, busy, NOW_S)
    assert [guest.aborted for guest in guests] == [True] * 3 + [False] * GUESTS_MAX


def test_connections_fit_into_the_descriptors(monkeypatch):
    """The limit is raised as far as it may be and needs to be; connections are as many as fit into it."""
    limits = {"now": (256, 1024)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.update(now=given))
    assert connections_possible(100) == 100
    assert limits["now"] == (100 + DESCRIPTORS_RESERVED, 1024)
    assert connections_possible(10_000) == 1024 - DESCRIPTORS_RESERVED
    assert limits["now"] == (1024, 1024)
