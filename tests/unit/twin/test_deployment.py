"""The Deployment controller's steps, by upstream's tables and by what a rollout promises."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.models import deployment
from tonnage.twin.models.deployment import ReplicaSetView
from tonnage.twin.workload import RolloutPlan


def view(revision, size, *, available=None, desired=None, pods_max=None):
    """A ReplicaSet whose pods all exist; all are available unless told otherwise."""
    there = size if available is None else available
    return ReplicaSetView(
        revision, size, pods=size, available=there, ready=there, alive=size, desired=desired, pods_max=pods_max
    )


def sizes(replicas, plan, newest, *views):
    """Sizes after one step, by revision."""
    changed = deployment.step(replicas, plan, newest, views).sizes
    return {item.revision: changed.get(item.revision, item.size) for item in views}


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("0%", "0%", 0, (0, 1)),
        ("39%", "39%", 10, (4, 3)),
        (0, "39%", 10, (0, 3)),
        ("39%", 0, 10, (4, 0)),
        (0, 0, 10, (0, 1)),
        ("25%", "25%", 4, (1, 1)),
        ("25%", "25%", 3, (1, 0)),
        ("25%", "25%", 1, (1, 0)),
        ("1%", "99%", 1, (1, 0)),
        (0, "25%", 3, (0, 1)),
    ],
)
def test_resolve_fenceposts(surge, unavailable, replicas, expected):
    """TestResolveFenceposts, and the defaults at small sizes: surge rounds up, unavailable down, never both 0."""
    assert deployment.fence(RolloutPlan(max_surge=surge, max_unavailable=unavailable), replicas) == expected


@pytest.mark.parametrize(
    ("surge", "old", "new", "expected"),
    [(0, 10, 0, 0), (2, 10, 0, 2), (2, 5, 0, 7), (2, 10, 2, 2), (2, 2, 11, 10)],
)
def test_reconcile_new_replica_set(surge, old, new, expected):
    """TestDeploymentController_reconcileNewReplicaSet; nothing is available, so that only growth is seen."""
    plan = RolloutPlan(max_surge=surge, max_unavailable=0 if surge else 1)
    found = sizes(10, plan, 2, view(1, old, available=0), view(2, new, available=0))
    assert found[2] == expected


@pytest.mark.parametrize(
    ("unavailable", "old", "new", "old_ready", "new_ready", "expected"),
    [
        (0, 10, 0, 10, 0, 9),
        (2, 10, 0, 10, 0, 8),
        (2, 10, 0, 8, 0, 8),
        (2, 10, 0, 9, 0, 8),
        (2, 8, 2, 8, 0, 8),
    ],
)
def test_reconcile_old_replica_sets(unavailable, old, new, old_ready, new_ready, expected):
    """TestDeploymentController_reconcileOldReplicaSets; without surge the new one cannot grow first."""
    plan = RolloutPlan(max_surge=0, max_unavailable=unavailable)
    found = sizes(10, plan, 2, view(1, old, available=old_ready), view(2, new, available=new_ready))
    assert found[1] == expected


@pytest.mark.parametrize(
    ("old", "available", "expected"),
    [(10, 8, 9), (10, 10, 9)],
)
def test_unhealthy_pods_of_old_revisions_go_first(old, available, expected):
    """cleanupUnhealthyReplicas: what is not available costs no availability, as far as there is room."""
    plan = RolloutPlan(max_surge=1, max_unavailable=0)
    assert sizes(10, plan, 2, view(1, old, available=available), view(2, 1))[1] == expected


PROPORTIONAL = [
    ("normal scaling event: 10 -> 12", 12, 10, [10], [12]),
    ("normal scaling event: 10 -> 5", 5, 10, [10], [5]),
    ("proportional scaling: 5 -> 10", 10, 5, [3, 2], [6, 4]),
    ("proportional scaling: 5 -> 3", 3, 5, [3, 2], [2, 1]),
    ("proportional scaling: 9 -> 4", 4, 9, [1, 8], [0, 4]),
    ("proportional scaling: 7 -> 10", 10, 7, [2, 3, 2], [3, 4, 3]),
    ("proportional scaling: 13 -> 8", 8, 13, [3, 8, 2], [2, 5, 1]),
    ("leftover distribution: 3 -> 4", 4, 3, [1, 1, 1], [1, 1, 2]),
    ("leftover distribution: 3 -> 2", 2, 3, [1, 1, 1], [0, 1, 1]),
    ("proportional scaling (no new rs): 4 -> 5", 5, 4, [2, 2, 0], [2, 3, 0]),
    ("proportional scaling: 6 -> 0", 0, 6, [1, 2, 3], [0, 0, 0]),
    ("change both size and template", 14, 10, [3, 7, 0], [4, 10, 0]),
]


@pytest.mark.parametrize(("name", "replicas", "before", "given_sizes", "expected"), PROPORTIONAL)
def test_scale(name, replicas, before, given_sizes, expected):
    """TestScale: what is under way keeps its proportions, leftovers go to the largest."""
    plan = RolloutPlan(max_surge=0, max_unavailable=0)
    views = [
        view(number, size, desired=before, pods_max=before) for number, size in enumerate(given_sizes, start=1)
    ]
    found = sizes(replicas, plan, len(given_sizes), *views)
    assert list(found.values()) == expected, name


def test_scale_with_surge():
    """TestScale, "deployment with surge pods" and "change both surge and size"."""
    two = RolloutPlan(max_surge=2, max_unavailable=0)
    pair = (view(1, 6, desired=10, pods_max=12), view(2, 6, desired=10, pods_max=12))
    assert sizes(20, two, 2, *pair) == {1: 11, 2: 11}
    six = RolloutPlan(max_surge=6, max_unavailable=0)
    pair = (view(1, 8, desired=10, pods_max=13), view(2, 5, desired=10, pods_max=13))
    assert sizes(50, six, 2, *pair) == {1: 34, 2: 22}


def test_scale_goes_on_after_a_write_that_failed():
    """TestScale, "failed rs update": only the set with the old annotation is brought up."""
    plan = RolloutPlan(max_surge=0, max_unavailable=0)
    views = (
        view(1, 1, desired=5, pods_max=5),
        view(2, 1, desired=3, pods_max=3),
        view(3, 2, desired=5, pods_max=5),
    )
    assert sizes(5, plan, 3, *views) == {1: 1, 2: 2, 3: 2}


def test_recreate_waits_for_the_last_old_pod():
    """First the old ones are scaled to zero; the new one is made when none of their pods is left."""
    plan = RolloutPlan(strategy="Recreate")
    new = view(2, 0)
    assert sizes(3, plan, 2, view(1, 3), new) == {1: 0, 2: 0}
    ending = dataclasses.replace(view(1, 0), alive=2)
    decided = deployment.step(3, plan, 2, (ending, new))
    assert decided.missing
    assert not decided.sizes
    assert sizes(3, plan, 2, view(1, 0), new) == {1: 0, 2: 3}


shares = st.one_of(st.integers(0, 5), st.integers(0, 100).map(lambda percent: f"{percent}%"))


@given(
    replicas=st.integers(1, 30),
    surge=shares,
    unavailable=shares,
    order=st.randoms(),
)
def test_a_rollout_always_ends_and_keeps_its_promises(replicas, surge, unavailable, order):
    """Pods become available one by one at random: never too many, never too few, and in the end all are new."""
    plan = RolloutPlan(max_surge=surge, max_unavailable=unavailable)
    above, away = deployment.fence(plan, replicas)
    old, new, ready = replicas, 0, 0
    for _ in range(20 * replicas + 20):
        before = (old, new, ready)
        found = deployment.step(
            replicas, plan, 2, (view(1, old, desired=replicas), view(2, new, available=ready, desired=replicas))
        )
        old, new = found.sizes.get(1, old), found.sizes.get(2, new)
        ready = min(ready, new)
        assert old + new <= replicas + above
        assert old + ready >= replicas - min(away, replicas)
        if ready < new and (before == (old, new, ready) or order.random() < 0.5):
            ready += 1
        elif before == (old, new, ready):
            break
    assert (old, new, ready) == (0, replicas, replicas)
