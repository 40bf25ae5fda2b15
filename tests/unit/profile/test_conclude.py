"""From what was seen to the profile: notes tell what a reader must know, figures come from their runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tonnage.contract.server_config import ModelConfig, ServerConfig
from tonnage.profile.alone import Message
from tonnage.profile.conclude import Observed, conclude, file_facts
from tonnage.profile.driving import Driven, first_guess
from tonnage.profile.echo import Echo
from tonnage.profile.load_parts import CurvePoint, Objective, ProcessMemory
from tonnage.profile.overhead import Fit
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Machine
from tonnage.profile.plan import MeasurePlan
from tonnage.profile.running import StartTimes
from tonnage.profile.search import Found

MEMORY = ProcessMemory(rss_bytes=2, pss_bytes=1)
BATCHES = (
    Batch(size=1, steady_s=Distribution.of([0.010], keep=True)),
    Batch(size=4, steady_s=Distribution.of([0.020], keep=True)),
)
PLAN = MeasurePlan(
    name="m",
    config=ServerConfig(model=ModelConfig(name="m", format="python", path="a:B")),
    objective=Objective(percentile=99, latency_s=0.1, origin="document"),
    others=(Objective(percentile=50, latency_s=0.001, origin="document"),),
)


def point(purpose: str, rate: float, p50: float, requests: int) -> CurvePoint:
    latency = Distribution(mean=p50, quantiles={"p50": p50, "p99": 2 * p50})
    return CurvePoint.model_validate(
        {
            "purpose": purpose, "rate_per_s": rate, "achieved_per_s": rate, "latency_s": latency,
            "error_ratio": 0, "held": True, "requests": requests,
        }
    )  # fmt: skip


def seen(**fields: object) -> Observed:
    machine = Machine(
        cpu="c", architecture="x86_64", cpus=2, cpus_server=(1,), cpus_generator=(0,), memory_bytes=1, kernel="k"
    )
    batches = {"batches": 10, "batch_size_mean": 2.5, "compute_s": 0.2, "cpu_ratio": 0.05, "duration_s": 18.0}
    driven = Driven(
        points=(point("confirm", 50.0, 0.02, 900).model_copy(update=batches), point("search", 50.0, 0.03, 300), point("curve", 25, 0.01, 9)),
        found=Found(50.0, True, False, "r"),
        idle_ratio=0.01,
        after_idle=(),
        inline=False,
        gather_max=4,
        ready=MEMORY,
        after_traffic=MEMORY,
        peak_bytes=3,
    )
    whole = Observed(
        created="2026-01-01T00:00:00Z",
        measured_s=1.0,
        machine=machine,
        versions={},
        model_file=None,
        starts=(StartTimes(0.2, 0.1, 0.01, 0.02, 0.4, False), StartTimes(0.3, 0.2, 0.01, 0.02, 0.6, False)),
        alone=Message(bodies=("{}",), payload="sample"),
        batches=BATCHES,
        driven=driven,
        fit=Fit(20e-6, 30e-6, True, 100),
        before_model_bytes=1,
        steal_ratio=0.0,
        others_ratio=0.0,
        clock_lag_p99_s=0.0,
    )
    return replace(whole, **fields)  # type: ignore[arg-type]


def test_figures_at_the_sustainable_rate_are_of_the_run_that_confirmed_it() -> None:
    """The longer run says more than the one of the search."""
    made = conclude(PLAN, seen())
    assert made.capacity is not None
    assert (made.capacity.p50_s, made.capacity.confirmed) == (0.02, True)
    assert [one.rate_per_s for one in made.curve] == [25, 50, 50]


def test_batches_in_the_server_are_compared_with_batches_alone() -> None:
    """Batches of 2.5 items on average take 15 ms alone; ten took 0.2 s in the server."""
    made = conclude(PLAN, seen())
    assert made.overhead is not None
    assert made.overhead.batch_ratio == pytest.approx(0.2 / (10 * 0.015))


def test_start_times_keep_all_their_samples() -> None:
    """Planning draws from them."""
    made = conclude(PLAN, seen())
    assert made.startup is not None
    assert made.startup.load_s.samples == (0.1, 0.2)
    assert made.startup.ready_s.mean == pytest.approx(0.5)


def test_notes_tell_what_is_not_as_it_should_be() -> None:
    """A shared CPU, zeros, open lengths, a broken further objective, costs that were not told apart."""
    shared = seen().machine.model_copy(update={"cpus_generator": (1,)})
    alone = Message(bodies=("{}",), payload="zeros", open_inputs=("tokens",))
    plan = replace(PLAN, quick=True)
    notes = conclude(plan, seen(machine=shared, alone=alone, fit=Fit(1e-6, 0.0, False, 9))).notes
    for part in ("only CPU", "zeros were sent", "length of tokens", "p50 <= 1 ms did not hold", "told from"):
        assert sum(part in note for note in notes) == 1, part
    assert any("short form" in note for note in notes)
    assert conclude(replace(PLAN, others=()), seen()).notes == ()


def test_nothing_held_leaves_the_rate_out() -> None:
    """The reason stays."""
    driven = replace(seen().driven, found=Found(None, False, False, "nothing held"), points=())
    made = conclude(PLAN, seen(driven=driven, fit=None))
    assert made.capacity is not None
    assert (made.capacity.sustainable_per_s, made.capacity.reason) == (None, "nothing held")
    assert made.overhead is None


def test_the_first_guess_is_the_best_batch() -> None:
    """Four items in 20 ms beat one in 10 ms, and workers multiply it."""
    one = first_guess(BATCHES, 1)
    assert 190 < one < 200
    assert first_guess(BATCHES, 2) == pytest.approx(2 * one)


def test_echo_answers_as_many_rows_as_it_is_given() -> None:
    """Numbers keep their type, texts become bytes, and a model that does not batch gives its one answer."""
    answer = [
        {"name": "y", "data": [1.5, 2.5], "dtype": "float32", "shape": [1, 2]},
        {"name": "label", "data": ["é"], "dtype": "object", "shape": [1, 1]},
    ]
    echo = Echo()
    echo.load({"answer": answer, "batches": True})
    out = echo.predict({"x": np.zeros((3, 7))})
    assert out["y"].dtype == np.float32
    assert out["y"].shape == (3, 2)
    assert out["label"].ravel().tolist() == ["é".encode()] * 3
    echo.load({"answer": answer[:1], "batches": False})
    assert echo.predict({"x": np.zeros((3, 7))})["y"].shape == (1, 2)


def test_a_file_has_a_digest_and_a_missing_one_has_none(tmp_path) -> None:
    """SHA-256 of its bytes."""
    (tmp_path / "f").write_bytes(b"abc")
    facts = file_facts(tmp_path / "f")
    assert facts is not None
    assert (facts[0][:8], facts[1]) == ("ba7816bf", 3)
    assert file_facts(tmp_path / "g") is None
