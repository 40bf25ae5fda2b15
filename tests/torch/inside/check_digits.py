"""The example's training under torchrun on this machine: stopped, resumed, with more and fewer processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TRAIN = Path(__file__).parents[3] / "examples" / "training" / "pytorch-digits" / "train.py"
EPOCHS = 6


def launch(checkpoint: Path, processes: int, epochs: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes), str(TRAIN)]
    options = ["--epochs", str(epochs), "--checkpoint", str(checkpoint)]
    return subprocess.Popen(
        [*words, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def run(checkpoint: Path, processes: int, epochs: int) -> str:
    with launch(checkpoint, processes, epochs) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def loss(output: str, epoch: int) -> float:
    found = re.search(rf"epoch {epoch} of \d+: loss ([\d.]+)", output)
    assert found is not None, output
    return float(found[1])


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["model"]
    return state


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("undisturbed") / "digits.pt"
    run(path, 2, EPOCHS)
    return path


def test_sigterm_to_one_process_stops_all_within_an_epoch_and_nothing_is_lost(
    undisturbed: Path, tmp_path: Path
) -> None:
    """All stop at one step with a checkpoint, torchrun tells of 143, and the resumed run ends with the same weights."""
    path = tmp_path / "digits.pt"
    with launch(path, 2, EPOCHS) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("epoch 2 "):
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(children[-1]), signal.SIGTERM)
        assert process.wait(60) != 0
    output = "".join(lines)
    assert "stopped in epoch 3, checkpoint saved" in output
    assert re.search(r"exitcode\s*: 143", output)
    state = torch.load(path, weights_only=True)
    assert state["epoch"] == 2
    assert 0 < state["seen"] < 1500
    assert "resumes in epoch 3" in run(path, 2, EPOCHS)
    assert same(path, undisturbed)


def test_a_checkpoint_fits_other_numbers_of_processes(tmp_path: Path) -> None:
    """Begun by one, gone on by three, ended by two: the loss falls all the way."""
    path = tmp_path / "digits.pt"
    begun, resumed, ended = run(path, 1, 2), run(path, 3, 4), run(path, 2, 6)
    assert "starts anew" in begun
    assert "resumes in epoch 3" in resumed
    assert "resumes in epoch 5" in ended
    assert loss(begun, 1) > loss(begun, 2) > loss(resumed, 4) > loss(ended, 6)


def test_an_unfinished_checkpoint_is_no_checkpoint(undisturbed: Path, tmp_path: Path) -> None:
    """What a process that was killed while writing leaves behind is neither read nor in the way."""
    (tmp_path / ".digits.pt.unfinished").write_bytes(undisturbed.read_bytes()[:1000])
    output = run(tmp_path / "digits.pt", 2, EPOCHS)
    assert "starts anew" in output
    assert same(tmp_path / "digits.pt", undisturbed)
    assert [one.name for one in tmp_path.iterdir()] == ["digits.pt"]
