"""Nothing is lost, nothing depends on how time is cut, and pods come and go as told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonnage.traffic import (
    ConstantArrivals,
    CountArrivals,
    CountTrace,
    PoissonArrivals,
    TimestampTrace,
    arrivals_of,
)
from tonnage.twin.requests import (
    CAUSES,
    Balancing,
    Cause,
    ClientModel,
    ParametricService,
    RequestConfig,
    RequestWorld,
    ServerModel,
    plan_of,
    recorded,
)

pytestmark = pytest.mark.timeout(600)  # the first test compiles the kernel

Change = tuple[float, str, int]

clients = st.builds(
    ClientModel,
    timeout_s=st.sampled_from([math.inf, 0.05, 0.3]),
    retries_max=st.integers(0, 3),
    retry_on=st.sets(st.sampled_from(CAUSES)).map(frozenset),
    backoff_s=st.sampled_from([0.0, 0.01]),
    backoff_spread=st.sampled_from([0.0, 0.5]),
)
servers = st.builds(
    ServerModel,
    service=st.builds(
        ParametricService,
        item_s=st.sampled_from([0.001, 0.01]),
        batch_s=st.sampled_from([0.005, 0.02]),
        shape=st.sampled_from(["deterministic", "exponential", "lognormal"]),
    ),
    size_max=st.integers(1, 8),
    wait_s_max=st.sampled_from([0.0, 0.01]),
    queue_max=st.sampled_from([3, 50]),
    deadline_s=st.sampled_from([math.inf, 0.1]),
    workers=st.integers(1, 3),
)
pools = servers | st.builds(
    ServerModel,
    service=st.just(ParametricService(item_s=0.02, shape="exponential")),
    size_max=st.integers(1, 3),
    queue_max=st.just(20),
    parallel=st.integers(2, 4),
)
configs = st.builds(
    RequestConfig,
    balancing=st.sampled_from(list(Balancing)),
    connections=st.integers(1, 9),
    round_trip_s=st.sampled_from([0.0, 0.002]),
    jitter_s=st.sampled_from([0.0, 0.001]),
    interval_s=st.sampled_from([0.1, 0.25, 1.0]),
    slo_s=st.just(0.05),
)
changes = st.lists(
    st.tuples(
        st.floats(0.0, 2.9),
        st.sampled_from(["start", "kill", "drain", "route", "unroute", "slow", "fast"]),
        st.integers(0, 4),
    ),
    max_size=12,
).map(sorted)


def apply(world: RequestWorld, change: str, slot: int) -> None:
    """Make a change where the slot's state allows it."""
    if change == "start" and not world.is_serving(slot):
        world.start(slot, speed=0.7)
    elif change in ("route", "unroute"):
        world.set_routed(slot, change == "route")
    elif not world.is_serving(slot):
        return
    elif change == "kill":
        world.kill(slot)
    elif change == "drain":
        world.drain(slot)
    elif change in ("slow", "fast"):
        world.set_speed(slot, 0.3 if change == "slow" else 2.0)


def played(
    config: RequestConfig,
    server: ServerModel,
    client: ClientModel,
    events: list[Change],
    stops: list[float],
    *,
    rate_per_s: float = 300.0,
    slots_max: int = 2,
) -> RequestWorld:
    """Two pods from the start, changes as given, three seconds of traffic and one of quiet."""
    plan = plan_of(PoissonArrivals(rate_per_s, 3.0), seed=3)
    world = RequestWorld(config, (server,), plan, client, slots_max=slots_max, seed=11)
    for slot in (0, 1):
        world.start(slot)
        world.set_routed(slot, True)
    times = sorted([(at, None) for at in [*stops, 4.0]] + [(at, (what, slot)) for at, what, slot in events],
                   key=lambda pair: pair[0])
    for at, change in times:
        world.advance(at)
        balance = world.balance()
        assert balance.arrived == balance.answered + sum(balance.dropped) + balance.in_flight
        if change is not None:
            apply(world, *change)
    return world


@settings(max_examples=150)
@given(configs, pools, clients, changes, st.lists(st.floats(0.0, 4.0), max_size=20))
def test_time_may_be_cut_anywhere(config, server, client, events, stops):
    """Stopping at any times changes no bit of what happened, nor does room for more pods."""
    whole = played(config, server, client, events, [])
    cut = played(config, server, client, events, stops, slots_max=7)
    assert whole.digest() == cut.digest()
    assert np.array_equal(whole.series().dropped, cut.series().dropped)


