"""The batching policy keeps its promises for any sequence of arrivals."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tonnage.batching import Batch, BatchQueue, Limits, Refusal, ServiceTimes, Wait
from tonnage.batching.service_times import size_classes


@dataclass(eq=False)
class Asked:
    items: int
    group: str | None
    stream: int
    arrived_s: float
    deadline_s: float = math.inf
    number: int = 0


ARRIVALS = st.lists(
    st.tuples(
        st.integers(1, 4),  # items
        st.sampled_from(["a", "b", None]),
        st.integers(0, 3),  # stream
        st.floats(0, 0.01),  # since the one before
        st.one_of(st.none(), st.floats(0, 0.05)),  # patience
        st.booleans(),  # the model becomes free behind it
    ),
    max_size=60,
)


def play(arrivals, limits, times):
    """Offer all, take when free; gives (batches, late, refused, waiting), with queue checks on the way."""
    queue = BatchQueue(limits, times)
    now_s, batches, late, refused = 0.0, [], [], []
    for number, (items, group, stream, gap_s, patience_s, free) in enumerate(arrivals):
        now_s += gap_s
        asked = Asked(
            items, group, stream, now_s, math.inf if patience_s is None else now_s + patience_s, number
        )
        before = len(queue)
        if queue.offer(asked, now_s) is not None:
            refused.append(asked)
            assert len(queue) == before
        assert len(queue) <= limits.queue_max
        if free:
            decision = queue.take(now_s)
            if isinstance(decision, Batch):
                batches.append((now_s, decision.requests))
                late += decision.late
    while isinstance(decision := queue.take(now_s + 1.0), Batch):
        batches.append((now_s + 1.0, decision.requests))
        late += decision.late
    assert decision is None
    assert len(queue) == queue.items == 0
    return batches, late, refused


LIMITS = st.builds(Limits, st.integers(4, 8), st.sampled_from([0.0, 0.002]), st.integers(1, 20))


@given(ARRIVALS, LIMITS)
def test_batches_are_of_one_group_and_within_the_size(arrivals, limits):
    """A batch has 1 to size_max items, all of one group."""
    for _, requests in play(arrivals, limits, ServiceTimes(8))[0]:
        if requests:
            assert 1 <= sum(r.items for r in requests) <= limits.size_max
            assert len({r.group for r in requests}) == 1


@given(ARRIVALS, LIMITS)
def test_a_stream_is_never_reordered(arrivals, limits):
    """Requests of one stream start in the order in which they came, whatever their groups."""
    started = [r for _, requests in play(arrivals, limits, ServiceTimes(8))[0] for r in requests]
    for stream in range(4):
        numbers = [r.number for r in started if r.stream == stream]
        assert numbers == sorted(numbers)


@given(ARRIVALS, LIMITS)
def test_every_request_has_exactly_one_fate(arrivals, limits):
    """Offered requests are run, late or refused, each once."""
    batches, late, refused = play(arrivals, limits, ServiceTimes(8))
    fates = [r.number for _, requests in batches for r in requests] + [r.number for r in late + refused]
    assert sorted(fates) == list(range(len(arrivals)))


@given(ARRIVALS, LIMITS, st.floats(0.0001, 0.02))
def test_what_would_miss_its_deadline_is_never_started(arrivals, limits, service_s):
    """A started request could still be answered in time, as far as was known."""
    times = ServiceTimes(8)
    times.seed([(size, service_s) for size in size_classes(8)])
    for at_s, requests in play(arrivals, limits, times)[0]:
        assert all(at_s + service_s <= r.deadline_s for r in requests)


@given(st.integers(1, 7), st.floats(0, 0.0019))
def test_a_partial_batch_waits_no_longer_than_allowed(items, passed_s):
    """Before wait_s_max has passed the model waits until exactly then; from then on it runs."""
    queue = BatchQueue(Limits(8, 0.002), ServiceTimes(8))
    queue.offer(Asked(items, None, 0, 0.0), 0.0)
    assert queue.take(passed_s) == Wait(0.002)
    decision = queue.take(0.002)
    assert isinstance(decision, Batch)
    assert len(decision.requests) == 1


def test_a_full_batch_does_not_wait():
    """When more company could not enlarge the batch it starts at once."""
    queue = BatchQueue(Limits(2, 1.0), ServiceTimes(2))
    for n in range(2):
        queue.offer(Asked(1, None, n, 0.0), 0.0)
    assert isinstance(queue.take(0.0), Batch)


def test_a_full_queue_refuses():
    """Beyond queue_max a request is refused with the reason."""
    queue = BatchQueue(Limits(1, 0.0, 1), ServiceTimes(1))
    assert queue.offer(Asked(1, None, 0, 0.0), 0.0) is None
    assert queue.offer(Asked(1, None, 0, 0.0), 0.0) is Refusal.QUEUE_FULL


def test_a_hopeless_deadline_is_refused_on_arrival():
    """A request that the batches before it would keep past its deadline is refused at once."""
    times = ServiceTimes(2)
    times.seed([(1, 0.01), (2, 0.02)])
    queue = BatchQueue(Limits(2), times)
    for n in range(4):
        assert queue.offer(Asked(1, None, n, 0.0), 0.0) is None
    assert queue.offer(Asked(1, None, 9, 0.0, deadline_s=0.049), 0.0) is Refusal.DEADLINE
    assert queue.offer(Asked(1, None, 9, 0.0, deadline_s=0.051), 0.0) is None


def test_a_larger_request_goes_alone():
    """Requests are gathered up to gather_max; one with more items by itself makes its own batch."""
    queue = BatchQueue(Limits(8, gather_max=2), ServiceTimes(8))
    for items in (1, 5, 1, 1, 1):
        assert queue.offer(Asked(items, None, 0, 0.0), 0.0) is None
    batches = []
    while isinstance(decision := queue.take(0.0), Batch):
        batches.append([r.items for r in decision.requests])
    assert batches == [[1], [5], [1, 1], [1]]


def test_an_idle_model_is_judged_by_its_shortest_time():
    """With nothing waiting a request is taken that the shortest time would answer, so that slow means heal."""
    times = ServiceTimes(1)
    times.seed([(1, 0.01)])
    times.observe(1, 5.0)
    queue = BatchQueue(Limits(1), times)
    assert times.of(1) > 0.1
    assert queue.offer(Asked(1, None, 0, 0.0, deadline_s=0.1), 0.0, None) is None
    assert queue.offer(Asked(1, None, 0, 0.0, deadline_s=0.1), 0.0, None) is Refusal.DEADLINE


@given(st.floats(0.5, 100.0), st.integers(1, 8))
def test_a_slow_spell_does_not_refuse_for_ever(spell_s, spells):
    """After any slow spell a model that is fast again is soon trusted again."""
    times = ServiceTimes(1)
    times.seed([(1, 0.01)])
    for _ in range(spells):
        times.observe(1, spell_s)
    queue = BatchQueue(Limits(1), times)
    for n in range(300):
        asked = Asked(1, None, 0, float(n), deadline_s=n + 0.1)
        assert queue.offer(asked, float(n), None) is None
        decision = queue.take(float(n))
        assert isinstance(decision, Batch)
        assert decision.requests == [asked]
        times.observe(1, 0.01)
    assert times.of(1) < 0.02


def test_what_varies_is_promised_with_a_margin():
    """Of two models with one mean, the one whose times vary refuses a deadline that the other takes."""
    even, uneven = ServiceTimes(1), ServiceTimes(1)
    for n in range(200):
        even.observe(1, 0.010)
        uneven.observe(1, 0.005 if n % 2 else 0.015)
    for times, refusal in ((even, None), (uneven, Refusal.DEADLINE)):
        queue = BatchQueue(Limits(1), times)
        assert queue.offer(Asked(1, None, 0, 0.0), 0.0) is None
        assert queue.offer(Asked(1, None, 0, 0.0, deadline_s=0.022), 0.0) is refusal


def test_expire_removes_only_what_is_past_its_deadline():
    """For a model that hangs, what waits past its deadline is given back and the rest stays."""
    queue = BatchQueue(Limits(4), ServiceTimes(4))
    early, late = Asked(1, "a", 0, 0.0, 1.0), Asked(2, "b", 0, 0.0, 3.0)
    queue.offer(early, 0.0)
    queue.offer(late, 0.0)
    assert queue.expire(2.0) == [early]
    assert (len(queue), queue.items) == (1, 2)


@given(st.integers(1, 5000))
def test_size_classes_end_at_the_largest_batch(size_max):
    """Size classes ascend from 1 to size_max, each at most twice the one before."""
    sizes = size_classes(size_max)
    assert (sizes[0], sizes[-1]) == (1, size_max)
    assert all(a < b <= 2 * a for a, b in zip(sizes, sizes[1:], strict=False))
