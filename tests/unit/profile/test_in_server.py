"""What batches and requests cost in the running server comes back from runs that were made from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.profile.in_server import in_server
from tonnage.profile.load_parts import AfterIdle, CurvePoint
from tonnage.profile.overhead import Fit
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch
from tonnage.profile.pauses import PauseCost

ITEM_S, BATCH_S = 0.0001, 0.0004
EMPTY = Fit(30e-6, 30e-6, True, 1000)
BATCHES = tuple(
    Batch(size=size, steady_s=Distribution.of([BATCH_S + size * ITEM_S]), cpu_s=BATCH_S + size * ITEM_S)
    for size in (1, 2, 4, 8, 16)
)
COLD = PauseCost(((0.001, 0.0002), (0.01, 0.0006)))


def after_idle(ratio: float, request_s: float, batch_s: float, around: float) -> tuple[AfterIdle, ...]:
    """Requests after pauses: half of what is cold is the model's, half the server's (``around`` of it)."""
    found = []
    for pause_s, extra_s in COLD.points:
        compute_s = ratio * (BATCH_S + ITEM_S) + extra_s
        cpu_s = compute_s + request_s + batch_s + around * extra_s
        found.append(
            AfterIdle(
                pause_s=pause_s, requests=50, compute_s=compute_s, cpu_s=cpu_s, latency_s=Distribution.of([cpu_s])
            )
        )
    return tuple(found)


def run(rate: float, size: float, ratio: float, request_s: float, batch_s: float, around: float) -> CurvePoint:
    """Ten seconds at a rate, in batches of a size; who finds the server idle pays for it."""
    requests, batches = int(rate * 10), int(rate * 10 / size)
    items = requests / batches
    warm_s = batches * ratio * (BATCH_S + items * ITEM_S) + batches * batch_s + requests * request_s
    extra_s = COLD.mean(rate)
    # fresh = requests * (1 - busy / 10) while batches are enough, and busy holds what the fresh ones pay
    per_fresh_s = (1 + around) * extra_s
    busy_s = (warm_s + requests * per_fresh_s) / (1 + requests * per_fresh_s / 10)
    fresh = min(batches, requests * (1 - busy_s / 10))
    busy_s = warm_s + fresh * per_fresh_s
    assert fresh > 0 and busy_s < 10
    return CurvePoint(
        purpose="curve", rate_per_s=rate, achieved_per_s=rate, requests=requests, duration_s=10.0, held=True,
        latency_s=Distribution(mean=0.001), error_ratio=0.0, cpu_ratio=busy_s / 10, batch_size_mean=items,
        batches=batches, compute_s=batches * ratio * (BATCH_S + items * ITEM_S) + fresh * extra_s,
    )  # fmt: skip


@given(
    ratio=st.floats(0.95, 1.2), request_s=st.floats(10e-6, 40e-6), batch_s=st.floats(10e-6, 40e-6),
    around=st.floats(0.0, 0.5),
)  # fmt: skip
def test_the_costs_of_which_runs_were_made_come_back(ratio, request_s, batch_s, around):
    """Whatever they cost around an empty model, and whatever pauses cost."""
    runs = [run(rate, size, ratio, request_s, batch_s, around) for rate, size in ((700, 1.2), (2000, 2.0), (3500, 5.0))]
    idle = after_idle(ratio, request_s, batch_s, around)
    found = in_server(runs, BATCHES, idle, EMPTY, workers=1, idle_ratio=0.0)
    assert found.batch_ratio == pytest.approx(ratio, rel=0.02)
    assert found.fit is not None
    assert found.fit.per_request_s + found.fit.per_batch_s / 5 == pytest.approx(
        request_s + batch_s / 5, rel=0.1, abs=2e-6
    )


def test_batches_of_one_size_scale_what_an_empty_model_told():
    """A request's cost and a batch's cannot be told apart there; together they are right."""
    runs = [run(rate, 1.0, 1.0, 40e-6, 40e-6, 0.0) for rate in (400, 900)]
    found = in_server(runs, BATCHES, after_idle(1.0, 40e-6, 40e-6, 0.0), EMPTY, workers=1, idle_ratio=0.0)
    assert found.fit is not None
    assert found.fit.per_request_s + found.fit.per_batch_s == pytest.approx(80e-6, rel=0.05)
    assert found.fit.per_request_s == pytest.approx(found.fit.per_batch_s)


def test_runs_that_did_not_hold_tell_nothing():
    """Refusals and queues that grow are no measure of a request."""
    failed = run(1200, 2.0, 1.1, 40e-6, 40e-6, 0.0).model_copy(update={"held": False})
    found = in_server([failed], BATCHES, (), EMPTY, workers=1, idle_ratio=0.0)
    assert found.batch_ratio is None
    assert found.fit == EMPTY


def test_a_ratio_that_caches_do_not_explain_is_left_out():
    """Batches that take seven times as long were measured beside something else."""
    slow = run(100, 1.0, 7.0, 40e-6, 40e-6, 0.0)
    assert in_server([slow], BATCHES, (), EMPTY, workers=1, idle_ratio=0.0).batch_ratio is None
