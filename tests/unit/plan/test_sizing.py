"""Counting replicas: never fewer for more, never more for less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.plan.sizing import Spread, needed, rate_of, size_for, surge_for

rates = st.floats(0.1, 1e5)
capacities = st.floats(1.0, 5e3)
ratios = st.floats(0.0, 2.0)
spreads = st.one_of(
    st.just(Spread("none")),
    st.just(Spread("node")),
    st.integers(2, 12).map(lambda domains: Spread("zone", domains=domains)),
    st.lists(st.sampled_from("abc"), min_size=2, max_size=40)
    .filter(lambda order: len(set(order)) > 1)
    .map(lambda order: Spread("node", order=tuple(order))),
)


@given(rate=rates, more=st.floats(1.0, 10.0), capacity=capacities, ratio=ratios, spread=spreads)
def test_more_rate_never_needs_fewer_replicas(rate, more, capacity, ratio, spread):
    def count(per_s: float) -> int:
        return size_for(per_s, capacity, headroom_ratio=ratio, spread=spread, unavailable=0).replicas

    assert count(rate * more) >= count(rate)


@given(rate=rates, capacity=capacities, more=st.floats(1.0, 10.0), ratio=ratios, spread=spreads)
def test_a_faster_replica_never_needs_more_of_its_kind(rate, capacity, more, ratio, spread):
    def count(per_s: float) -> int:
        return size_for(rate, per_s, headroom_ratio=ratio, spread=spread, unavailable=0).replicas

    assert count(capacity * more) <= count(capacity)


@given(rate=rates, capacity=capacities, ratio=ratios, more=ratios, spread=spreads, missing=st.integers(0, 3))
def test_head_room_never_lowers_the_count(rate, capacity, ratio, more, spread, missing):
    def count(share: float, of: Spread, unavailable: int) -> int:
        return size_for(rate, capacity, headroom_ratio=share, spread=of, unavailable=unavailable).replicas

    least = count(0.0, Spread("none"), 0)
    assert count(ratio, Spread("none"), 0) >= least
    assert count(ratio + more, spread, missing) >= count(ratio, spread, missing)
    assert count(ratio, spread, missing) >= count(ratio, spread, 0) >= count(ratio, Spread("none"), 0)


@given(rate=rates, capacity=capacities, ratio=ratios, spread=spreads)
def test_what_is_left_after_a_loss_carries_the_rate(rate, capacity, ratio, spread):
    counts = size_for(rate, capacity, headroom_ratio=ratio, spread=spread, unavailable=0)
    if counts.with_loss is not None:
        assert counts.replicas - spread.lost(counts.replicas) >= needed(rate, capacity)


@given(replicas=st.integers(1, 200), capacity=capacities, ratio=ratios, spread=spreads)
def test_the_rate_of_a_count_needs_that_count(replicas, capacity, ratio, spread):
    """The highest rate that so many replicas carry is sized with at most so many."""
    most = rate_of(replicas, capacity, headroom_ratio=ratio, spread=spread, unavailable=0)
    if most > 0:
        counts = size_for(most, capacity, headroom_ratio=ratio, spread=spread, unavailable=0)
        assert counts.with_loss is not None
        assert counts.replicas <= replicas


def test_three_zones_keep_two_thirds():
    """With three zones a loss takes a third: nine replicas serve what six can."""
    counts = size_for(6.0, 1.0, headroom_ratio=0.0, spread=Spread("zone", domains=3), unavailable=0)
    assert (counts.serving, counts.with_loss, counts.lost) == (6, 9, 3)


def test_a_single_zone_cannot_be_lost():
    """No number of replicas outlives the loss of the one zone that all are in."""
    counts = size_for(6.0, 1.0, headroom_ratio=0.0, spread=Spread("zone", domains=1), unavailable=0)
    assert counts.with_loss is None


def test_the_fullest_node_is_the_one_that_counts():
    """Two replicas on one node are lost together."""
    order = ("a", "b", "a", "c", "a")
    spread = Spread("node", order=order)
    assert [spread.lost(count) for count in range(1, 6)] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ("replicas", "spare", "expected"), [(8, None, (2, 0)), (8, 1, (1, 0)), (8, 5, (2, 0)), (8, 0, (0, 1))]
)
def test_an_update_without_room_takes_one_away(replicas, spare, expected):
    """A quarter on top where it fits, and one missing where nothing does."""
    assert surge_for(replicas, spare) == expected


def test_a_whole_multiple_needs_no_more():
    """Ten times what a replica carries is ten replicas."""
    assert [needed(0.1 * 3 * n, 0.1 * 3) for n in range(1, 11)] == list(range(1, 11))
