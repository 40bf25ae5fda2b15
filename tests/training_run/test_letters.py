"""The example without packages, on a real control plane: three workers find each other, one is lost, all go on."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from controlplane.binaries import NoGo
from controlplane.network import NoNetwork
from training_run.running import EXAMPLES, Cluster, cluster

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

PLAIN = EXAMPLES / "plain"
_STEP = re.compile(r"^step (\d+) of \d+: loss ([\d.]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        with cluster(tmp_path_factory.mktemp("letters"), nodes=2, cpu="1", contents={"python": {}}) as one:
            yield one
    except (NoGo, NoNetwork) as error:
        pytest.skip(str(error))


def steps(log: str) -> dict[int, float]:
    """Step to loss, of one log."""
    return {int(step): float(loss) for step, loss in _STEP.findall(log)}


def test_a_lost_worker_costs_the_steps_since_the_checkpoint(running: Cluster) -> None:
    """Three workers on two nodes train, one is killed, and the job goes on from its checkpoint and succeeds."""
    config = {"name": "letters", "namespace": "default"}
    data = {"train.py": (PLAIN / "train.py").read_text()}
    running.api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": config, "data": data})
    folder = running.volume(PLAIN / "claim.yaml")
    running.submit(PLAIN / "job.yaml", args=["--steps", "200"])

    first = running.until(lambda: len(running.pods("letters")) == 3 and running.worker("letters", 0), "pods", "letters")
    running.until(lambda: 20 in steps(running.log(first)), "20 steps", "letters")
    nodes = {one["spec"]["nodeName"] for one in running.pods("letters")}
    assert len(nodes) == 2
    lost = running.worker("letters", 1)
    running.kill(lost, r"^\S*python \S*/app/train.py")

    running.until(lambda: running.succeeded("letters"), "success", "letters")
    before, after = steps(running.log(first)), running.log(running.worker("letters", 0))
    assert running.worker("letters", 1)["metadata"]["uid"] != lost["metadata"]["uid"]
    resumed = int(re.search(r"resumes after step (\d+)", after)[1])
    assert resumed == max(before)
    assert min(steps(after)) == resumed + 10
    assert max(steps(after)) == 200
    assert steps(after)[200] < before[10] - 0.3
    state = json.loads((folder / "letters.json").read_text())
    assert state["step"] == 200
    assert (folder / "letters.json").stat().st_uid == 1000


def test_a_run_that_was_cut_off_learns_the_same(running: Cluster, tmp_path: Path) -> None:
    """The weights of the run above are those of a run on this machine that nobody disturbed."""
    words = ["python3", str(PLAIN / "train.py"), "--local", "3", "--steps", "200", "--checkpoint", str(tmp_path / "l.json")]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    undisturbed = json.loads((tmp_path / "l.json").read_text())
    assert json.loads((running.shared / "letters" / "letters.json").read_text()) == undisturbed
