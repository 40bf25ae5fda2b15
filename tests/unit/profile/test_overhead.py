"""The server's costs are found again in runs that were made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.profile.overhead import Cost, fit_overhead

US = 1e-6


def run(requests: int, batches: int, per_request: float, per_batch: float, factor: float = 1.0) -> Cost:
    return Cost((per_request * requests + per_batch * batches) * factor, requests, batches)


@given(
    st.floats(1 * US, 1e-3),
    st.floats(5 * US, 1e-3),
    st.lists(st.tuples(st.integers(50, 10_000), st.floats(0.05, 1.0)), min_size=3, max_size=8),
)
def test_exact_runs_give_their_costs_back(
    per_request: float, per_batch: float, runs: list[tuple[int, float]]
) -> None:
    """Without noise the fit is exact, once batches differ enough in size."""
    costs = [run(n, max(1, int(n * share)), per_request, per_batch) for n, share in runs]
    fit = fit_overhead(costs)
    assert fit is not None
    assert fit.requests == sum(n for n, _ in runs)
    if fit.separate:
        assert fit.per_request_s == pytest.approx(per_request, rel=1e-3, abs=1e-9)
        assert fit.per_batch_s == pytest.approx(per_batch, rel=1e-3, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 999), st.integers(1, 999)), min_size=1, max_size=9))
def test_costs_are_never_negative(runs: list[tuple[float, int, int]]) -> None:
    """Whatever noise does, neither cost falls below zero."""
    fit = fit_overhead([Cost(cpu, n, min(n, batches)) for cpu, n, batches in runs])
    assert fit is not None
    assert fit.per_request_s >= 0
    assert fit.per_batch_s >= 0


def test_equal_batches_are_not_told_apart() -> None:
    """When every request is a batch, both costs are one, and it says so."""
    fit = fit_overhead([run(100, 100, 20 * US, 30 * US), run(900, 900, 20 * US, 30 * US)])
    assert fit is not None
    assert not fit.separate
    assert fit.per_request_s == pytest.approx(50 * US)
    assert fit.per_batch_s == 0


def test_a_slope_that_is_lost_in_noise_is_not_believed() -> None:
    """Runs that differ from each other by more than from a flat line tell one cost."""
    noisy = [(1.0, 1000), (2.0, 1000), (1.0, 100), (1.9, 100)]
    fit = fit_overhead([run(1000, batches, 40 * US, 2 * US, factor) for factor, batches in noisy])
    assert fit is not None
    assert not fit.separate


def test_without_runs_there_is_no_fit() -> None:
    """Nothing is made up."""
    assert fit_overhead([]) is None
