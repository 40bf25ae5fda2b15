"""The kernel against queueing theory: the known answer lies inside the interval of seeded replications.

Each case runs ``REPLICATIONS`` worlds with seeds 0, 1, ... from empty, leaves out the warm-up, and takes the
mean of each. Theory must lie inside the 99.9% interval of Student's t over these means, and the interval
must be narrow enough to say something. Seeds are fixed, so a case passes always or never.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tonnage.profile.pauses import PauseCost
from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import (
    Balancing,
    Cause,
    ParametricService,
    RequestConfig,
    RequestWorld,
    ServerModel,
    SlotTotals,
    plan_of,
)

pytestmark = pytest.mark.timeout(600)

REPLICATIONS = 20
T_999 = 3.883
"""Student's t, 19 degrees of freedom, 99.95% one-sided."""
WARM_UP = 0.1
"""Share of a run that is left out."""


def agrees(samples: list[float], theory: float, *, width_max: float = 0.03) -> None:
    """Theory lies inside the interval, and the interval is narrow [relative half-width]."""
    mean = float(np.mean(samples))
    half = T_999 * float(np.std(samples, ddof=1)) / math.sqrt(len(samples))
    assert half < width_max * theory, f"{mean:.6g} +- {half:.2g} says too little about {theory:.6g}"
    assert abs(mean - theory) <= half, f"{mean:.6g} +- {half:.2g}, theory says {theory:.6g}"


def replicated(
    server: ServerModel,
    rate_per_s: float,
    measure: Callable[[SlotTotals], float],
    *,
    requests: int = 300_000,
    pods: int = 1,
    balancing: Balancing = Balancing.RANDOM,
) -> list[float]:
    """The measure of pod 0 after warm-up, from each replication."""
    duration_s = requests / rate_per_s
    found = []
    for seed in range(REPLICATIONS):
        plan = plan_of(PoissonArrivals(rate_per_s, duration_s), seed=seed)
        config = RequestConfig(balancing=balancing, interval_s=duration_s / 10)
        world = RequestWorld(config, (server,), plan, slots_max=pods, seed=seed)
        for slot in range(pods):
            world.start(slot)
            world.set_routed(slot, True)
        world.advance(WARM_UP * duration_s)
        world.read_slot(0)
        world.advance(duration_s)
        found.append(measure(world.read_slot(0).window))
    return found


def wait_s(window: SlotTotals) -> float:
    return window.wait_s / window.answered


def sojourn_s(window: SlotTotals) -> float:
    return window.latency_s / window.answered


def in_system(window: SlotTotals) -> float:
    return window.in_flight_s / window.time_s


def single(shape: str, mean_s: float = 1.0, **more: object) -> ServerModel:
    law = ParametricService(batch_s=mean_s, shape=shape, **more)
    return ServerModel(service=law, size_max=1, queue_max=1 << 16)


@pytest.mark.parametrize("load", [0.3, 0.7, pytest.param(0.9, marks=pytest.mark.slow)])
def test_mm1(load):
    """M/M/1: mean wait and mean number in system. Source: Kleinrock, Queueing Systems I, (3.24), (3.26)."""
    server, size = single("exponential"), 300_000 if load < 0.8 else 1_500_000
    agrees(replicated(server, load, wait_s, requests=size), load / (1 - load), width_max=0.05)
    agrees(replicated(server, load, in_system, requests=size), load / (1 - load), width_max=0.05)


def test_mm1_whole_distribution():
    """M/M/1: the time in system is exponential, so each quantile is known. Source: ibid., (5.119)."""
    load = 0.7
    for q in (0.5, 0.9, 0.99):
        theory_s = -math.log(1 - q) / (1 - load)
        samples = replicated(single("exponential"), load, lambda w, q=q: w.quantile_s(q) or 0.0)
        # a bucket is 2% wide and stands for its middle
        assert abs(np.mean(samples) / theory_s - 1) < 0.02


def test_busy_time_is_the_load():
    """The share of busy time is the arrival rate times the mean service time."""
    agrees(replicated(single("lognormal"), 0.6, lambda w: w.busy_s / w.time_s), 0.6, width_max=0.01)


@pytest.mark.parametrize("places", [2, 8])
def test_mmc(places):
    """M/M/c: mean wait by Erlang's C formula. Source: ibid., (3.40)."""
    load = 0.8
    offered = load * places
    tail = offered**places / math.factorial(places) / (1 - load)
    waits = tail / (sum(offered**k / math.factorial(k) for k in range(places)) + tail)
    law = ParametricService(batch_s=1.0, shape="exponential")
    server = ServerModel(service=law, size_max=1, queue_max=1 << 16, parallel=places)
    samples = replicated(server, offered, wait_s, requests=600_000)
    agrees(samples, waits / (places - offered), width_max=0.05)


def test_md1():
    """M/D/1: half the wait of M/M/1. Source: ibid., (5.69) with no variance."""
    load = 0.8
    agrees(replicated(single("deterministic"), load, wait_s, requests=600_000), load / (2 * (1 - load)))


@pytest.mark.parametrize("variation", [0.5, 1.5])
def test_mg1(variation):
    """M/G/1: Pollaczek and Khinchine's mean wait. Source: ibid., (5.69)."""
    load = 0.6
    theory_s = load * (1 + variation**2) / (2 * (1 - load))
    server = single("lognormal", variation=variation)
    agrees(replicated(server, load, wait_s, requests=600_000), theory_s, width_max=0.06)


