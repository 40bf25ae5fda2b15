"""Back end ``job``: the objects that every cluster takes."""

from __future__ import annotations

from typing import Any

import pytest
from training_documents import RESTARTABLE, job, only, variables

from tonnage.spec.training import TrainingJob
from tonnage.training import render


def core(document: TrainingJob) -> dict[str, Any]:
    spec: dict[str, Any] = only(render(document), "Job")["spec"]
    return spec


def template(document: TrainingJob) -> dict[str, Any]:
    found: dict[str, Any] = core(document)["template"]
    return found


def test_each_worker_is_an_index_of_one_job() -> None:
    """As many pods at once as there are workers, each with its number."""
    spec = core(job(workers=5))
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 5, 5)


def test_worker_0_is_found_by_the_name_of_its_host() -> None:
    """Torchrun's agent knows by its host name that it keeps the store; the others ask DNS for that name."""
    made = render(job("digits"))
    services = {one["metadata"]["name"]: one["spec"] for one in made.objects if one["kind"] == "Service"}
    told = variables(only(made, "Job")["spec"]["template"])
    assert told["PET_RDZV_ENDPOINT"] == "digits-0:29500"
    assert services["digits-0"]["selector"] == {
        "tonnage.dev/training-job": "digits",
        "batch.kubernetes.io/job-completion-index": "0",
    }
    for service in services.values():
        assert service["clusterIP"] == "None"
        assert service["publishNotReadyAddresses"] is True


def test_pods_have_names_under_a_service_that_exists() -> None:
    """The subdomain is one of the Services; a ModelService of the same name keeps its own."""
    made = render(job("digits"))
    names = [one["metadata"]["name"] for one in made.objects if one["kind"] == "Service"]
    assert only(made, "Job")["spec"]["template"]["spec"]["subdomain"] == "digits-workers"
    assert names == ["digits-workers", "digits-0"]


def test_no_model_service_takes_the_pods_for_its_own() -> None:
    """A ModelService selects by app.kubernetes.io/name, which no pod of a training has."""
    assert "app.kubernetes.io/name" not in template(job())["metadata"]["labels"]


def test_torchrun_starts_the_command_with_its_own_python() -> None:
    """An image with several Pythons has torch in one of them."""
    (container,) = template(job(command=["/venv/bin/python3", "t.py"], args=["--epochs", "3"]))["spec"]["containers"]
    assert container["command"] == [
        *("/venv/bin/python3", "-m", "torch.distributed.run", "--no-python"),
        *("/venv/bin/python3", "t.py", "--epochs", "3"),
    ]
    (container,) = template(job(command=["/app/train"]))["spec"]["containers"]
    assert container["command"] == ["torchrun", "--no-python", "/app/train"]


@pytest.mark.parametrize(
    "command",
    [
        ["torchrun", "train.py"],
        ["/usr/bin/torchrun", "t.py"],
        ["python", "-m", "torch.distributed.run", "t.py"],
        ["accelerate", "launch", "t.py"],
    ],
)
def test_a_command_that_starts_processes_itself_is_left_alone(command: list[str]) -> None:
    """It is told the same by variables."""
    found = template(job(command=command))
    assert found["spec"]["containers"][0]["command"] == command
    assert variables(found)["PET_NNODES"] == "2"


def test_without_a_launcher_the_script_is_told_its_rank() -> None:
    """As init_process_group reads it."""
    told = variables(template(job(launcher="none", workers=3)))
    assert told["WORLD_SIZE"] == "3"
    assert told["RANK"] == "$(JOB_COMPLETION_INDEX)"
    assert told["MASTER_ADDR"] == "t-0"


def test_the_number_is_known_before_it_is_referred_to() -> None:
    """Kubernetes expands only variables that stand earlier in the list."""
    (container,) = template(job(framework="tensorflow", workers=3))["spec"]["containers"]
    listed = [one["name"] for one in container["env"]]
    users = [one["name"] for one in container["env"] if "$(JOB_COMPLETION_INDEX)" in one.get("value", "")]
    assert set(users) == {"TONNAGE_WORKER_INDEX", "TF_CONFIG"}
    assert all(listed.index("JOB_COMPLETION_INDEX") < listed.index(name) for name in users)


def test_tensorflow_is_told_who_takes_part() -> None:
    """TF_CONFIG is JSON once the number is put in."""
    import json

    text = variables(template(job("m", framework="tensorflow", workers=2)))["TF_CONFIG"]
    assert json.loads(text.replace("$(JOB_COMPLETION_INDEX)", "1")) == {
        "cluster": {"worker": ["m-0.m-workers:29500", "m-1.m-workers:29500"]},
        "task": {"type": "worker", "index": 1},
    }


