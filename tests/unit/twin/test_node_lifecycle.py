"""When silent nodes are given up, and drains within budgets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.scheduling import PodSpec, Toleration
from tonnage.twin.cluster_plan import DisruptionBudget
from tonnage.twin.models import disruption, node_lifecycle
from tonnage.twin.models.node_lifecycle import UNREACHABLE, UNREACHABLE_TAINTS, Zone


@given(st.floats(0, 100), st.floats(0, 1000))
def test_a_dead_node_is_unknown_after_the_grace_period(joined_s, alive_s):
    """Counted from the last renewal that the controller saw: 40 to 60 s after the death, at a look."""
    died_s = joined_s + alive_s
    at_s = node_lifecycle.unknown_at(joined_s, died_s, 0.0, 5.0, 50.0)
    assert 40.0 - 1e-6 <= at_s - died_s <= 60.0 + 1e-6
    assert at_s % 5.0 == pytest.approx(0.0, abs=1e-6) or at_s % 5.0 == pytest.approx(5.0, abs=1e-6)


def test_the_grace_period_must_be_over():
    """A lease that was seen exactly 50 s ago is not too old: the next look finds it so."""
    assert node_lifecycle.unknown_at(0.0, 60.0, 0.0, 5.0, 50.0) == 115.0


@pytest.mark.parametrize(
    ("zone", "others", "expected"),
    [
        (Zone(3, 1), (), 0.1),
        (Zone(1, 2), (), 0.1),
        (Zone(1, 3), (), 0.0),
        (Zone(0, 3), (), 0.0),
        (Zone(0, 3), (Zone(3, 0),), 0.1),
        (Zone(20, 40), (), 0.01),
        (Zone(40, 20), (), 0.1),
    ],
)
def test_a_zone_that_loses_much_is_evicted_slowly_or_not_at_all(zone, others, expected):
    """55% and more than two lost: slowly in a large zone, not at all in a small one, nor when all is lost."""
    assert node_lifecycle.evictions_per_s(zone, (zone, *others)) == expected


def test_tolerations_of_unreachable():
    """Nothing said: what admission adds; said without seconds: for ever; with seconds: the least of them."""
    taint = UNREACHABLE_TAINTS[1]
    forever = Toleration(UNREACHABLE, "Exists", effect="NoExecute")
    thirty = Toleration(UNREACHABLE, "Exists", effect="NoExecute", seconds=30)
    everything = Toleration("", "Exists", seconds=60)
    assert node_lifecycle.tolerated_s(PodSpec(), taint, 300.0) == 300.0
    assert node_lifecycle.tolerated_s(PodSpec(tolerations=(forever,)), taint, 300.0) == math.inf
    assert node_lifecycle.tolerated_s(PodSpec(tolerations=(thirty,)), taint, 300.0) == 30.0
    assert node_lifecycle.tolerated_s(PodSpec(tolerations=(thirty, everything)), taint, 300.0) == 30.0


@pytest.mark.parametrize(
    ("budget", "expected", "healthy", "allowed"),
    [
        (DisruptionBudget(min_available=3), 4, 4, 1),
        (DisruptionBudget(min_available=3), 4, 3, 0),
        (DisruptionBudget(min_available="50%"), 5, 5, 2),
        (DisruptionBudget(max_unavailable=1), 5, 5, 1),
        (DisruptionBudget(max_unavailable=1), 5, 4, 0),
        (DisruptionBudget(max_unavailable="30%"), 5, 5, 2),
        (DisruptionBudget(max_unavailable="10%"), 3, 3, 1),
        (DisruptionBudget(max_unavailable=10), 3, 2, 2),
        (None, 3, 3, 3),
    ],
)
def test_budgets_round_up(budget, expected, healthy, allowed):
    """Shares round up on both sides: of what must be there, and of what may be away."""
    assert disruption.allowed(budget, expected, healthy) == allowed