@settings(max_examples=150)
@given(configs, pools, clients, changes)
def test_every_request_is_booked_once(config, server, client, events):
    """Arrived is answered plus dropped plus in flight, in the totals and in the series."""
    world = played(config, server, client, events, [0.5, 1.0, 2.0])
    balance, series = world.balance(), world.series()
    assert balance.arrived == int(series.arrived.sum()) > 0
    assert balance.answered == int(series.answered.sum()) == int(series.latency.sum())
    assert list(balance.dropped) == series.dropped.sum(axis=0).tolist()
    assert int(series.failed.sum()) == int(series.dropped.sum() + series.retried.sum())
    assert np.all(series.slow <= series.answered)


@settings(max_examples=60)
@given(configs, pools, clients, changes)
def test_pods_account_for_their_own(config, server, client, events):
    """Each pod's histogram, busy time and integrated load agree with its counts."""
    world = played(config, server, client, events, [1.0])
    for slot in range(5):
        try:
            total = world.totals(slot)
        except ValueError:
            continue
        assert int(total.latency.sum()) == total.answered
        assert total.batches <= total.answered <= total.batches * server.size_max
        assert 0 <= total.busy_s <= 4.0 * server.workers * server.parallel + 1e-9
        assert total.cpu_s >= 0
        assert total.in_flight_s >= total.latency_s - 1e-9
        assert total.wait_s >= -1e-9


def test_the_same_seed_gives_the_same_digest():
    """Two worlds from equal arguments agree; another seed differs."""
    one = played(RequestConfig(), ServerModel(), ClientModel(), [], [])
    two = played(RequestConfig(), ServerModel(), ClientModel(), [], [])
    assert one.digest() == two.digest()
    plan = plan_of(PoissonArrivals(300.0, 3.0), seed=3)
    other = RequestWorld(RequestConfig(), (ServerModel(),), plan, slots_max=2, seed=12)
    for slot in (0, 1):
        other.start(slot)
        other.set_routed(slot, True)
    other.advance(4.0)
    assert other.digest() != one.digest()


def world_of(times_s: list[float], server: ServerModel, client: ClientModel | None = None, **config):
    """One pod, routed, and single arrivals."""
    plan = plan_of(arrivals_of(TimestampTrace(np.array(times_s), times_s[-1])), seed=0)
    world = RequestWorld(RequestConfig(**config), (server,), plan, client, slots_max=1)
    world.start(0)
    world.set_routed(0, True)
    return world


TENTH = ServerModel(service=ParametricService(item_s=0.1), size_max=1)


def test_without_a_routed_pod_there_is_no_endpoint():
    """A request that finds no routed pod is dropped for that."""
    world = world_of([0.5], TENTH)
    world.set_routed(0, False)
    world.advance(1.0)
    assert world.balance().dropped[CAUSES.index(Cause.NO_ENDPOINT)] == 1


def test_a_killed_pod_loses_what_it_has_and_refuses_what_comes():
    """What was running and waiting is lost; a routed slot without a pod refuses."""
    world = world_of([0.0, 0.01, 0.02, 0.5], TENTH)
    world.advance(0.05)
    assert (world.in_flight(0), world.kill(0)) == (3, 3)
    world.advance(1.0)
    assert not world.is_serving(0)
    assert world.totals(0).failures(Cause.LOST) == 3
    assert world.totals(0).failures(Cause.REFUSED) == 1
    assert world.totals(0).busy_s == pytest.approx(0.05)


def test_a_draining_pod_ends_what_it_has_and_refuses_what_comes():
    """Drain loses nothing that was there."""
    world = world_of([0.0, 0.01, 0.02, 0.5], TENTH)
    world.advance(0.05)
    world.drain(0)
    world.advance(1.0)
    balance = world.balance()
    assert (balance.answered, balance.dropped[CAUSES.index(Cause.REFUSED)]) == (3, 1)


def test_a_change_comes_before_requests_of_its_time():
    """``advance(T)`` plays what lies before T: a pod killed at T does not get the request of T."""
    world = world_of([0.5], TENTH)
    world.advance(0.5)
    assert world.balance().arrived == 0
    world.kill(0)
    world.advance(0.6)
    assert world.balance().dropped[CAUSES.index(Cause.REFUSED)] == 1


