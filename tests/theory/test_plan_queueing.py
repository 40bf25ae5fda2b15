"""The queueing estimate against closed forms, and against a simulation that shares no code with it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonnage.plan.lattice import decay_of
from tonnage.plan.queueing import UTILIZATION_MAX, Estimate, estimate
from tonnage.plan.service_time import FloatArray, ServiceLaw
from tonnage.profile.pauses import PauseCost

PERCENTILES = (50.0, 95.0, 99.0)


def law(rows: list[list[float]], weights: list[float] | None = None) -> ServiceLaw:
    shares = weights if weights is not None else [1 / len(rows[0])] * len(rows[0])
    return ServiceLaw(times_s=np.array(rows), weights=np.array(shares))


def linear(size: int, batch_s: float, item_s: float, spread: tuple[float, ...] = (1.0,)) -> ServiceLaw:
    return law([[(batch_s + item_s * n) * factor for factor in spread] for n in range(1, size + 1)])


def exponential(cells: int) -> ServiceLaw:
    return law([[-math.log(1 - (cell + 0.5) / cells) for cell in range(cells)]])


def solved(service: ServiceLaw, share: float) -> Estimate:
    result = estimate(service, share * service.capacity_per_s)
    assert result is not None
    return result


def simulated(service: ServiceLaw, rate_per_s: float, seed: int, requests: int) -> tuple[FloatArray, float]:
    """Latencies and mean batch of one simulated queue: whoever waits when the model is free goes next.

    An unfilled batch is held until its oldest request has waited ``wait_max_s``.
    """
    random = np.random.default_rng(seed)
    arrivals = np.cumsum(random.exponential(1 / rate_per_s, requests)).tolist()
    cells = random.choice(service.weights.size, p=service.weights, size=requests)
    latencies = np.empty(requests)
    free_s, first, batches = 0.0, 0, 0
    while first < requests:
        filled = first + service.size_max - 1
        filled_s = arrivals[filled] if filled < requests else math.inf
        start_s = max(free_s, min(arrivals[first] + service.wait_max_s, filled_s))
        after = first + 1
        while after < requests and after - first < service.size_max and arrivals[after] <= start_s:
            after += 1
        free_s = start_s + float(service.times_s[after - first - 1, cells[first]])
        latencies[first:after] = free_s - np.array(arrivals[first:after])
        first, batches = after, batches + 1
    return latencies[requests // 10 :], requests / batches


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.8, 0.9, 0.99])
def test_md1_mean_wait(share):
    """Batches of one with constant service wait as M/D/1 says: rho / (2 (1 - rho)) services."""
    assert solved(law([[1.0]]), share).waiting_mean_s == pytest.approx(share / (2 * (1 - share)), rel=2e-3)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
def test_md1_distribution(share):
    """The whole distribution of the wait is that of M/D/1 (Crommelin's formula)."""
    result = solved(law([[1.0]]), share)
    for wait_s in (0.5, 1.5, 2.5, 3.5):
        terms = [
            (share * (k - wait_s)) ** k / math.factorial(k) * math.exp(-share * (k - wait_s))
            for k in range(math.floor(wait_s) + 1)
        ]
        exact = (1 - share) * sum(terms)
        found = float(np.interp(1.0 + wait_s, result.times_s, result.within))
        assert found == pytest.approx(exact, abs=2e-3)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.9])
def test_mm1_percentiles(share):
    """With exponential service the latency is exponential with mean 1 / (mu - lambda)."""
    service = exponential(4000)
    result = solved(service, share)
    mean_s = 1 / (1 - share)
    assert result.mean_s == pytest.approx(mean_s, rel=0.01)
    for percentile in PERCENTILES:
        assert result.at(percentile) == pytest.approx(-mean_s * math.log(1 - percentile / 100), rel=0.01)


@given(
    times=st.lists(st.floats(0.2, 5.0), min_size=1, max_size=6),
    share=st.floats(0.05, 0.95),
)
@settings(max_examples=40, deadline=None)
def test_pollaczek_khinchine(times, share):
    """Batches of one wait, on average, what Pollaczek and Khinchine say for any service times."""
    service = law([times])
    mean_s = float(np.mean(times))
    exact = share / (1 - share) * float(np.mean(np.square(times))) / (2 * mean_s)
    assert solved(service, share).waiting_mean_s == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_tail_of_a_batch_queue(share):
    """Long waits fall, with each further full batch, as the root of Bailey's equation says."""
    size = 8
    rate = share * size
    service = law([[1.0]] * size)
    decay = decay_of(rate, service.times_s[-1], service.weights, size)
    assert decay**size * math.exp(rate * (1 / decay - 1)) == pytest.approx(1.0, rel=1e-9)
    result = solved(service, share)
    # every wait of the tail falls by decay**size in each further service
    tail = 1 - np.interp([6.0, 7.0], result.times_s, result.within)
    if tail[0] > 1e-7:
        assert tail[1] / tail[0] == pytest.approx(decay**size, rel=0.02)


