"""The model alone in its process: which requests it is given, and what becomes of one that fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tonnage.contract.server_config import ModelConfig, ServerConfig
from tonnage.errors import EnvironmentFault, ModelLoadError
from tonnage.profile.alone import Message, Order, measure_alone, memory_before_model

HEAD = "class Model:\n    inputs = [('x', 'FP32', [-1, {shape}])]\n    outputs = [('y', 'FP32', [-1, 2])]\n"


def alone(folder: Path, predict: str, *, shape: str = "2", seed: int = 0, sizes=(1, 2)) -> Message:
    code = HEAD.format(shape=shape) + f"    def predict(self, batch):\n        {predict}\n"
    (folder / "made.py").write_text("import os, numpy as np\n" + code)
    model = ModelConfig(name="m", format="python", path="made:Model", python_path=(str(folder),))
    order = Order(config=ServerConfig(model=model), sizes=sizes, batch_s=0.02, runs_min=6, seed=seed)
    done: list[float] = []
    message = measure_alone(order, cpus=os.sched_getaffinity(0), on_done=done.append)
    assert done == sorted(done)
    assert done[-1] == 1
    return message


def test_random_requests_are_decided_by_the_seed(tmp_path: Path) -> None:
    """The same seed makes the same requests; what the model prints does no harm."""
    predict = "print('hello'); return {'y': batch['x']}"
    first, second = (alone(tmp_path, predict, seed=3) for _ in range(2))
    assert first.payload == "random"
    assert first.bodies == second.bodies
    assert [batch.size for batch in first.measured] == [1, 2]
    assert first.answer[0].shape == (1, 2)


def test_a_model_that_refuses_random_requests_gets_zeros(tmp_path: Path) -> None:
    """And it is told that they were zeros."""
    predict = "assert not batch['x'].any(), 'zeros only'; return {'y': batch['x']}"
    assert alone(tmp_path, predict).payload == "zeros"


def test_lengths_that_are_open_are_named(tmp_path: Path) -> None:
    """An input without a fixed length is measured with one element."""
    assert alone(tmp_path, "return {'y': batch['x'].repeat(2, 1)}", shape="-1").open_inputs == ("x",)


def test_a_model_that_accepts_nothing_says_what_it_raised(tmp_path: Path) -> None:
    """The message says what was tried, what came, and what to do."""
    with pytest.raises(ModelLoadError, match=r"random or zeros must succeed, got ValueError: never; give"):
        alone(tmp_path, "raise ValueError('never')")


def test_a_process_that_dies_is_told_with_its_last_words(tmp_path: Path) -> None:
    """A crash in native code looks like this."""
    with pytest.raises(EnvironmentFault, match=r"ended with code 7 and said: [\s\S]*goodbye"):
        alone(tmp_path, "print('goodbye', flush=True); os._exit(7)")


def test_the_servers_code_has_a_size_of_its_own() -> None:
    """Some tens of megabytes."""
    size = memory_before_model()
    assert size is not None
    assert size > 1 << 20
