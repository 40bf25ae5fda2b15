"""What the server concludes from its warm-up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tonnage.contract.server_config import BatchingConfig, ModelConfig
from tonnage.server.runtimes import load_runtime
from tonnage.server.warmup import WarmupReport, warm_up

MODEL = """
import time

class Slow:
    inputs = [("x", "FP32", [-1, 1])]
    outputs = [("y", "FP32", [-1, 1])]

    def predict(self, batch):
        time.sleep(0.004 * len(batch["x"]))
        return {"y": batch["x"]}
"""


@pytest.mark.parametrize(("said", "gathered"), [(None, 1), (3, 3), (100, 8)])
def test_how_many_are_gathered_is_said_or_measured(said: int | None, gathered: int, tmp_path: Path) -> None:
    """Items of which each takes its time are not worth gathering, unless the settings want them gathered."""
    (tmp_path / "slow.py").write_text(MODEL)
    config = ModelConfig(name="slow", format="python", path="slow:Slow", python_path=(str(tmp_path),))
    report = warm_up(load_runtime(config), config, BatchingConfig(size_max=8, gather_max=said))
    assert report.gather_max == gathered
    assert [size for size, _ in report.steady] == [1, 2, 4, 8]


def test_a_size_between_two_measured_ones_is_judged_by_the_larger() -> None:
    """Whether the event loop can bear the batch: three items take at most as long as four."""
    steady = ((1, 0.001), (2, 0.002), (4, 0.020))
    assert not WarmupReport(0.001, steady, 3).suits_inline(cpus=1)
    assert WarmupReport(0.001, steady, 2).suits_inline(cpus=1)