@pytest.mark.parametrize(
    ("service", "share"),
    [
        (linear(8, 1.0, 0.1), 0.3),
        (linear(8, 1.0, 0.1), 0.8),
        (linear(32, 1.0, 0.05), 0.6),
        (linear(32, 1.0, 0.6), 0.8),
        (linear(64, 1.0, 0.2), 0.5),
        (linear(16, 1.0, 0.1, spread=(0.8, 0.9, 1.0, 1.1, 2.5)), 0.7),
        (linear(1, 1.0, 0.0, spread=(0.2, 0.5, 3.0)), 0.6),
    ],
)
def test_against_a_simulation(service, share):
    """Percentiles and batches lie where independent simulated runs put them."""
    rate = share * service.capacity_per_s
    runs = [simulated(service, rate, seed, 40_000) for seed in range(12)]
    result = solved(service, share)
    measures = {p: [float(np.percentile(latencies, p)) for latencies, _ in runs] for p in PERCENTILES}
    found = {p: result.at(p) for p in PERCENTILES}
    measures[0.0], found[0.0] = [batch for _, batch in runs], result.batch_size_mean
    for key, values in measures.items():
        error = 4 * float(np.std(values, ddof=1)) / math.sqrt(len(values))
        assert abs(found[key] - float(np.mean(values))) <= error + 0.005 * found[key], key


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("wait_s", [0.2, 1.0, 5.0])
def test_a_batch_delay_is_not_underestimated_where_larger_batches_cost_little(share, wait_s):
    """For a model whose batch of 32 takes 2.6 times that of one, adding the whole delay is on the safe side."""
    plain = linear(32, 1.0, 0.05)
    held = ServiceLaw(times_s=plain.times_s, weights=plain.weights, wait_max_s=wait_s)
    rate = share * held.capacity_per_s
    latencies = np.concatenate([simulated(held, rate, seed, 30_000)[0] for seed in range(3)])
    result = solved(held, share)
    for percentile in PERCENTILES:
        assert result.at(percentile) >= float(np.percentile(latencies, percentile)) * 0.99


def test_an_idle_replica_takes_one_service():
    """At almost no load everybody is alone in a batch and waits for nobody."""
    service = linear(16, 1.0, 0.5, spread=(0.9, 1.1))
    result = solved(service, 1e-6)
    assert result.batch_size_mean == pytest.approx(1.0, abs=1e-4)
    assert result.mean_s == pytest.approx(1.5, rel=1e-3)
    assert result.at(99) == pytest.approx(1.65, rel=0.01)


def test_workers_are_queues_of_their_own():
    """Two workers at twice the rate are each as one worker at the rate."""
    one = linear(8, 1.0, 0.1)
    two = ServiceLaw(times_s=one.times_s, weights=one.weights, workers=2)
    single, double = estimate(one, 2.0), estimate(two, 4.0)
    assert single is not None
    assert double is not None
    assert double.at(99) == single.at(99)
    assert double.rate_per_s == 4.0


def test_beyond_capacity_there_is_no_estimate():
    """A queue that would grow without end has no latency."""
    service = linear(8, 1.0, 0.1)
    assert estimate(service, service.capacity_per_s * (UTILIZATION_MAX + 0.001)) is None
    assert estimate(service, service.capacity_per_s * (UTILIZATION_MAX - 0.001)) is not None


@given(
    size=st.integers(1, 24),
    item_s=st.floats(0.0, 1.0),
    spread=st.sampled_from([(1.0,), (0.8, 1.2), (0.7, 0.9, 1.0, 1.1, 3.0)]),
    low=st.floats(0.02, 0.9),
    more=st.floats(1.05, 2.0),
)
@settings(max_examples=40, deadline=None)
def test_more_rate_never_lowers_the_latency(size, item_s, spread, low, more):
    """The estimate is monotone in the rate, to the step of its lattice."""
    service = linear(size, 1.0, item_s, spread)
    less, greater = solved(service, low), solved(service, min(low * more, UTILIZATION_MAX - 1e-6))
    for percentile in PERCENTILES:
        assert greater.at(percentile) >= less.at(percentile) * (1 - 0.005)


@given(size=st.integers(1, 40), share=st.floats(0.01, 0.99), spread=st.floats(0.0, 0.9))
@settings(max_examples=40, deadline=None)
def test_probabilities_sum_to_one(size, share, spread):
    """Every request is answered, and never before its own batch could be done."""
    service = linear(size, 1.0, 0.2, (1 - spread, 1.0, 1 + spread))
    result = solved(service, share)
    assert result.within[-1] == pytest.approx(1.0, abs=1e-4)
    assert bool(np.all(np.diff(result.within) >= 0))
    assert result.at(0.001) >= float(service.times_s.min()) - float(result.times_s[4])
    assert 1.0 - 1e-9 <= result.batch_size_mean <= size + 1e-9


@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
@pytest.mark.parametrize("extra", [0.5, 2.0])
def test_a_first_service_that_takes_longer_waits_as_theory_says(share, extra):
    """M/G/1 with an exceptional first service in each busy time.

    Source: Welch, On a generalized M/G/1 queuing process in which the first customer of each busy period
    receives exceptional service, Oper. Res. 12 (1964); mean wait by the balance of the squared work.
    """
    plain = linear(1, 0.0, 0.001, (0.5, 1.0, 1.5))
    service = replace(plain, pause_cost=PauseCost(((1e-9, extra * 0.001),)))
    found = solved(service, share)
    rate, mean = share / 0.001, 0.001
    square = float((service.times_s[0] ** 2) @ service.weights)
    first = float(((service.times_s[0] + extra * 0.001) ** 2) @ service.weights)
    idle = (1 - share) / (1 - share + rate * (mean + extra * 0.001))
    theory = rate * ((1 - idle) * square + idle * first) / (2 * (1 - share))
    assert found.waiting_mean_s == pytest.approx(theory, rel=0.02)
    assert found.mean_s == pytest.approx(theory + mean + idle * extra * 0.001, rel=0.02)
