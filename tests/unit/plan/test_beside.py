"""What a profile says beside its batches: slower batches in the server, and a constant part of latency."""

from __future__ import annotations

import pytest

from tonnage.plan.beside import beside_s
from tonnage.plan.service_time import in_server_ratio
from tonnage.profile.load_parts import Capacity, CurvePoint, Objective, Overhead
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Metadata, ModelIdentity, ModelProfile, Settings


def profile(*, p50_s: float, ratio: float | None = None) -> ModelProfile:
    """One item takes 10 ms, always; the curve has one point at a tenth of the sustainable rate."""
    return ModelProfile(
        api_version="tonnage.dev/v1alpha1",
        kind="ModelProfile",
        metadata=Metadata(name="m", created="2026-11-25T00:00:00Z"),
        origin="measured",
        model=ModelIdentity(name="m"),
        batches=(Batch(size=1, steady_s=Distribution(mean=0.01, quantiles={"p50": 0.01})),),
        overhead=Overhead(per_request_s=0, per_batch_s=0, idle_ratio=0, requests=1, batch_ratio=ratio),
        settings=Settings(
            size_max=1,
            wait_max_s=0,
            queue_max=10,
            workers=1,
            threads=1,
            execution="inline",
            payload="random",
            payload_bytes=1,
            seed=0,
            quick=True,
            step_s=1,
        ),
        capacity=Capacity(
            objective=Objective(percentile=99, latency_s=1, origin="option"), sustainable_per_s=50
        ),
        curve=(
            CurvePoint(
                purpose="curve",
                rate_per_s=1,
                achieved_per_s=1,
                latency_s=Distribution(mean=p50_s, quantiles={"p50": p50_s}),
                error_ratio=0,
            ),
        ),
    )


def test_what_the_queue_does_not_explain_is_a_constant():
    """13 ms where the queue says 10 leave 3 ms for sockets and wake-ups."""
    assert beside_s(profile(p50_s=0.013)) == pytest.approx(0.003, abs=3e-4)


def test_a_latency_below_the_queue_leaves_nothing():
    """The constant is never negative."""
    assert beside_s(profile(p50_s=0.008)) == 0.0


@pytest.mark.parametrize(("measured", "used"), [(None, 1.0), (0.95, 0.95), (1.3, 1.3)])
def test_the_ratio_of_the_running_server_is_used_where_it_is_known(measured, used):
    """Without one a batch is taken to last as long as alone."""
    assert in_server_ratio(profile(p50_s=0.01, ratio=measured)) == used


def test_slower_batches_leave_less_unexplained():
    """A ratio of 1.2 makes 12 of the 13 ms the model's."""
    assert beside_s(profile(p50_s=0.013, ratio=1.2)) == pytest.approx(0.001, abs=3e-4)
