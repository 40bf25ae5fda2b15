"""The batching queue against a simple model of it, over any history of its operations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tonnage.batching import (
    Batch,
    BatchQueue,
    Limits,
    Refusal,
    ServiceTimes,
    Wait,
    size_classes,
    worthwhile_size,
)
from tonnage.batching.service_times import BATCH_OVERHEAD_S, WORTHWHILE_S_MIN, WORTHWHILE_SHARE

SIZE_MAX = 6
GATHER_MAX = 4
QUEUE_MAX = 12
WAIT_S_MAX = 0.5


@dataclass(eq=False)
class Asked:
    """A request with an identity."""

    items: int
    group: str
    stream: int
    arrived_s: float
    deadline_s: float


class QueueMachine(RuleBasedStateMachine):
    """Offers, takes, expiries and time in any order; the model is a plain list in order of arrival."""

    def __init__(self) -> None:
        super().__init__()
        self.times = ServiceTimes(SIZE_MAX)
        limits = Limits(SIZE_MAX, WAIT_S_MAX, QUEUE_MAX, GATHER_MAX)
        self.queue: BatchQueue[Asked] = BatchQueue(limits, self.times)
        self.waiting: list[Asked] = []
        self.now_s = 1.0

    @rule(
        items=st.integers(1, SIZE_MAX),
        group=st.sampled_from("ab"),
        stream=st.integers(0, 2),
        patience_s=st.one_of(st.just(math.inf), st.floats(0.0, 5.0)),
        free_s=st.one_of(st.none(), st.floats(0.0, 2.0)),
    )
    def offer(self, items, group, stream, patience_s, free_s):
        """A request is refused exactly when the queue is full or its deadline cannot be met."""
        asked = Asked(items, group, stream, self.now_s, self.now_s + patience_s)
        total = sum(one.items for one in self.waiting)
        if free_s is None and not self.waiting:
            expected_s = self.now_s + self.times.least(items)
        else:
            wait_s = self.times.until_answered(total, items, GATHER_MAX)
            expected_s = self.now_s + ((free_s or 0.0) + wait_s)
        refusal = self.queue.offer(asked, self.now_s, free_s)
        if len(self.waiting) == QUEUE_MAX:
            assert refusal is Refusal.QUEUE_FULL
        elif expected_s > asked.deadline_s:
            assert refusal is Refusal.DEADLINE
        else:
            assert refusal is None
            self.waiting.append(asked)

    @rule(seconds=st.floats(0.0, 1.0))
    def time_passes(self, seconds):
        self.now_s += seconds

    @rule(size=st.integers(1, SIZE_MAX), seconds=st.floats(0.001, 1.0))
    def observe(self, size, seconds):
        self.times.observe(size, seconds)

    @rule()
    def take(self):
        """A batch leads with the oldest request that is in time, and overtakes in no stream."""
        decision = self.queue.take(self.now_s)
        if decision is None:
            assert not self.waiting
            return
        oldest = self.waiting[0]
        if isinstance(decision, Wait):
            assert decision.until_s == oldest.arrived_s + WAIT_S_MAX > self.now_s
            return
        self.check(decision, oldest)
        gone = {id(one) for one in decision.requests + decision.late}
        assert len(gone) == len(decision.requests) + len(decision.late) > 0
        left = [one for one in self.waiting if id(one) not in gone]
        assert len(left) + len(gone) == len(self.waiting)
        self.waiting = left

    def check(self, decision: Batch[Asked], oldest: Asked) -> None:
        total = sum(one.items for one in self.waiting)
        must_end_s = self.now_s + self.times.of(min(total, GATHER_MAX))
        assert all(one.deadline_s < must_end_s for one in decision.late)
        if any(one.deadline_s >= must_end_s for one in self.waiting):
            assert all(one.deadline_s >= must_end_s for one in decision.requests)
        else:  # all are late by the mean: what the shortest time would answer is tried
            items = sum(one.items for one in decision.requests)
            possible_s = self.now_s + self.times.least(items)
            assert all(one.deadline_s >= possible_s for one in decision.requests[-1:])
        assert sum(one.items for one in decision.requests) <= GATHER_MAX or len(decision.requests) == 1
        assert len({one.group for one in decision.requests}) <= 1
        assert oldest in decision.requests + decision.late
        order = [self.waiting.index(one) for one in decision.requests]
        assert order == sorted(order)
        done = set(map(id, decision.requests + decision.late))
        for one in decision.requests:
            before = self.waiting[: self.waiting.index(one)]
            assert all(id(other) in done for other in before if other.stream == one.stream)

    @rule()
    def expire(self):
        late = self.queue.expire(self.now_s)
        assert late == [one for one in self.waiting if one.deadline_s <= self.now_s]
        self.waiting = [one for one in self.waiting if one.deadline_s > self.now_s]

    @precondition(lambda self: len(self.waiting) > 3)
    @rule()
    def clear(self):
        assert self.queue.clear() == self.waiting
        self.waiting = []

    @invariant()
    def counts_agree(self):
        assert len(self.queue) == len(self.waiting)
        assert self.queue.items == sum(one.items for one in self.waiting)


QueueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


class TestQueue(QueueMachine.TestCase):
    """Runs the machine."""

    __test__ = True


MEANS = st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8).map(sorted)


@given(st.integers(1, 100), MEANS, st.data())
def test_more_waiting_never_means_an_earlier_answer(size_max, means, data):
    """With times that grow with size, the expected answer grows with what waits."""
    times = ServiceTimes(size_max)
    times.seed(zip(size_classes(size_max), means, strict=False))
    own = data.draw(st.integers(1, size_max))
    waiting = data.draw(st.integers(0, 5 * size_max))
    assert times.until_answered(waiting, own) <= times.until_answered(waiting + 1, own) + 1e-12
    assert times.until_answered(waiting, own) >= times.of(own)


@given(st.integers(1, 64), st.lists(st.tuples(st.integers(1, 80), st.floats(1e-6, 10.0)), min_size=1))
def test_an_estimate_stays_within_what_was_seen(size_max, seen):
    """The mean of a class lies between the least and the greatest observation; an unseen class says 0."""
    times = ServiceTimes(size_max)
    by_class: dict[int, list[float]] = {}
    classes = size_classes(size_max)
    for size, seconds in seen:
        times.observe(size, seconds)
        held = next(bound for bound in classes if bound >= min(size, size_max))
        by_class.setdefault(held, []).append(seconds)
    for bound in classes:
        observed = by_class.get(bound, [0.0])
        assert min(observed) - 1e-9 <= times.of(bound) <= max(observed) + 1e-9


@given(st.integers(1, 64), st.lists(st.floats(1e-6, 1.0), min_size=8, max_size=8))
def test_a_worthwhile_size_loses_little_throughput(size_max, seconds):
    """The chosen size is a measured one, near the best in items per second, and no smaller one is as near."""
    steady = list(zip(size_classes(size_max), seconds, strict=False))
    chosen = worthwhile_size(steady)
    rates = {size: size / (took_s + BATCH_OVERHEAD_S) for size, took_s in steady}
    if steady[-1][1] < WORTHWHILE_S_MIN:
        assert chosen == size_max
        return
    enough = WORTHWHILE_SHARE * max(rates.values())
    assert rates[chosen] >= enough
    assert all(rate < enough for size, rate in rates.items() if size < chosen)


@given(st.integers(1, 64), st.lists(st.tuples(st.integers(1, 80), st.floats(1e-6, 10.0)), min_size=1))
def test_the_least_is_the_shortest_ever_seen(size_max, seen):
    """Each size class remembers its shortest batch, whatever came after."""
    times = ServiceTimes(size_max)
    for size, seconds in seen:
        times.observe(size, seconds)
    classes = size_classes(size_max)
    for bound in classes:
        mine = [t for n, t in seen if next(b for b in classes if b >= min(n, size_max)) == bound]
        assert times.least(bound) == min(mine, default=0.0)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"size_max": 0}, "size_max: must be >= 1, got 0"),
        ({"size_max": 1, "wait_s_max": -1.0}, "wait_s_max: must be >= 0 and finite, got -1.0"),
        ({"size_max": 1, "wait_s_max": math.inf}, "wait_s_max: must be >= 0 and finite, got inf"),
        ({"size_max": 1, "queue_max": 0}, "queue_max: must be >= 1, got 0"),
        ({"size_max": 4, "gather_max": 0}, "gather_max: must be 1 to 4, got 0"),
        ({"size_max": 4, "gather_max": 5}, "gather_max: must be 1 to 4, got 5"),
    ],
)
def test_impossible_limits_are_refused(settings_, message):
    """A limit that no queue can keep is refused by name."""
    with pytest.raises(ValueError, match="must be") as caught:
        Limits(**settings_)
    assert str(caught.value) == message
