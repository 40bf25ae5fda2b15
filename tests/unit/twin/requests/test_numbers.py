"""The kernel's random numbers and buckets, against theory and against the server's own histogram."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.metrics import histogram
from tonnage.twin.requests import buckets, rng
from tonnage.twin.requests.compiled import inner

N = 200_000


@inner
def _exponentials(counter: Any, out: Any) -> None:
    for i in range(out.size):
        out[i], counter = rng.exponential(counter)


@inner
def _normals(counter: Any, out: Any) -> None:
    for i in range(out.size):
        out[i], counter = rng.normal(counter)


@inner
def _uniforms(counter: Any, out: Any) -> None:
    for i in range(out.size):
        counter = counter + rng.GAMMA
        out[i] = rng.uniform(rng.scrambled(counter))


def drawn(fill: Any, *parts: int) -> np.ndarray:
    out = np.zeros(N)
    fill(np.uint64(rng.key(*parts)), out)
    return out


def distance(sample: np.ndarray, cumulative: Any) -> float:
    """Kolmogorov's distance between a sample and a distribution function, times the root of its size."""
    ordered = np.sort(sample)
    expected = cumulative(ordered)
    steps = np.arange(1, sample.size + 1) / sample.size
    return float(np.abs(np.concatenate([steps - expected, expected - steps + 1 / sample.size])).max()) * N**0.5


@pytest.mark.parametrize(
    ("fill", "cumulative"),
    [
        (_uniforms, lambda x: x),
        (_exponentials, lambda x: -np.expm1(-x)),
        (_normals, lambda x: 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    ],
)
def test_numbers_have_their_distribution(fill, cumulative):
    """Kolmogorov's distance stays below its 99.99% quantile, and neighbours are not correlated."""
    sample = drawn(fill, 1)
    assert distance(sample, cumulative) < 2.23
    assert abs(np.corrcoef(sample[1:], sample[:-1])[0, 1]) < 4 / N**0.5


def test_the_tail_of_the_ziggurat_is_exponential():
    """Beyond the lowest layer numbers are as frequent, and as far out, as they must be."""
    sample = np.concatenate([drawn(_exponentials, seed) for seed in range(20)])
    beyond = sample[sample > rng.TAIL] - rng.TAIL
    expected = sample.size * math.exp(-rng.TAIL)
    assert abs(beyond.size - expected) < 4 * expected**0.5
    assert abs(beyond.mean() - 1) < 4 / beyond.size**0.5


def test_streams_do_not_share_numbers():
    """Streams of different keys are not correlated, and no number occurs in both."""
    one, two = drawn(_uniforms, 1, 2), drawn(_uniforms, 2, 1)
    assert abs(np.corrcoef(one, two)[0, 1]) < 4 / N**0.5
    assert np.intersect1d(one, two).size == 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 10**6))
def test_choices_are_in_range(bits, bound):
    """A number below a bound is one."""
    assert 0 <= rng.below(np.uint64(bits), bound) < bound


def test_choices_are_even():
    """Each of seven is as likely as any."""
    bits = [np.uint64(int(x * 2**32)) for x in drawn(_uniforms, 9)[:70_000]]
    counts = np.bincount([rng.below(one, 7) for one in bits])
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 27.9  # chi squared, 6 degrees of freedom, 99.99%


def bucket(seconds: float) -> int:
    return buckets.bucket_of(seconds, buckets.UPPER_S, buckets.CELLS)


@given(st.floats(0, 1000) | st.floats(1e-7, 1e-3) | st.sampled_from([-1.0, 0.0, 1e-300, 1e300, math.inf]))
def test_buckets_are_the_servers(seconds):
    """Any duration falls into the bucket in which the server counts it."""
    assert bucket(seconds) == histogram.indices(np.array([seconds]))[0]


def test_bounds_are_the_servers():
    """A value on a bound, and a hair to either side, falls where the server puts it; 0.1 s is a bound."""
    bounds = 0.1 * 2.0 ** (np.arange(-13 * 36, 10 * 36 + 1) / 36)
    for factor in (1.0, 1 + 1e-9, 1 - 1e-9):
        values = bounds * factor
        assert [bucket(value) for value in values] == histogram.indices(values).tolist()
    assert buckets.BUCKETS == histogram.BUCKETS
    assert bucket(0.1) + 1 == bucket(0.1 * (1 + 1e-9))


@given(st.lists(st.floats(1e-6, 200), min_size=1, max_size=50), st.floats(0.01, 1))
def test_quantiles_are_the_servers(values, q):
    """The same counts give the same quantile, also when only the used stretch is given."""
    counts = np.zeros(histogram.BUCKETS, np.int64)
    histogram.add(counts, np.array(values))
    expected = histogram.quantile(counts, q)
    assert buckets.quantile(counts, q) == pytest.approx(expected, rel=1e-12)
    first = int(np.flatnonzero(counts)[0])
    assert buckets.quantiles(counts[first:], (q,), first=first)[0] == pytest.approx(expected, rel=1e-12)


def test_without_counts_there_is_no_quantile():
    """Nothing counted is None, or NaN in a row."""
    assert buckets.quantile(np.zeros(buckets.BUCKETS), 0.5) is None
    assert np.isnan(buckets.quantiles(np.zeros(0), (0.5, 0.9))).all()
