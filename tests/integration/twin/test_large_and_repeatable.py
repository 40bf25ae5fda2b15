"""Many pods, other processes, and a progress that changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.twin import worlds
from tonnage.twin import Simulation
from tonnage.twin.scenario import NodeFails, Rollout, RolloutPlan

ROOT = Path(__file__).parents[3]


def busy():
    """A rollout, a lost node and an autoscaler."""
    return worlds.scenario(
        replicas=4,
        rate_per_s=250.0,
        duration_s=400.0,
        nodes=tuple(worlds.node(f"n{i}") for i in range(4)),
        rollout=RolloutPlan(max_surge=1, max_unavailable=0),
        autoscaler=worlds.hpa("load", target_milli=1000, replicas_min=3),
        metrics=worlds.LOAD,
        happenings=(Rollout(60.0, worlds.revision(label="v2")), NodeFails(100.0, "n1")),
    )


def test_a_thousand_pods():
    """All find a node and become ready; none is placed where no GPU is left."""
    nodes = tuple(worlds.node(f"n{i}", gpus=8, cpu=64000) for i in range(126))
    result = worlds.run(
        worlds.scenario(replicas=1000, rate_per_s=2000.0, duration_s=60.0, nodes=nodes, started=False)
    )
    assert result.series.replicas_ready[-1] == 1000
    assert result.totals.gpus_peak == 1000
    homes = [record.node for record in worlds.pods(result, "scheduled")]
    assert max(homes.count(node) for node in set(homes)) <= 8


def test_progress_is_told_and_changes_nothing():
    """Virtual seconds rise to the duration; who is told makes no difference."""
    told: list[float] = []
    watched = Simulation(busy()).run(told.append)
    assert told == sorted(told)
    assert told[-1] == 400.0
    assert watched.digest == Simulation(busy()).run().digest


def test_another_process_gets_the_same_digest():
    """No order of a set, no hash of a string and no address of an object decides anything."""
    code = (
        "from tests.integration.twin.test_large_and_repeatable import busy\n"
        "from tonnage.twin import Simulation\n"
        "print(Simulation(busy()).run().digest)"
    )
    digests = set()
    for seed in ("0", "1"):
        environment = dict(os.environ, PYTHONHASHSEED=seed, PYTHONPATH=str(ROOT))
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout.strip())
    assert digests == {Simulation(busy()).run().digest}
