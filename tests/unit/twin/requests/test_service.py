"""Service times come out as they were measured, and settings that cannot be are refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tonnage.errors import SpecError
from tonnage.twin.requests import (
    ClientModel,
    MeasuredService,
    ParametricService,
    RequestConfig,
    ServerModel,
    rng,
)
from tonnage.twin.requests.batching import service_s
from tonnage.twin.requests.building import server_rows, size_rows


def draws(model: ServerModel, items: int, count: int = 20_000) -> np.ndarray:
    table, inverse, _ = server_rows((ServerModel(), model))
    row, share, scale, _ = size_rows((ServerModel(), model))
    stream: Any = np.uint64(rng.key(4))
    out = np.zeros(count)
    for i in range(count):
        out[i], stream = service_s(table[1], 1, items, stream, row, share, scale, inverse)
        stream = np.uint64(stream)
    return out


def test_measured_times_come_back():
    """Quantiles of draws of a measured size are those of its samples."""
    samples = np.random.default_rng(0).gamma(3, 0.001, 4000)
    law = MeasuredService.from_samples({1: [0.001], 4: samples.tolist(), 16: (samples * 3).tolist()})
    got = draws(ServerModel(service=law, size_max=16), 4)
    for q in (0.01, 0.5, 0.9, 0.99):
        assert np.quantile(got, q) == pytest.approx(np.quantile(samples, q), rel=0.05)
    assert got.mean() == pytest.approx(samples.mean(), rel=0.02)
    assert law.mean_s(4) == pytest.approx(samples.mean(), rel=0.01)


def test_between_sizes_times_lie_on_a_line():
    """A size between two measured ones takes what lies between; one beyond grows in proportion."""
    law = MeasuredService.from_samples({2: [0.002], 4: [0.006]})
    model = ServerModel(service=law, size_max=8)
    assert [draws(model, n, 1)[0] for n in (1, 2, 3, 4, 8)] == pytest.approx(
        [0.002, 0.002, 0.004, 0.006, 0.012]
    )
    assert [law.mean_s(n) for n in (1, 3, 8)] == pytest.approx([0.002, 0.004, 0.012])


def test_quantiles_are_scaled_to_their_mean():
    """Where the mean is known, draws have it, though quantiles say nothing of the ends."""
    law = MeasuredService.from_quantiles({1: {1: 0.001, 50: 0.002, 99: 0.005}}, {1: 0.0024})
    got = draws(ServerModel(service=law, size_max=1), 1)
    assert got.mean() == pytest.approx(0.0024, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "deviation"), [("deterministic", 0.0), ("exponential", 1.0), ("lognormal", 0.7)]
)
def test_formulas_have_their_moments(shape, deviation):
    """Mean by size, and standard deviation over mean, are as stated."""
    law = ParametricService(item_s=0.001, batch_s=0.002, shape=shape, variation=0.7)
    got = draws(ServerModel(service=law, size_max=8), 8)
    assert got.mean() == pytest.approx(0.010, rel=0.03)
    assert got.std() / got.mean() == pytest.approx(deviation, abs=0.05)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ServerModel(size_max=0), "size_max: must be 1 to 65536, got 0"),
        (lambda: ServerModel(size_max=4, gather_max=5), "gather_max: must be 1 to size_max (4), got 5"),
        (lambda: ServerModel(queue_max=0), "queue_max: must be 1 to 4194304, got 0"),
        (lambda: ServerModel(deadline_s=0), "deadline_s: must be > 0, got 0"),
        (
            lambda: ServerModel(parallel=2, deadline_s=1),
            "parallel: must be 1 where there is a deadline_s, got 2",
        ),
        (lambda: ServerModel(wait_s_max=math.inf), "wait_s_max: must be >= 0 and finite, got inf"),
        (lambda: ClientModel(retries_max=-1), "retries_max: must be 0 to 100, got -1"),
        (lambda: ClientModel(backoff_s=2), "backoff_s_max: must be at least backoff_s and finite, got 1.0"),
        (lambda: RequestConfig(interval_s=0), "interval_s: must be > 0 and finite, got 0"),
        (lambda: RequestConfig(connections=0, slo_s=0), "connections: must be 1 to 10000000, got 0\nslo_s:"),
        (lambda: ParametricService(), "item_s: must be > 0 where batch_s is 0, got 0"),
        (
            lambda: ParametricService(item_s=1, shape="normal"),
            "shape: must be deterministic, exponential or lognormal, got normal",
        ),
        (lambda: MeasuredService.from_samples({}), "sizes: must be ascending, without repeats and >= 1, got []"),
        (lambda: MeasuredService.from_samples({1: []}), "samples[1]: must hold at least one time, got none"),
        (lambda: MeasuredService.from_samples({1: [-1.0]}), "inverse: must be finite, ascending and >= 0"),
        (lambda: MeasuredService.from_quantiles({2: {}}), "quantiles[2]: must hold at least one quantile"),
    ],
)
def test_what_cannot_be_is_refused(make, text):
    """Each bad value is named with what must hold."""
    with pytest.raises(SpecError) as caught:
        make()
    assert text in str(caught.value)
