"""Which pods a ReplicaSet deletes first, by upstream's table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.models.replica_set import BURST_REPLICAS, Candidate, change, victims

NOW_S = 100_000_000.0
HOUR_S = 3600.0
MONTH_S = 30 * 24 * HOUR_S


def pod(number, node="node", phase="Running", ready=True, since_s=NOW_S, created_s=NOW_S, restarts=0, cost=0):
    """A pod as upstream's helper makes it."""
    return Candidate(number, node, phase, ready, since_s if ready else None, created_s, restarts, cost)


def first_of(lesser, lesser_rank, greater, greater_rank):
    """Which of two goes first, each with so many pods on its node."""
    related = [one for candidate, rank in ((lesser, lesser_rank), (greater, greater_rank)) for one in [candidate.node] * rank]
    return victims([lesser, greater], related, 1, NOW_S)[0]


UNSCHEDULED = pod(1, node=None, phase="Pending", ready=False)
PENDING = pod(2, node="a", phase="Pending", ready=False)
UNKNOWN = pod(3, node="b", phase="Unknown", ready=False)
NOT_READY = pod(4, node="c", ready=False)
READY_NOW = pod(5, node="d")
READY_LONG = pod(6, node="e", since_s=NOW_S - MONTH_S, created_s=NOW_S - MONTH_S)
RESTARTED = pod(7, node="f", restarts=9001)
CREATED_LONG_AGO = pod(8, node="g", created_s=NOW_S - MONTH_S)
CHEAP = pod(9, node="h", created_s=NOW_S - MONTH_S, cost=10)
DEAR = pod(10, node="i", created_s=NOW_S - MONTH_S, cost=100)
READY_2H = pod(11, node="j", since_s=NOW_S - 2 * HOUR_S, created_s=NOW_S - MONTH_S)
READY_5H = pod(12, node="k", since_s=NOW_S - 5 * HOUR_S, created_s=NOW_S - MONTH_S)


@pytest.mark.parametrize(
    ("lesser", "lesser_rank", "greater", "greater_rank"),
    [
        (UNSCHEDULED, 1, PENDING, 2),
        (UNSCHEDULED, 2, PENDING, 1),
        (PENDING, 1, UNKNOWN, 2),
        (UNKNOWN, 1, NOT_READY, 2),
        (NOT_READY, 1, READY_NOW, 1),
        (READY_NOW, 1, READY_LONG, 1),
        (READY_NOW, 2, READY_LONG, 1),
        (RESTARTED, 1, READY_NOW, 1),
        (READY_NOW, 2, RESTARTED, 1),
        (READY_NOW, 1, CREATED_LONG_AGO, 1),
        (CREATED_LONG_AGO, 2, READY_NOW, 1),
        (CHEAP, 2, DEAR, 1),
        (READY_2H, 1, READY_5H, 1),
    ],
)
def test_sorting_active_pods_with_ranks(lesser, lesser_rank, greater, greater_rank):
    """TestSortingActivePodsWithRanks: the lesser one goes, in whatever order they stand."""
    assert first_of(lesser, lesser_rank, greater, greater_rank) == lesser.number
    assert first_of(greater, greater_rank, lesser, lesser_rank) == lesser.number


def test_almost_equal_ages_are_left_to_the_number():
    """Five and eight hours have the same power of two in nanoseconds, so that the UID decides upstream."""
    later = pod(1, node="a", since_s=NOW_S - 8 * HOUR_S)
    sooner = pod(2, node="b", since_s=NOW_S - 5 * HOUR_S)
    assert victims([sooner, later], ["a", "b"], 1, NOW_S) == [1]


def test_doubled_up_pods_go_first():
    """A node with three pods gives one up before a node with one, whatever their age."""
    crowded = [pod(number, node="a", since_s=NOW_S - MONTH_S) for number in (1, 2, 3)]
    alone = pod(4, node="b", since_s=NOW_S - 60)
    assert victims([*crowded, alone], ["a", "a", "a", "b"], 1, NOW_S) == [1]


def test_the_burst_is_bounded():
    """No step makes or deletes more than 500."""
    assert change(0, 1000) == BURST_REPLICAS
    assert change(1000, 0) == -BURST_REPLICAS
    assert change(7, 9) == 2


@given(
    st.lists(
        st.builds(
            Candidate,
            number=st.integers(1, 99),
            node=st.sampled_from(["a", "b", "c"]),
            phase=st.sampled_from(["Pending", "Running"]),
            ready=st.booleans(),
            ready_since_s=st.just(None),
            created_s=st.integers(0, 1000).map(float),
            restarts=st.integers(0, 3),
        ),
        unique_by=lambda candidate: candidate.number,
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_a_pending_pod_never_outlives_a_running_one(candidates, count):
    """So many go as must, each once, and none that runs goes while a pending one stays."""
    count = min(count, len(candidates))
    chosen = victims(candidates, [candidate.node for candidate in candidates], count, 2000.0)
    assert len(set(chosen)) == count
    by_number = {candidate.number: candidate for candidate in candidates}
    kept = [candidate for candidate in candidates if candidate.number not in chosen]
    if any(candidate.phase == "Pending" for candidate in kept):
        assert all(by_number[number].phase == "Pending" for number in chosen)
