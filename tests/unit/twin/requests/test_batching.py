"""The compiled batching policy decides exactly as the server's own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonnage.batching import BatchQueue, Limits, Refusal, ServiceTimes, Wait
from tonnage.traffic import TimestampTrace, arrivals_of
from tonnage.twin.requests import (
    Cause,
    MeasuredService,
    ParametricService,
    RequestConfig,
    RequestWorld,
    ServerModel,
    plan_of,
    rng,
)
from tonnage.twin.requests.batching import service_s
from tonnage.twin.requests.building import POD, server_rows, size_rows

pytestmark = pytest.mark.timeout(600)  # the first test compiles the kernel

Line = tuple[Cause | None, float, float, int]
CAUSE_OF = {Refusal.QUEUE_FULL: Cause.QUEUE_FULL, Refusal.DEADLINE: Cause.DEADLINE}
SEED = 5


@dataclass
class Waiting:
    arrived_s: float
    deadline_s: float
    items: int = 1
    group: str = ""
    stream: int = 0


def policy_in_python(times_s: list[float], model: ServerModel) -> Iterator[Line]:
    """One worker as ``server.engine`` drives the policy, with the kernel's draws of service times."""
    known = ServiceTimes(model.size_max)
    known.seed(model.warmup)
    queue: BatchQueue[Waiting] = BatchQueue(
        Limits(model.size_max, model.wait_s_max, model.queue_max, model.gather_max), known
    )
    table, inverse, _ = server_rows((model,))
    row, share, scale, _ = size_rows((model,))
    stream = np.uint64(rng.key(SEED, POD, 0, 1))
    running: tuple[float, float, int] | None = None
    timer_s = math.inf

    def take(now_s: float) -> Iterator[Line]:
        nonlocal running, timer_s, stream
        timer_s = math.inf
        while (decision := queue.take(now_s)) is not None:
            if isinstance(decision, Wait):
                timer_s = decision.until_s
                return
            for _ in decision.late:
                yield Cause.LATE, now_s, now_s, 1
            if decision.requests:
                n = len(decision.requests)
                seconds, after = service_s(table[0], 0, n, stream, row, share, scale, inverse)
                stream = np.uint64(after)
                running = now_s, now_s + (seconds + model.batch_overhead_s + n * model.request_overhead_s), n
                yield None, now_s, running[1], n
                return

    for arrived_s in [*times_s, 1e9]:
        while (event_s := running[1] if running else timer_s) <= arrived_s:
            if running:
                known.observe(running[2], event_s - running[0])
                running = None
            yield from take(event_s)
        if arrived_s == 1e9:
            return
        free_s = max(0.0, running[0] + known.of(running[2]) - arrived_s) if running else None
        refusal = queue.offer(Waiting(arrived_s, arrived_s + model.deadline_s), arrived_s, free_s)
        if refusal is not None:
            yield CAUSE_OF[refusal], arrived_s, arrived_s, 1
        elif running is None:
            yield from take(arrived_s)


def policy_in_kernel(times_s: list[float], model: ServerModel) -> list[Line]:
    plan = plan_of(arrivals_of(TimestampTrace(np.array(times_s), times_s[-1])), seed=0)
    world = RequestWorld(RequestConfig(batch_log_max=10_000, interval_s=1e6), (model,), plan, seed=SEED)
    world.start(0)
    world.set_routed(0, True)
    world.advance(1e9)
    return [(line.cause, line.start_s, line.end_s, line.items) for line in world.batch_log()]


def dyadic(low: int, high: int, unit: float = 2.0**-6) -> st.SearchStrategy[float]:
    """Times of which sums are exact, so that events at one time are common."""
    return st.integers(low, high).map(lambda n: n * unit)


@st.composite
def laws(draw: st.DrawFn) -> ParametricService | MeasuredService:
    shape = draw(st.sampled_from(["deterministic", "exponential", "lognormal", "measured"]))
    if shape == "measured":
        sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True))
        times = st.lists(dyadic(1, 20), min_size=1, max_size=4)
        return MeasuredService.from_samples({size: draw(times) for size in sizes})
    return ParametricService(item_s=draw(dyadic(0, 4)), batch_s=draw(dyadic(1, 16)), shape=shape)


@st.composite
def models(draw: st.DrawFn) -> ServerModel:
    size_max = draw(st.integers(1, 8))
    return ServerModel(
        service=draw(laws()),
        size_max=size_max,
        gather_max=draw(st.none() | st.integers(1, size_max)),
        wait_s_max=draw(st.just(0.0) | dyadic(1, 30)),
        queue_max=draw(st.integers(1, 12)),
        deadline_s=draw(st.just(math.inf) | dyadic(1, 120)),
        batch_overhead_s=draw(st.just(0.0) | dyadic(1, 4)),
        request_overhead_s=draw(st.just(0.0) | dyadic(1, 2)),
        warmup=tuple(draw(st.lists(st.tuples(st.integers(1, 10), dyadic(1, 20)), max_size=4))),
    )


@settings(max_examples=400)
@given(models(), st.lists(dyadic(0, 25), min_size=1, max_size=120))
def test_the_compiled_policy_is_the_servers_own(model: ServerModel, gaps_s: list[float]):
    """The same arrivals and service times give the same batches, refusals and drops, at the same times."""
    times_s = np.cumsum(gaps_s).tolist()
    assert policy_in_kernel(times_s, model) == list(policy_in_python(times_s, model))


def test_the_comparison_covers_every_decision():
    """Under overload with a deadline and a wait, batches, both refusals and late drops all occur."""
    model = ServerModel(
        service=ParametricService(item_s=0.002, batch_s=0.01, shape="lognormal", variation=1.0),
        size_max=4,
        queue_max=9,
        deadline_s=0.06,
        wait_s_max=0.005,
    )
    generator = np.random.default_rng(1)
    times_s = np.cumsum(generator.exponential(0.003, 3000)).tolist()
    got = policy_in_kernel(times_s, model)
    assert got == list(policy_in_python(times_s, model))
    assert {line[0] for line in got} == {None, Cause.DEADLINE, Cause.LATE, Cause.QUEUE_FULL}
