"""The real Trainer and JobSet controllers make pods of what we render, and we read their state."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from operator_world import World, document, opened

pytestmark = [pytest.mark.cluster, pytest.mark.operators, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    nodes = {"a100-8": 8, "cpu": 2}
    with opened(tmp_path_factory.mktemp("trainer"), nodes, "jobset", "trainer") as world:
        yield world


@pytest.mark.parametrize("backend", ["trainjob", "jobset"])
def test_torchrun_of_every_worker_meets_the_others_at_worker_0(world: World, backend: str) -> None:
    namespace, job = world.namespace(f"torch-{backend}"), document("train")
    made = world.submit(job, namespace, backend=backend)
    pods = world.running(job, namespace, 2)
    seen = [world.environment(one) for one in pods]
    assert [one["PET_NODE_RANK"] for one in seen] == ["0", "1"]
    for one in seen:
        assert one["PET_NNODES"] == "2"
        assert one["PET_NPROC_PER_NODE"] == "4"
        assert one["PET_MASTER_PORT"] == "29500"
        host = one["PET_MASTER_ADDR"]
        world.holds(lambda host=host: world.addresses(host, namespace) == {pods[0]["status"]["podIP"]}, f"{host} is not worker 0")
        assert one["TONNAGE_LEADER"].partition(".")[0] == host.partition(".")[0]
    status = world.until("Running", job, made, namespace)
    assert sorted(one.node or "" for one in status.workers) == sorted(one["spec"]["nodeName"] for one in pods)
    for pod in pods:
        world.fleet.end(pod)
    assert world.until("Succeeded", job, made, namespace).ended


@pytest.mark.parametrize("backend", ["trainjob", "jobset"])
def test_a_worker_that_fails_starts_all_again_as_often_as_the_document_allows(world: World, backend: str) -> None:
    restart = {"policy": "OnFailure", "limit": 1, "fromStart": True}
    namespace, job = world.namespace(f"restarts-{backend}"), document("train", restart=restart)
    made = world.submit(job, namespace, backend=backend)
    first = world.running(job, namespace, 2)
    world.fleet.end(first[0], 1)

    def began_again() -> bool:
        names = {one["metadata"]["name"] for one in first}
        return sum(one["metadata"]["name"] not in names for one in world.pods(job, namespace)) == 2

    world.holds(began_again, world.story(job, namespace))
    again = world.running(job, namespace, 2)
    assert world.until("Running", job, made, namespace).restarts == 1
    world.fleet.end(again[0], 1)
    assert world.until("Failed", job, made, namespace).ended


def test_jax_processes_of_a_trainjob_find_their_coordinator(world: World) -> None:
    namespace, job = world.namespace("jax"), document("train", "jax")
    world.submit(job, namespace, backend="trainjob")
    pods = world.running(job, namespace, 2)
    seen = [world.environment(one) for one in pods]
    assert [one["JAX_PROCESS_ID"] for one in seen] == ["0", "1"]
    for one in seen:
        assert one["JAX_NUM_PROCESSES"] == "2"
        host, _, port = one["JAX_COORDINATOR_ADDRESS"].rpartition(":")
        assert port == "29500"
        world.holds(lambda host=host: world.addresses(host, namespace) == {pods[0]["status"]["podIP"]}, f"{host} is not worker 0")


def test_tensorflow_roles_of_a_jobset_are_told_of_each_other_by_names_that_lead_to_them(world: World) -> None:
    roles = {"chief": {}, "parameterServers": {"replicas": 1, "resources": {"cpu": "4", "memory": "8Gi"}}}
    namespace, job = world.namespace("tensorflow"), document("train", "tensorflow", roles=roles)
    made = world.submit(job, namespace, backend="jobset")
    pods = world.running(job, namespace, 4)
    found = set()
    for pod in pods:
        config = json.loads(world.environment(pod)["TF_CONFIG"])
        task = config["task"]
        own = config["cluster"][task["type"]][task["index"]].rpartition(":")[0]
        world.holds(lambda own=own, pod=pod: world.addresses(own, namespace) == {pod["status"]["podIP"]}, f"{own} is not {pod['metadata']['name']}")
        found.add((task["type"], task["index"]))
    assert found == {("chief", 0), ("worker", 0), ("worker", 1), ("ps", 0)}
    assert world.until("Running", job, made, namespace).phase == "Running"


def test_the_operators_webhooks_are_asked(world: World) -> None:
    from controlplane.api import Refused

    namespace, job = world.namespace("webhooks"), document("train")
    made = world.submit(job, namespace, backend="jobset")
    broken = json.loads(json.dumps(made.objects[-1]))
    broken["metadata"]["name"] = "x" * 60
    with pytest.raises(Refused, match="denied the request"):
        world.api.apply(broken, namespace)
    trained = json.loads(json.dumps(world.submit(document("other"), namespace, backend="trainjob").objects[-1]))
    trained["metadata"]["name"] = "lost"
    trained["spec"]["runtimeRef"]["name"] = "nobody"
    with pytest.raises(Refused, match="denied the request"):
        world.api.apply(trained, namespace)