@pytest.mark.parametrize("balancing", [Balancing.RANDOM, Balancing.LEAST_REQUEST])
def test_a_change_comes_before_the_end_of_a_batch_at_its_time(balancing):
    """A batch that ends at T has not ended after ``advance(T)``: a pod killed at T loses it."""
    server = ServerModel(service=ParametricService(item_s=0.5), size_max=1)
    world = world_of([0.0], server, balancing=balancing)
    world.advance(0.5)
    assert (world.in_flight(0), world.kill(0)) == (1, 1)
    world.advance(1.0)
    assert world.balance().answered == 0


def test_speed_changes_what_runs_too():
    """A batch half done at a tenth of the speed takes ten times its rest."""
    world = world_of([0.0], TENTH)
    world.advance(0.05)
    world.set_speed(0, 0.1)
    world.advance(0.54)
    assert world.in_flight(0) == 1
    world.advance(0.56)
    assert world.totals(0).latency_s == pytest.approx(0.55)
    assert world.totals(0).cpu_s == pytest.approx(0.1)


def test_a_client_that_gives_up_leaves_its_request_at_the_server():
    """The client times out at its time; the pod answers in vain, and only the pod counts it as answered."""
    world = world_of([0.0, 0.01], TENTH, ClientModel(timeout_s=0.15))
    world.advance(0.17)
    balance = world.balance()
    assert (balance.answered, balance.dropped[CAUSES.index(Cause.TIMEOUT)]) == (1, 1)
    assert world.in_flight(0) == 1
    assert balance.at_servers == 0
    world.advance(1.0)
    assert world.totals(0).answered == 2
    assert world.balance().answered == 1


def test_a_retry_is_sent_after_its_back_off_and_counts_from_the_first_attempt():
    """Two attempts refused by a full queue, then an answer: latency is from the first attempt."""
    server = ServerModel(service=ParametricService(item_s=0.1), size_max=1, queue_max=1)
    client = ClientModel(retries_max=2, backoff_s=0.05, backoff_factor=2.0)
    world = world_of([0.0, 0.01, 0.02], server, client, batch_log_max=10)
    world.advance(1.0)
    # refused at 0.02, again at 0.07, taken in at 0.17, run at 0.20
    refusals = [line.start_s for line in world.batch_log() if line.cause is Cause.QUEUE_FULL]
    assert refusals == pytest.approx([0.02, 0.07])
    assert world.balance().answered == 3
    assert world.series().retried.sum() == 2
    assert world.series().quantile_s(1.0) == pytest.approx(0.3 - 0.02, rel=0.02)
    assert world.totals(0).quantile_s(1.0) == pytest.approx(0.19, rel=0.02)


def test_what_clients_see_includes_the_network():
    """The round trip is in the client's latency and not in the server's."""
    world = world_of([0.0], TENTH, round_trip_s=0.4, slo_s=0.3)
    world.advance(1.0)
    assert world.series().quantile_s(0.5) == pytest.approx(0.5, rel=0.02)
    assert world.totals(0).quantile_s(0.5) == pytest.approx(0.1, rel=0.02)
    assert world.series().slow.sum() == 1


def test_windows_follow_one_another():
    """A window holds what came since the one before, and readers of totals do not move it."""
    world = world_of([0.0, 1.0, 1.2], TENTH)
    world.advance(0.5)
    assert world.read_slot(0).window.answered == 1
    world.advance(1.25)
    world.totals(0)
    got = world.read_slot(0)
    assert (got.window.answered, got.total.answered, got.in_flight, got.waiting) == (1, 2, 1, 0)
    assert got.window.time_s == pytest.approx(0.75)
    assert got.window.busy_s == pytest.approx(0.15)
    assert got.window.in_flight_s == pytest.approx(0.15)


def test_a_started_slot_knows_nothing_of_the_pod_before():
    """Totals begin anew, and the random numbers of the second pod are others."""
    world = world_of([0.0, 0.5], TENTH)
    world.advance(0.3)
    world.kill(0)
    world.start(0)
    world.advance(1.0)
    assert world.totals(0).answered == 1
    assert world.read_slot(0).window.time_s == pytest.approx(0.7)


def test_round_robin_is_even():
    """Each pod gets each n-th request."""
    plan = plan_of(ConstantArrivals(300.0, 1.0), seed=0)
    world = RequestWorld(RequestConfig(balancing=Balancing.ROUND_ROBIN), (ServerModel(),), plan)
    for slot in range(3):
        world.start(slot)
        world.set_routed(slot, True)
    world.advance(2.0)
    assert [world.totals(slot).answered for slot in range(3)] == [100, 100, 100]


