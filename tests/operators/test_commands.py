"""``tonnage train`` with real operators: submitted, placed, listed, ended and removed, whoever makes the pods."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from operator_world import JOB_LABEL, World, document, opened

from tonnage.cli.train import train
from tonnage.errors import TonnageError
from tonnage.spec.training import TrainingJob

pytestmark = [pytest.mark.cluster, pytest.mark.operators, pytest.mark.timeout(1800)]
ROLES = {"chief": {}, "parameterServers": {"replicas": 1, "resources": {"cpu": "4", "memory": "8Gi"}}}
MAIN = {
    "job": ("Job", "batch/v1"),
    "jobset": ("JobSet", "jobset.x-k8s.io/v1alpha2"),
    "trainjob": ("TrainJob", "trainer.kubeflow.org/v1alpha1"),
    "pytorchjob": ("PyTorchJob", "kubeflow.org/v1"),
    "tfjob": ("TFJob", "kubeflow.org/v1"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    names = ("jobset", "trainer", "training_operator")
    with opened(tmp_path_factory.mktemp("commands"), {"a100-8": 2, "cpu": 2}, *names) as world:
        yield world


def run(world: World, namespace: str, *words: str, text: str | None = None) -> tuple[int, str]:
    """Exit code and output of ``tonnage train``."""
    where = ["--kubeconfig", str(world.plane.kubeconfig), "-n", namespace]
    done = CliRunner().invoke(train, [*words, *where], input=text, prog_name="tonnage train")
    if isinstance(done.exception, TonnageError):
        return done.exception.exit_code, done.output + str(done.exception)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def told(world: World, namespace: str, *words: str) -> dict[str, Any]:
    code, out = run(world, namespace, *words, "--json")
    assert code == 0, out
    return dict(json.loads(out))


def spec_of(job: TrainingJob, folder: Path) -> str:
    path = folder / f"{job.name}.json"
    path.write_text(json.dumps(job.to_document()))
    return str(path)


@pytest.mark.parametrize("backend", MAIN)
def test_a_training_is_submitted_placed_listed_ended_and_removed(world: World, backend: str, tmp_path: Path) -> None:
    namespace = world.namespace(f"command-{backend}")
    job = document("train", "tensorflow", roles=ROLES) if backend == "tfjob" else document("train")
    count = 4 if backend == "tfjob" else 2
    code, out = run(world, namespace, "submit", spec_of(job, tmp_path), "--backend", backend)
    assert code == 0, out
    assert f"placed {count} of {count} workers" in out
    pods = world.running(job, namespace, count)
    world.holds(lambda: told(world, namespace, "status", "train")["phase"] == "Running", "it does not run")
    nodes = {one["node"] for one in told(world, namespace, "status", "train")["workers"]}
    assert nodes == {one["spec"]["nodeName"] for one in pods}
    (listed,) = told(world, namespace, "list")["items"]
    assert (listed["name"], listed["kind"], listed["phase"]) == ("train", MAIN[backend][0], "Running")
    for pod in sorted(pods, key=lambda one: "chief" not in one["metadata"]["name"])[: 1 if backend == "tfjob" else None]:
        world.fleet.end(pod)
    world.holds(lambda: told(world, namespace, "status", "train")["phase"] == "Succeeded", "it has not succeeded")
    code, out = run(world, namespace, "cancel", "train")
    assert code == 0, out
    world.holds(lambda: left(world, namespace) == [], "something is left")


def left(world: World, namespace: str) -> list[str]:
    """What is left of a training, of any kind that it may have made."""
    kinds = {("v1", "Pod"), ("v1", "Service"), ("batch/v1", "Job"), ("trainer.kubeflow.org/v1alpha1", "TrainingRuntime")}
    kinds |= {(version, kind) for kind, version in MAIN.values()}
    return [
        f"{kind} {one['metadata']['name']}"
        for version, kind in sorted(kinds)
        for one in world.api.find(version, kind, namespace, f"{JOB_LABEL}=train")
    ]


def test_the_best_back_end_is_taken_without_being_asked_for(world: World, tmp_path: Path) -> None:
    namespace = world.namespace("chosen")
    code, out = run(world, namespace, "submit", spec_of(document("train"), tmp_path))
    assert code == 0, out
    assert "back end trainjob" in out
    world.running(document("train"), namespace, 2)
    assert run(world, namespace, "cancel", "train")[0] == 0
    world.holds(lambda: left(world, namespace) == [], "something is left")


def test_gpus_that_no_node_has_are_an_error_before_any_operator_sees_the_training(world: World, tmp_path: Path) -> None:
    namespace = world.namespace("refused")
    resources = {"cpu": "8", "memory": "64Gi", "gpu": {"vendor": "nvidia", "count": 4, "type": "h200"}}
    code, out = run(world, namespace, "submit", spec_of(document("train", resources=resources), tmp_path))
    assert code != 0
    assert "h200" in out
    assert left(world, namespace) == []
