"""Records become phases: each with its beginning and its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.lives import node_lives, pod_lives
from tonnage.twin.records import NodeRecord, PodRecord

FACTS = [
    "created", "unschedulable", "scheduled", "pulling", "started", "loading", "loaded", "warm", "started_up",
    "ready", "unready", "available", "probe_failed", "killed", "crashed", "oom_killed", "back_off", "restarted",
    "terminating", "signalled", "lost_requests", "evicted", "lost", "gone",
]  # fmt: skip


def told(*facts):
    return pod_lives([PodRecord(at_s, "pod", "node", what) for at_s, what in facts], duration_s=100.0)[0]


def phases(life):
    return [(stretch.phase, stretch.from_s, stretch.to_s) for stretch in life.stretches]


def test_a_pod_is_told_from_creation_to_its_end():
    """Creation, node, load, readiness and end are phases without gaps."""
    life = told((1, "created"), (2, "scheduled"), (5, "started"), (20, "loaded"), (22, "ready"), (60, "terminating"), (70, "gone"))
    assert phases(life) == [
        ("pending", 1, 2), ("starting", 2, 5), ("loading", 5, 20), ("warming", 20, 22), ("ready", 22, 60), ("terminating", 60, 70),
    ]  # fmt: skip


def test_a_pod_that_is_there_at_the_end_is_cut_there():
    """The last phase ends with the run."""
    assert phases(told((10, "created"), (10, "ready"))) == [("ready", 10, 100)]


def test_a_terminating_pod_that_becomes_unready_is_still_terminating():
    """What ends is not called unready."""
    assert phases(told((0, "ready"), (50, "terminating"), (51, "unready"), (60, "gone")))[-1] == ("terminating", 50, 60)


def test_a_killed_container_restarts_and_is_in_trouble():
    """A kill is a trouble, and a phase until the container is back."""
    life = told((0, "ready"), (10, "killed"), (10, "back_off"), (20, "restarted"), (30, "ready"))
    assert phases(life) == [("ready", 0, 10), ("restarting", 10, 20), ("loading", 20, 30), ("ready", 30, 100)]
    assert [trouble.what for trouble in life.troubles] == ["killed"]


def test_nodes_that_are_there_at_the_start_are_up_from_the_start():
    """A node needs no record to be up, and a failed one is down."""
    lives = node_lives([NodeRecord(40.0, "b", "failed")], nodes=["a", "b"], duration_s=100.0)
    assert [phases(life) for life in lives] == [[("up", 0, 100)], [("up", 0, 40), ("down", 40, 100)]]


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(FACTS)), min_size=1, max_size=30))
def test_phases_are_in_order_and_do_not_overlap(facts):
    """Whatever is recorded, phases have a length, follow each other, and end with the run."""
    life = told(*sorted(facts, key=lambda fact: fact[0]))
    ends = 0.0
    for stretch in life.stretches:
        assert ends <= stretch.from_s < stretch.to_s <= 100.0
        ends = stretch.to_s
