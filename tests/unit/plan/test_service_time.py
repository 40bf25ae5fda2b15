"""From measured batches to the law of service times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_makers import make_profile

from tonnage.plan.service_time import ServiceLaw, cell_weights, cells_of, law_from_batches, service_law
from tonnage.profile.part import Distribution


def test_cells_keep_the_mean_and_the_tail():
    """Quantiles come back from the cells, and their mean is the measured one."""
    quantiles = {"p1": 0.8, "p50": 1.0, "p95": 1.2, "p99": 2.0, "p99.9": 4.0}
    cells = cells_of(Distribution(mean=1.05, quantiles=quantiles))
    assert float(cells @ cell_weights()) == pytest.approx(1.05)
    within = np.cumsum(cell_weights())
    assert float(np.interp(0.99, within, cells)) == pytest.approx(2.0, rel=0.1)


def test_a_mean_alone_is_a_constant():
    """An import that has only means gives times without spread."""
    assert cells_of(Distribution(mean=0.003)).tolist() == pytest.approx([0.003] * cell_weights().size)


def test_sizes_between_two_measured_ones_lie_on_the_line():
    """Cell by cell; beyond the largest, in proportion to the items."""
    measured = {1: np.array([1.0, 2.0]), 4: np.array([4.0, 8.0])}
    times = law_from_batches(measured, size_max=8, weights=np.array([0.5, 0.5]))
    assert times[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert times[7].tolist() == [8, 16]


@given(mean=st.floats(1e-6, 100), values=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=4))
def test_the_mean_is_kept_whatever_the_quantiles(mean, values):
    names = ("p10", "p50", "p90", "p99")
    ordered = sorted(value * mean for value in values)
    quantiles = dict(zip(names, ordered, strict=False))
    cells = cells_of(Distribution(mean=mean, quantiles=quantiles))
    assert float(cells @ cell_weights()) == pytest.approx(mean)
    assert bool(np.all(np.diff(cells) >= -1e-12 * mean))


def overhead(per_request_s: float, per_batch_s: float) -> dict:
    return {
        "perRequestSeconds": per_request_s,
        "perBatchSeconds": per_batch_s,
        "idleRatio": 0.0,
        "requests": 1000,
    }


def test_overhead_on_one_core_holds_the_batch_up():
    """Where server and model share a core, each request of a batch makes it longer."""
    profile = make_profile(overhead=overhead(1e-4, 2e-4))
    shared = service_law(profile, size_max=16, wait_max_s=0, workers=1, cores=1)
    apart = service_law(profile, size_max=16, wait_max_s=0, workers=1, cores=2)
    assert shared.mean_s(16) == pytest.approx(0.01 + 2e-4 + 16e-4)
    assert shared.fixed_s == 0
    assert apart.mean_s(16) == pytest.approx(0.01)
    assert apart.fixed_s == pytest.approx(3e-4)
    assert apart.requests_max_per_s == pytest.approx(1e4)


def test_batches_that_do_not_pay_are_not_gathered():
    """A batch of 16 that takes as long as sixteen of one is not made, as the server's warm-up decides."""
    profile = make_profile(batch_s=0.0, item_s=0.02)
    assert service_law(profile, size_max=16, wait_max_s=0.001, workers=1, cores=1).size_max == 1


def test_what_the_document_gathers_is_planned_with():
    """Whatever warm-up would have measured."""
    profile = make_profile(batch_s=0.0, item_s=0.02)
    law = service_law(profile, size_max=16, gather_max=4, wait_max_s=0.001, workers=1, cores=1)
    assert law.size_max == 4


def test_a_lone_request_takes_a_batch_of_one():
    """Without load latency is one service, what is fixed, and the batch delay."""
    law = ServiceLaw(np.array([[1.0, 2.0]]), np.array([0.9, 0.1]), fixed_s=0.5, wait_max_s=0.25)
    assert [law.lone_s(percentile) for percentile in (50, 90, 95)] == [1.75, 1.75, 2.75]


def test_workers_multiply_the_capacity():
    """Two workers carry twice as much."""
    profile = make_profile()
    one, two = (service_law(profile, size_max=16, wait_max_s=0, workers=n, cores=n) for n in (1, 2))
    assert two.capacity_per_s == pytest.approx(2 * one.capacity_per_s)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times_s": np.array([[0.0]])}, "times_s: must be finite and > 0"),
        ({"weights": np.array([0.5])}, "weights: must be >= 0 and sum to 1, got 0.5"),
        ({"workers": 0}, "workers: must be >= 1, got 0"),
        ({"fixed_s": -1.0}, "fixed_s: must be >= 0 and finite, got -1.0"),
    ],
)
def test_impossible_laws_are_refused(arguments, message):
    """A law is checked when it is made."""
    with pytest.raises(ValueError, match=message):
        ServiceLaw(**({"times_s": np.array([[1.0]]), "weights": np.array([1.0])} | arguments))