def test_least_request_goes_to_an_idle_pod():
    """While one of two pods is busy, requests go to the other."""
    plan = plan_of(arrivals_of(TimestampTrace(np.array([0.0, 0.3, 0.6, 2.0]), 2.0)), seed=0)
    slow = ServerModel(service=ParametricService(item_s=0.1), size_max=1)
    world = RequestWorld(RequestConfig(balancing=Balancing.LEAST_REQUEST), (slow,), plan)
    for slot, speed in ((0, 0.1), (1, 1.0)):
        world.start(slot, speed=speed)
        world.set_routed(slot, True)
    world.advance(1.9)
    assert sorted([world.totals(0).answered, world.totals(1).answered, world.in_flight(0)]) == [0, 1, 2]


def test_connections_stay_with_their_pod_until_it_goes():
    """An unrouted pod keeps its connections; a killed one loses them to the pod that is routed."""
    plan = plan_of(ConstantArrivals(100.0, 3.0), seed=0)
    config = RequestConfig(balancing=Balancing.CONNECTION, connections=5)
    world = RequestWorld(config, (ServerModel(),), plan)
    world.start(0)
    world.set_routed(0, True)
    world.advance(1.0)
    world.start(1)
    world.set_routed(1, True)
    world.set_routed(0, False)
    world.advance(2.0)
    assert (world.totals(0).answered, world.totals(1).answered) == (200, 0)
    world.kill(0)
    world.advance(4.0)
    assert world.totals(1).answered == 100


def test_counts_of_a_trace_are_exact_in_every_bin():
    """Whatever the spacing, each bin of the trace gets its own count."""
    counts = np.array([5.0, 0.0, 1000.0, 1.0, 300.0])
    for spacing in ("poisson", "constant"):
        plan = plan_of(CountArrivals(CountTrace(2.0, counts), spacing), seed=0)
        world = RequestWorld(RequestConfig(interval_s=2.0), (ServerModel(),), plan)
        world.advance(20.0)
        assert world.series().arrived[:5].tolist() == counts.tolist()


def test_recorded_arrivals_are_those_of_the_load_generator():
    """Chunks of another process are played as they are, across the ends of chunks."""
    process = PoissonArrivals(9000.0, 3.0)
    times_s = np.concatenate(list(process.chunks(np.random.default_rng([7, 0]))))
    server = ServerModel(service=ParametricService(item_s=1e-6), size_max=1)
    world = RequestWorld(
        RequestConfig(batch_log_max=40_000), (server,), recorded(process, seed=7), slots_max=1
    )
    world.start(0)
    world.set_routed(0, True)
    world.advance(5.0)
    starts = np.array([line.start_s for line in world.batch_log() if line.cause is None])
    assert world.balance().arrived == times_s.size
    assert np.isin(starts, times_s).mean() > 0.95  # the others had to wait a microsecond


def test_intervals_may_be_asked_for_at_any_time():
    """Latencies between two times are those of their intervals, also of the unfinished one."""
    world = world_of([0.1, 1.1, 1.2, 2.1], TENTH)
    world.advance(2.9)
    assert [int(world.latency_between(k, k + 1.0).sum()) for k in range(4)] == [1, 2, 1, 0]
    series = world.series()
    assert series.arrived.tolist() == [1, 2, 1]
    assert np.isfinite(series.quantiles_s).all()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda world: world.start(0), "slot: must be one without a pod, got 0"),
        (lambda world: world.start(1, 3), "server: must be 0 to 0, got 3"),
        (lambda world: world.start(-1), "slot: must be 0 to 999999, got -1"),
        (lambda world: world.kill(7), "slot: must be one with a pod, got 7"),
        (lambda world: world.set_speed(0, 0.0), "speed: must be > 0 and finite, got 0.0"),
        (lambda world: world.totals(9), "slot: must be one that has had a pod, got 9"),
        (lambda world: world.advance(-1.0), "until_s: must be >= 0.0 and finite, got -1.0"),
        (lambda world: world.advance(math.inf), "until_s: must be >= 0.0 and finite, got inf"),
    ],
)
def test_what_cannot_be_is_refused(call, text):
    """Each misuse is named with what must hold."""
    world = world_of([0.5], TENTH)
    with pytest.raises(ValueError, match=text):
        call(world)
