"""PyTorch trains on a real control plane: torchrun on two workers, over gloo; what is lost is made up for."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from controlplane.binaries import NoGo
from controlplane.network import NoNetwork
from controlplane.operators import training_operator
from controlplane.sandbox import Hidden, must_be_seen
from training_run.running import EXAMPLES, Cluster, cluster

from tests.torch import environment

pytestmark = [pytest.mark.cluster, pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(2400)]

LONG = pytest.mark.skipif(
    not os.environ.get("TONNAGE_TEST_LONG"), reason="minutes for each: set TONNAGE_TEST_LONG=1"
)
DIGITS = EXAMPLES / "pytorch-digits"
EPOCHS = 25
TRAINER = r"^\S*python \S*/app/train.py"
AGENT = r"^\S*python -m torch.distributed.run"
_EPOCH = re.compile(r"epoch (\d+) of \d+: loss ([\d.]+), accuracy ([\d.]+)")


@pytest.fixture(scope="module")
def running(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environment.environment()["PATH"])  # what the image's is
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        try:
            must_be_seen(python)
            contents = {"digits": {"/app": str(DIGITS)}}
            with cluster(tmp_path_factory.mktemp("digits"), nodes=2, cpu="1500m", contents=contents) as one:
                one.volume(DIGITS / "claim.yaml")
                yield one
        except (Hidden, NoGo, NoNetwork) as error:
            pytest.skip(str(error))


@pytest.fixture(scope="module")
def operator(running: Cluster) -> Iterator[None]:
    with training_operator(running.plane):
        yield


@pytest.fixture(scope="module")
def undisturbed(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a run of two processes on this machine that nobody disturbed."""
    path = tmp_path_factory.mktemp("undisturbed") / "digits.pt"
    words = ["-m", "torch.distributed.run", "--nproc-per-node", "2", str(DIGITS / "train.py")]
    options = ["--epochs", str(EPOCHS), "--checkpoint", str(path)]
    subprocess.run([str(python), *words, *options], env=environment.environment(), check=True, timeout=600)
    return path


def submitted(running: Cluster, name: str, folder: Path, backend: str = "job") -> None:
    """Submit the example under another name, with a checkpoint of its own."""
    document = yaml.safe_load((DIGITS / "job.yaml").read_text())
    document["metadata"]["name"] = name
    document["spec"]["args"] = ["--epochs", str(EPOCHS), "--checkpoint", f"/checkpoints/{name}.pt"]
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump(document))
    running.tonnage("submit", str(file), "--backend", backend)


def epochs(log: str) -> dict[int, tuple[float, float]]:
    """Epoch to loss and accuracy."""
    return {int(epoch): (float(loss), float(accuracy)) for epoch, loss, accuracy in _EPOCH.findall(log)}


def same_weights(python: Path, one: Path, other: Path) -> bool:
    """Whether two checkpoints hold the same weights, bit for bit."""
    script = (
        "import sys, torch; a, b = (torch.load(p, weights_only=True)['model'] for p in sys.argv[1:]);"
        "sys.exit(0 if a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) else 1)"
    )
    return subprocess.run([str(python), "-c", script, str(one), str(other)], timeout=120).returncode == 0


@pytest.mark.parametrize(
    ("name", "worker", "process", "restarts"),
    [
        ("agent", 1, AGENT, [0, 1]),
        pytest.param("trainer", 1, TRAINER, [0, 0], marks=LONG),
        pytest.param("leader", 0, AGENT, [1, 1], marks=LONG),
    ],
)
def test_a_killed_process_costs_the_epoch_that_it_was_in(
    running: Cluster, python: Path, undisturbed: Path, tmp_path: Path,
    name: str, worker: int, process: str, restarts: list[int],
) -> None:  # fmt: skip
    """SIGKILL to a trainer, to a torchrun, to that of worker 0: the job goes on and learns the same."""
    submitted(running, name, tmp_path)
    running.until(lambda: 3 in epochs(running.tonnage("logs", name, check=False)), "three epochs", name)
    status = running.status(name)
    assert status["phase"] == "Running"
    assert {one["node"] for one in status["workers"]} == {"n0", "n1"}
    running.kill(running.worker(name, worker), process)

    running.until(lambda: running.succeeded(name), "success", name)
    learnt_the_same(running, python, name, undisturbed)
    status = running.status(name)
    assert status["phase"] == "Succeeded"
    assert [one["restarts"] for one in status["workers"]] == restarts
    last = running.tonnage("logs", name, "--tail", "2").splitlines()
    assert last[-1] == "worker-0 | done"
    assert last[-2].startswith(f"worker-0 | epoch {EPOCHS} of {EPOCHS}: ")


@LONG
def test_a_deleted_pod_takes_leave_with_a_checkpoint(
    running: Cluster, python: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """As in a drain: SIGTERM reaches the trainers, all save in the middle of the epoch, and not a step is lost."""
    submitted(running, "drained", tmp_path)
    running.until(lambda: 3 in epochs(running.tonnage("logs", "drained", check=False)), "three epochs", "drained")
    pod = running.worker("drained", 1)
    running.api.delete("v1", "Pod", pod["metadata"]["name"])
    running.until(lambda: running.succeeded("drained"), "success", "drained")
    text = running.logs("drained")
    stopped = re.search(r"stopped in epoch (\d+), checkpoint saved", text)
    assert stopped is not None, text
    assert f"resumes in epoch {stopped[1]}" in text
    learnt_the_same(running, python, "drained", undisturbed)
    assert running.worker("drained", 1)["metadata"]["uid"] != pod["metadata"]["uid"]


def learnt_the_same(running: Cluster, python: Path, name: str, undisturbed: Path) -> None:
    """A job resumed once, after its third epoch, and ended with the weights of a run that nobody disturbed."""
    text = running.logs(name)
    resumed = [int(epoch) for epoch in re.findall(r"resumes in epoch (\d+)", text)]
    assert len(resumed) == 1
    assert resumed[0] > 3
    learnt = epochs(text)
    assert sorted(learnt) == list(range(1, EPOCHS + 1))
    assert learnt[EPOCHS][0] < learnt[1][0] / 4
    assert learnt[EPOCHS][1] > 0.95
    assert same_weights(python, running.shared / "digits" / f"{name}.pt", undisturbed)


@pytest.mark.parametrize(
    ("name", "process"), [("operated-agent", AGENT), pytest.param("operated", TRAINER, marks=LONG)]
)
def test_the_training_operator_runs_the_same_document(
    running: Cluster, operator: None, python: Path, undisturbed: Path, tmp_path: Path, name: str, process: str
) -> None:
    """As a PyTorchJob, with the real controller: a process is killed, the job goes on and learns the same."""
    submitted(running, name, tmp_path, "pytorchjob")
    running.until(lambda: 3 in epochs(running.tonnage("logs", name, check=False)), "three epochs", name)
    assert running.status(name)["phase"] == "Running"
    running.kill(running.worker(name, 1), process)
    running.until(lambda: running.succeeded(name), "success", name)
    learnt_the_same(running, python, name, undisturbed)
    assert running.status(name)["phase"] == "Succeeded"
