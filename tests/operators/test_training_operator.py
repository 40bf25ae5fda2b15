"""The real Training Operator makes pods of what we render, and we read their state."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from operator_world import World, document, opened

pytestmark = [pytest.mark.cluster, pytest.mark.operators, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    nodes = {"a100-8": 6, "t4-4": 2, "mi300x-8": 1, "cpu": 2}
    with opened(tmp_path_factory.mktemp("training-operator"), nodes, "training_operator") as world:
        yield world


def test_workers_of_a_pytorchjob_meet_at_worker_0_under_the_numbers_that_torchrun_needs(world: World) -> None:
    namespace, job = world.namespace("pytorch"), document("train")
    made = world.submit(job, namespace, backend="pytorchjob")
    pods = world.running(job, namespace, 2)
    assert {one["spec"]["nodeName"].rsplit("-", 1)[0] for one in pods} == {"a100-8"}
    seen = [world.environment(one) for one in pods]
    assert [one["TONNAGE_WORKER_INDEX"] for one in seen] == ["0", "1"]
    for one in seen:
        host, _, port = one["PET_RDZV_ENDPOINT"].rpartition(":")
        world.holds(lambda host=host: world.addresses(host, namespace) == {pods[0]["status"]["podIP"]}, f"{host} is not worker 0")
        assert port == "29500"
        assert one["PET_NNODES"] == "2"
        assert one["PET_NPROC_PER_NODE"] == "4"
        assert one["PET_RDZV_BACKEND"] == "c10d"
        assert one["TONNAGE_LEADER"] == host
    status = world.until("Running", job, made, namespace)
    assert [(one.phase, one.node) for one in status.workers] == [("Running", pod["spec"]["nodeName"]) for pod in pods]
    world.fleet.end(pods[1])
    world.holds(lambda: _done(world, namespace) == 1, "the operator has not seen the end of a worker")
    assert world.status(job, made, namespace).phase == "Running"
    world.fleet.end(pods[0])
    assert world.until("Succeeded", job, made, namespace).ended


def _done(world: World, namespace: str) -> int:
    status = world.api.get("kubeflow.org/v1", "PyTorchJob", "train", namespace)["status"]
    return int(status["replicaStatuses"]["Worker"].get("succeeded", 0))


def test_an_elastic_pytorchjob_is_told_its_range_and_is_done_with_its_first_worker(world: World) -> None:
    elastic, restart = {"min": 1, "max": 4}, {"policy": "OnFailure", "limit": 3, "fromStart": True}
    namespace, job = world.namespace("elastic"), document("train", elastic=elastic, restart=restart)
    made = world.submit(job, namespace, backend="pytorchjob")
    pods = world.running(job, namespace, 2)
    seen = [world.environment(one) for one in pods]
    assert {one["PET_NNODES"] for one in seen} == {"1:4"}
    assert {one["PET_RDZV_ENDPOINT"] for one in seen} == {"train-worker-0:29500"}
    world.fleet.end(pods[1])
    assert world.until("Succeeded", job, made, namespace).ended


def test_a_pytorchjob_whose_worker_fails_is_read_as_failed_with_its_exit_code(world: World) -> None:
    namespace, job = world.namespace("pytorch-fails"), document("train")
    made = world.submit(job, namespace, backend="pytorchjob")
    pods = world.running(job, namespace, 2)
    world.fleet.end(pods[1], 3)
    status = world.until("Failed", job, made, namespace)
    assert status.workers[1].exit_code == 3


def test_tasks_of_a_tfjob_are_told_of_each_other_by_names_that_lead_to_them(world: World) -> None:
    roles = {"chief": {}, "parameterServers": {"replicas": 2, "resources": {"cpu": "4", "memory": "8Gi"}}}
    namespace, job = world.namespace("tensorflow"), document("train", "tensorflow", roles=roles)
    made = world.submit(job, namespace, backend="tfjob")
    pods = world.running(job, namespace, 5)
    tasks = {}
    for pod in pods:
        config = json.loads(world.environment(pod)["TF_CONFIG"])
        tasks[config["task"]["type"], config["task"]["index"]] = pod["status"]["podIP"]
        assert {kind: len(hosts) for kind, hosts in config["cluster"].items()} == {"chief": 1, "worker": 2, "ps": 2}
        for kind, hosts in config["cluster"].items():
            for index, address in enumerate(hosts):
                host, _, port = address.rpartition(":")
                name = f"{job.name}-{kind}-{index}"
                ip = next(one["status"]["podIP"] for one in pods if one["metadata"]["name"] == name)
                world.holds(lambda host=host, ip=ip: world.addresses(host.partition(".")[0], namespace) == {ip}, f"{host} is not {ip}")
                assert port == "29500"
    assert len(set(tasks.values())) == 5
    assert sorted(tasks) == [("chief", 0), ("ps", 0), ("ps", 1), ("worker", 0), ("worker", 1)]
    status = world.until("Running", job, made, namespace)
    assert {one.role for one in status.workers} == {"chief", "worker", "parameter-server"}
    chief = next(one for one in pods if "-chief-" in one["metadata"]["name"])
    world.fleet.end(chief)
    assert world.until("Succeeded", job, made, namespace).ended


def test_a_pytorchjob_that_fits_nowhere_says_why_it_waits(world: World) -> None:
    resources = {"cpu": "8", "memory": "64Gi", "gpu": {"vendor": "nvidia", "count": 4, "type": "h200"}}
    namespace, job = world.namespace("nowhere"), document("train", resources=resources)
    made = world.submit(job, namespace, backend="pytorchjob")
    world.holds(lambda: bool(world.status(job, made, namespace).waits), "it gives no reason")
    status = world.status(job, made, namespace)
    assert status.phase == "Pending"
    assert "node affinity/selector" in status.waits[0]


def test_the_operators_webhook_takes_what_we_render_and_refuses_what_it_must(world: World) -> None:
    from controlplane.api import Refused

    namespace, job = world.namespace("webhook"), document("train")
    made = world.submit(job, namespace, backend="pytorchjob")
    broken = json.loads(json.dumps(made.objects[-1]))
    broken["metadata"]["name"] = "broken"
    broken["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]["spec"]["containers"][0]["name"] = "other"
    with pytest.raises(Refused, match="pytorch"):
        world.api.apply(broken, namespace)
