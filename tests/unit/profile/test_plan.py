"""CPUs are divided, and trials are long enough to mean something."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tonnage.contract.server_config import BatchingConfig, ModelConfig, ServerConfig
from tonnage.profile.load_parts import Objective
from tonnage.profile.plan import FULL, LATENCIES_MIN, QUICK, MeasurePlan, share_cpus

OBJECTIVE = Objective(percentile=99, latency_s=0.1, origin="option")


def plan(size_max: int, sizes: tuple[int, ...] | None = None) -> MeasurePlan:
    model = ModelConfig(name="m", format="onnx", path="m.onnx")
    config = ServerConfig(model=model, batching=BatchingConfig(size_max=size_max))
    return MeasurePlan(name="m", config=config, objective=OBJECTIVE, sizes=sizes)


@given(st.sets(st.integers(0, 255), min_size=2, max_size=64), st.integers(1, 300))
def test_server_and_generator_never_share_where_there_are_two_cpus(allowed: set[int], wanted: int) -> None:
    """All CPUs are used, none twice, and the server has what it wants if one is left for the generator."""
    cpus = share_cpus(allowed, wanted=wanted)
    assert not cpus.shared
    assert {*cpus.server, *cpus.generator} == allowed
    assert len(cpus.server) == min(wanted, len(allowed) - 1)


def test_one_cpu_is_shared() -> None:
    """There is nothing else to do, and it can be told."""
    assert share_cpus({3}, wanted=2).shared


def test_sizes_are_the_size_classes_unless_they_are_given() -> None:
    """Powers of two up to the largest batch; given ones come out ascending and once."""
    assert plan(10).batch_sizes == (1, 2, 4, 8, 10)
    assert plan(10, (8, 1, 8)).batch_sizes == (1, 8)


@given(st.floats(0.001, 1e6), st.floats(1e-4, 100.0))
def test_a_trial_gives_a_growing_queue_the_time_to_show(rate: float, latency_s: float) -> None:
    """No trial is shorter than a few of the objective's latencies, nor than the step."""
    for depth in (QUICK, FULL):
        duration_s = depth.duration_s(rate, latency_s)
        assert duration_s >= LATENCIES_MIN * latency_s
        assert duration_s >= depth.step_s
        assert duration_s <= max(depth.step_s_max, LATENCIES_MIN * latency_s)
        assert depth.duration_s(rate, latency_s, 2.0) == 2 * duration_s
