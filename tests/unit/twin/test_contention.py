"""Shares of CPU and memory on a node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.models import contention
from tonnage.twin.models.contention import Demand, MemoryUse

GI = 1 << 30

demands = st.lists(
    st.builds(
        Demand,
        want_cores=st.floats(0, 16),
        request_cores=st.none() | st.floats(0, 8),
        limit_cores=st.none() | st.floats(0.1, 8),
    ),
    min_size=1,
    max_size=8,
)


@given(demands, st.floats(0.5, 32))
def test_shares_are_fair(wanted, cores):
    """Nobody gets more than it wants or may; all is given out that is wanted; who is short has its part by weight."""
    got = contention.shared(wanted, cores)
    bounds = [demand.bounded_cores for demand in wanted]
    assert all(part <= bound + 1e-9 for part, bound in zip(got, bounds, strict=True))
    assert sum(got) == pytest.approx(min(cores, sum(bounds)))
    short = [(part / d.shares) for part, d, b in zip(got, wanted, bounds, strict=True) if part < b - 1e-6]
    full = [(part / d.shares) for part, d, b in zip(got, wanted, bounds, strict=True) if part >= b - 1e-6]
    if short:
        assert max(short) == pytest.approx(min(short), rel=1e-6)
        assert all(unit <= max(short) * (1 + 1e-6) for unit in full)


def test_no_limit_takes_what_is_free_and_no_more():
    """A batch job without limits on an idle node has it all; beside a busy one with the same request, half."""
    greedy = Demand(16.0, 1.0)
    assert contention.shared([greedy], 4.0) == [4.0]
    assert contention.shared([greedy, Demand(4.0, 1.0)], 4.0) == [2.0, 2.0]
    assert contention.shared([greedy, Demand(0.5, 1.0)], 4.0) == pytest.approx([3.5, 0.5])


def test_a_limit_protects_the_neighbours():
    """What the limit keeps from one goes to the others."""
    assert contention.shared([Demand(16.0, 1.0, 1.0), Demand(4.0, 1.0)], 4.0) == [1.0, 3.0]


def test_a_container_without_a_request_has_next_to_no_weight():
    """Two shares against 1,024."""
    got = contention.shared([Demand(4.0), Demand(4.0, 1.0)], 4.0)
    assert got[0] == pytest.approx(4.0 * 2 / 1026)


def test_speed_follows_the_share_as_far_as_the_cpu_matters():
    """Half the CPU halves the speed of what only computes, and leaves alone what waits for a GPU."""
    assert contention.speed(0.5, 1.0) == pytest.approx(0.5)
    assert contention.speed(0.5, 0.0) == 1.0
    assert contention.speed(0.5, 0.5) == pytest.approx(1 / 1.5)
    assert contention.speed(1.0, 1.0) == 1.0


def use(name, used, request=None, limit=None, *, cpu=False, priority=0):
    """A container's memory in Gi."""
    return MemoryUse(
        name, used * GI, None if request is None else int(request * GI), None if limit is None else int(limit * GI),
        cpu, priority,
    )


def test_oom_score_adjustments():
    """GetContainerOOMScoreAdjust: guaranteed -997, best effort 1000, else the requested part protects."""
    assert contention.oom_adjustment(use("g", 1, 2, 2, cpu=True), 16 * GI) == -997
    assert contention.oom_adjustment(use("b", 1), 16 * GI) == 1000
    assert contention.oom_adjustment(use("h", 1, 8), 16 * GI) == 500
    assert contention.oom_adjustment(use("t", 1, 0.001), 16 * GI) == 999
    assert contention.oom_adjustment(use("w", 1, 16), 16 * GI) == 3


def test_the_kernel_kills_by_score_when_nothing_is_left():
    """Best effort goes before what requested its memory, even when it uses less."""
    uses = [use("asked", 10, 12), use("never-asked", 7)]
    assert contention.oom_victim(uses, 16 * GI) == "never-asked"
    assert contention.oom_victim(uses, 32 * GI) is None


def test_the_kubelet_evicts_by_request_priority_and_excess():
    """rankMemoryPressure: beyond the request first, then low priority, then the largest excess."""
    within = use("within", 9, 10)
    small = use("small-excess", 2, 1)
    large = use("large-excess", 4, 1)
    important = use("important", 0.95, 0.1, priority=1000)
    node = 16 * GI
    assert contention.eviction_victim([within, small, large, important], node) == "large-excess"
    assert contention.eviction_victim([within, important, use("x", 6, 6)], node) == "important"
    assert contention.eviction_victim([within], node) is None