def test_jax_is_told_its_coordinator() -> None:
    """Address, number of processes, and which one this is."""
    told = variables(template(job(framework="jax", workers=4)))
    assert told["JAX_COORDINATOR_ADDRESS"] == "t-0:29500"
    assert told["JAX_NUM_PROCESSES"] == "4"
    assert told["JAX_PROCESS_ID"] == "$(JOB_COMPLETION_INDEX)"


def test_a_failure_of_all_workers_counts_once() -> None:
    """Each worker's pods are counted by themselves, and the first with none left ends the job."""
    spec = core(job(workers=8, restart={"limit": 4}, **RESTARTABLE))
    assert spec["backoffLimitPerIndex"] == 4
    assert spec["maxFailedIndexes"] == 0
    assert "backoffLimit" not in spec
    assert spec["podReplacementPolicy"] == "Failed"
    assert variables(spec["template"])["PET_MAX_RESTARTS"] == "4"


def test_trainers_under_torchrun_do_not_meet_in_their_agents_store() -> None:
    """The agent of a replaced pod would wait there for what worker 0 says in its first round only."""
    name = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
    assert variables(core(job())["template"])[name] == "1"
    assert variables(core(job(env={name: "0"}))["template"])[name] == "0"
    assert name not in variables(core(job(launcher="none"))["template"])


def test_evictions_do_not_count_and_fatal_exit_codes_end_the_job() -> None:
    """The rules of the failure policy, in the order in which Kubernetes tries them."""
    document = job(framework="plain", restart={"fatalExitCodes": [65, 64, 65]}, **RESTARTABLE)
    assert core(document)["podFailurePolicy"]["rules"] == [
        {
            "action": "FailJob",
            "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [64, 65]},
        },
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
    ]


def test_without_restarts_the_first_failure_ends_the_job() -> None:
    """No policy that Kubernetes would ask more fields for."""
    spec = core(job())
    assert spec["backoffLimit"] == 0
    assert not {"backoffLimitPerIndex", "podFailurePolicy", "maxFailedIndexes"} & spec.keys()


@pytest.mark.parametrize(
    ("framework", "workers", "decides"),
    [("pytorch", 2, True), ("jax", 2, True), ("tensorflow", 2, True), ("plain", 2, False), ("pytorch", 1, False)],
)
def test_worker_0_decides_where_workers_meet(framework: str, workers: int, decides: bool) -> None:
    """It leaves last; independent workers must all succeed."""
    policy = core(job(framework=framework, workers=workers)).get("successPolicy")
    assert policy == ({"rules": [{"succeededIndexes": "0"}]} if decides else None)


def test_an_elastic_job_goes_on_with_fewer() -> None:
    """Torchrun has the range, and so many workers may run out of restarts."""
    spec = core(job(workers=4, elastic={"min": 2, "max": 6}, **RESTARTABLE))
    assert variables(spec["template"])["PET_NNODES"] == "2:6"
    assert spec["parallelism"] == 4
    assert spec["maxFailedIndexes"] == 2