@pytest.mark.parametrize("load", [0.3, 0.8])
def test_mg1_with_a_longer_first_service(load):
    """Who finds the server idle takes longer: the wait by the balance of the squared work.

    Source: Welch, On a generalized M/G/1 queuing process in which the first customer of each busy period
    receives exceptional service, Oper. Res. 12 (1964).
    """
    extra = 0.7
    idle = (1 - load) / (1 - load + load * (1 + extra))
    theory_s = load * ((1 - idle) + idle * (1 + extra) ** 2) / (2 * (1 - load))
    server = replace(single("deterministic"), pause_cost=PauseCost(((1e-9, extra),)))
    agrees(replicated(server, load, wait_s, requests=600_000), theory_s)


def test_mm1k_refuses_the_known_share():
    """M/M/1/K: the share of refused requests. Source: ibid., (3.43)."""
    load, room = 0.9, 6
    law = ParametricService(batch_s=1.0, shape="exponential")
    server = ServerModel(service=law, size_max=1, queue_max=room - 1)
    theory = (1 - load) * load**room / (1 - load ** (room + 1))

    def refused(window: SlotTotals) -> float:
        full = window.failures(Cause.QUEUE_FULL)
        return full / (full + window.answered)

    agrees(replicated(server, load, refused), theory, width_max=0.05)


@pytest.mark.parametrize(("size_max", "load"), [(4, 0.5), (8, 0.9)])
def test_bulk_service(size_max, load):
    """M/M[b]/1, up to b at a time, alike for any number: mean wait from the root of its characteristic.

    Source: Bailey's general bulk service rule with a = 1, as in Medhi, Stochastic Models in Queueing
    Theory, 2nd ed., section 4.2.2: busy with n waiting has probability A r**n, where
    mu r**(b+1) - (lambda + mu) r + lambda = 0 and idle has A mu / lambda.
    """
    rate = load * size_max
    roots = np.roots([1.0, *[0.0] * (size_max - 1), -(rate + 1), rate])
    root = next(float(r.real) for r in roots if abs(r.imag) < 1e-9 and 0 < r.real < 1 - 1e-9)
    share = 1 / (1 / rate + 1 / (1 - root))
    theory_s = share * root / (1 - root) ** 2 / rate
    law = ParametricService(batch_s=1.0, shape="exponential")
    server = ServerModel(service=law, size_max=size_max, queue_max=1 << 16)
    agrees(replicated(server, rate, wait_s, requests=800_000), theory_s, width_max=0.05)


def test_bulk_service_of_fixed_length():
    """M/D[b]/1: mean number waiting at departures, from the embedded chain solved by numbers.

    Source: the chain of what a batch leaves behind, ibid., section 6.3: after a batch that found n,
    max(n - b, 0) and what came meanwhile; one alone starts at once when none is left.
    """
    size_max, rate, states = 4, 2.8, 400
    came = np.array([math.exp(-rate + k * math.log(rate) - math.lgamma(k + 1)) for k in range(states)])
    chain = np.zeros((states, states))
    for left in range(states):
        kept = max((left or 1) - size_max, 0)
        chain[left, kept:] = came[: states - kept]
        chain[left, -1] += 1 - chain[left].sum()
    found = np.linalg.matrix_power(chain, 1 << 14)[0]
    # of the waits: all that wait when a batch starts, its own apart, wait on for one length of service,
    # and what comes meanwhile waits for half of it on average
    cycle_s = 1 + found[0] / rate
    waiting_after_start = sum(p * max(n - size_max, 0) for n, p in enumerate(found) if n)
    theory_s = (waiting_after_start + rate / 2) / cycle_s / rate
    law = ParametricService(batch_s=1.0)
    server = ServerModel(service=law, size_max=size_max, queue_max=1 << 16)
    agrees(replicated(server, rate, wait_s, requests=600_000), theory_s)


@pytest.mark.slow
def test_round_robin_makes_arrivals_more_even():
    """Two pods in turn: each is an E2/M/1 queue, whose mean wait has a known root.

    Source: Kleinrock, Queueing Systems I, (6.30), (6.36): sigma = A*(mu - mu sigma), wait sigma / (mu (1 - sigma)).
    """
    rate = 1.6
    sigma = 0.5
    for _ in range(200):
        sigma = (rate / (rate + 1 - sigma)) ** 2
    samples = replicated(
        single("exponential"), rate, wait_s, requests=1_000_000, pods=2, balancing=Balancing.ROUND_ROBIN
    )
    agrees(samples, sigma / (1 - sigma))


@pytest.mark.slow
def test_random_balancing_keeps_arrivals_poisson():
    """Of ten pods at random each is an M/M/1 queue with a tenth of the load."""
    samples = replicated(single("exponential"), 7.0, wait_s, requests=3_000_000, pods=10)
    agrees(samples, 0.7 / 0.3, width_max=0.04)


@pytest.mark.slow
def test_better_informed_balancing_waits_less():
    """Least request waits less than two choices, and these less than random, at the same load."""
    means = [
        float(np.mean(replicated(single("exponential"), 8.0, wait_s, pods=10, balancing=one)))
        for one in (Balancing.LEAST_REQUEST, Balancing.TWO_CHOICES, Balancing.RANDOM)
    ]
    assert means[0] < means[1] < means[2]