def test_pods_satisfy_the_restricted_standard() -> None:
    """Not root, no rights, no writing but into volumes."""
    pod = template(job(security={"user": 1000, "group": 2000}))["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {
        "fsGroup": 2000,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": 2000,
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert pod["automountServiceAccountToken"] is False
    writable = template(job(security={"writableRoot": True}))["spec"]["containers"][0]["securityContext"]
    assert "readOnlyRootFilesystem" not in writable


@pytest.mark.parametrize(
    ("spec", "size"),
    [
        ({}, None),
        ({"processesPerWorker": 4}, "1Gi"),
        ({"resources": {"memory": "32Gi", "gpu": {"count": 8}}}, "16Gi"),
        ({"sharedMemory": "1536Mi"}, "1536Mi"),
    ],
)
def test_shared_memory_is_bounded_by_the_pods_memory(spec: dict[str, Any], size: str | None) -> None:
    """Half of it where processes share tensors; what the document says where it says something."""
    document = job(**{"resources": {"memory": "2Gi"}, **spec})
    pod = template(document)["spec"]
    found = [one["emptyDir"] for one in pod["volumes"] if one["name"] == "shared-memory"]
    mounts = [one["mountPath"] for one in pod["containers"][0]["volumeMounts"]]
    assert found == ([] if size is None else [{"medium": "Memory", "sizeLimit": size}])
    assert ("/dev/shm" in mounts) is (size is not None)


def test_volumes_of_every_type_are_mounted() -> None:
    """Each becomes Kubernetes' own source."""
    volumes = [
        {"type": "claim", "name": "a", "claim": "c", "mountPath": "/a"},
        {"type": "nfs", "name": "b", "server": "s", "path": "/x", "mountPath": "/b", "readOnly": True},
        {"type": "hostPath", "name": "c", "path": "/y", "mountPath": "/c"},
        {"type": "emptyDir", "name": "d", "sizeLimit": "1Gi", "mountPath": "/d"},
        {"type": "configMap", "name": "e", "configMap": "m", "mountPath": "/e"},
        {"type": "secret", "name": "f", "secret": "s", "mountPath": "/f"},
    ]
    pod = template(job(volumes=volumes))["spec"]
    assert pod["volumes"][:6] == [
        {"name": "a", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "b", "nfs": {"path": "/x", "server": "s"}},
        {"name": "c", "hostPath": {"type": "Directory", "path": "/y"}},
        {"name": "d", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "e", "configMap": {"name": "m"}},
        {"name": "f", "secret": {"secretName": "s"}},
    ]
    assert pod["containers"][0]["volumeMounts"][1] == {"name": "b", "mountPath": "/b", "readOnly": True}


def test_the_network_is_what_the_document_says() -> None:
    """Interfaces for NCCL and gloo, RDMA devices with the capability they need, the node's own network."""
    network = {"port": 3333, "interface": "eth1", "hostNetwork": True, "rdma": {"resource": "rdma/hca", "count": 8}}
    made = render(job(network=network))
    pod = only(made, "Job")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    told = variables({"spec": pod})
    assert (told["NCCL_SOCKET_IFNAME"], told["GLOO_SOCKET_IFNAME"]) == ("=eth1", "eth1")
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")
    assert container["resources"]["limits"]["rdma/hca"] == "8"
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert any("restricted refuses the pods" in note for note in made.notes)


def test_workers_are_packed_where_the_document_asks() -> None:
    """As an affinity to each other, required or preferred."""
    def pods(topology: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = template(job("m", topology=topology))["spec"]["affinity"]["podAffinity"]
        return found

    term = {"labelSelector": {"matchLabels": {"tonnage.dev/training-job": "m"}}}
    assert pods({"pack": "zone"}) == {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"podAffinityTerm": {"topologyKey": "topology.kubernetes.io/zone", **term}, "weight": 100}
        ]
    }
    assert pods({"pack": "rack", "label": "example.com/rack", "required": True}) == {
        "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "example.com/rack", **term}]
    }


def test_gpus_choose_nodes_and_are_tolerated() -> None:
    """One type is a label that a node must have; of several the earlier is preferred."""
    pod = template(job(resources={"gpu": {"type": "a100", "count": 4}}))["spec"]
    assert pod["nodeSelector"] == {"gpu-type": "a100"}
    assert pod["tolerations"] == [{"effect": "NoSchedule", "key": "nvidia.com/gpu", "operator": "Exists"}]
    pod = template(job(resources={"gpu": {"types": ["h100", "a100", "l4"]}}))["spec"]
    weights = pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [one["weight"] for one in weights] == [100, 50]
    assert "nodeSelector" not in pod


def test_claimed_devices_come_with_their_template() -> None:
    """The pod's claim is made of a template that is created before the Job."""
    gpu = {"allocation": "dra", "count": 2, "migProfile": "1g.10gb"}
    made = render(job(resources={"gpu": gpu}))
    claims = only(made, "ResourceClaimTemplate")
    pod = only(made, "Job")["spec"]["template"]["spec"]
    assert made.objects[0] is claims
    assert pod["resourceClaims"] == [
        {"name": "gpu", "resourceClaimTemplateName": claims["metadata"]["name"]}
    ]
    assert pod["containers"][0]["resources"]["claims"] == [{"name": "gpu"}]
    (request,) = claims["spec"]["spec"]["devices"]["requests"]
    assert (request["exactly"]["count"], request["exactly"]["deviceClassName"]) == (2, "mig.nvidia.com")
    assert "1g.10gb" in request["exactly"]["selectors"][0]["cel"]["expression"]


def test_the_documents_own_variables_come_last() -> None:
    """They may refer to what workers are told."""
    env = {"RUN": "$(TONNAGE_WORKER_INDEX)"}
    document = job(env=env, envFrom=[{"secret": "s"}, {"configMap": "m"}])
    (container,) = template(document)["spec"]["containers"]
    assert container["env"][-1] == {"name": "RUN", "value": "$(TONNAGE_WORKER_INDEX)"}
    assert container["envFrom"] == [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "m"}}]


def test_times_are_kubernetes_whole_seconds() -> None:
    """Deadline, time to live and grace period."""
    document = job(deadline="1h", cleanup={"ttl": "0s"}, gracePeriod="2m")
    spec = core(document)
    assert (spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"]) == (3600, 0)
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 120
