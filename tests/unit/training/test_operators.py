"""Back ends of operators: JobSet, Kubeflow Trainer, and the Training Operator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from training_documents import RESTARTABLE, job, only, variables

from tonnage.spec.training import TrainingJob
from tonnage.training import render

ROLES = {"chief": {}, "parameterServers": {"replicas": 2, "resources": {"cpu": 2}}}


def jobset(document: TrainingJob) -> dict[str, Any]:
    spec: dict[str, Any] = only(render(document, backend="jobset"), "JobSet")["spec"]
    return spec


def runtime(document: TrainingJob, **options: Any) -> dict[str, Any]:
    spec: dict[str, Any] = only(render(document, backend="trainjob", **options), "TrainingRuntime")["spec"]
    return spec


def test_a_set_begins_again_as_a_whole() -> None:
    """A failed pod fails its Job at once, and all Jobs are made anew when the old pods are gone."""
    spec = jobset(job(restart={"limit": 7}, **RESTARTABLE))
    (replicated,) = spec["replicatedJobs"]
    assert replicated["template"]["spec"]["backoffLimit"] == 0
    assert spec["failurePolicy"]["maxRestarts"] == 7
    assert spec["failurePolicy"]["restartStrategy"] == "BlockingRecreate"


def test_a_disruption_restarts_a_set_and_does_not_count() -> None:
    """The Job fails by its policy, which the set's policy knows by the reason."""
    spec = jobset(job(**RESTARTABLE))
    (replicated,) = spec["replicatedJobs"]
    assert replicated["template"]["spec"]["podFailurePolicy"]["rules"] == [
        {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    ]
    assert spec["failurePolicy"]["rules"] == [
        {
            "name": "disruption",
            "action": "RestartJobSetAndIgnoreMaxRestarts",
            "onJobFailureReasons": ["PodFailurePolicy"],
        }
    ]


def test_a_fatal_exit_code_ends_a_set_before_the_rule_of_disruptions() -> None:
    """Both fail the Job for one reason; the message tells them apart, and the first rule that fits is taken."""
    spec = jobset(job(framework="jax", restart={"fatalExitCodes": [3]}, **RESTARTABLE))
    assert [rule["name"] for rule in spec["failurePolicy"]["rules"]] == ["fatalExitCode", "disruption"]


def test_a_set_whose_time_is_over_is_not_started_again() -> None:
    """The rule stands before the others; that the time begins anew with a restart is told."""
    document = job(deadline="2h", **RESTARTABLE)
    spec = jobset(document)
    assert spec["replicatedJobs"][0]["template"]["spec"]["activeDeadlineSeconds"] == 7200
    assert spec["failurePolicy"]["rules"][0] == {
        "name": "deadline",
        "action": "FailJobSet",
        "onJobFailureReasons": ["DeadlineExceeded"],
    }
    assert any("begins anew" in note for note in render(document, backend="jobset").notes)


def test_a_train_job_keeps_its_time_itself() -> None:
    """Over all restarts; the JobSet that Trainer makes has none."""
    document = job(deadline="2h", **RESTARTABLE)
    made = only(render(document, backend="trainjob"), "TrainJob")
    template = runtime(document)["template"]["spec"]
    assert made["spec"]["activeDeadlineSeconds"] == 7200
    assert "activeDeadlineSeconds" not in template["replicatedJobs"][0]["template"]["spec"]
    assert [rule["name"] for rule in template["failurePolicy"]["rules"]] == ["disruption"]


def test_a_set_without_restarts_has_no_policy() -> None:
    """The first failure is the last."""
    assert "failurePolicy" not in jobset(job())


def test_a_set_meets_at_ranks_that_are_known() -> None:
    """All agents start together, so that the static rendezvous will do."""
    spec = jobset(job("m", workers=3, processesPerWorker=2))
    told = variables(spec["replicatedJobs"][0]["template"]["spec"]["template"])
    assert spec["network"]["subdomain"] == "m-workers"
    assert told["PET_MASTER_ADDR"] == "m-worker-0-0.m-workers"
    assert told["PET_NODE_RANK"] == "$(JOB_COMPLETION_INDEX)"
    assert (told["PET_NNODES"], told["PET_NPROC_PER_NODE"]) == ("3", "2")
    assert "PET_RDZV_BACKEND" not in told


def test_tensorflow_roles_are_jobs_of_one_set() -> None:
    """Each knows all; the chief's success is the job's, because parameter servers never end."""
    spec = jobset(job("m", framework="tensorflow", roles=ROLES))
    replicated = {one["name"]: one["template"]["spec"] for one in spec["replicatedJobs"]}
    assert {name: one["completions"] for name, one in replicated.items()} == {"chief": 1, "worker": 2, "ps": 2}
    assert spec["successPolicy"] == {"operator": "All", "targetReplicatedJobs": ["chief"]}
    text = variables(replicated["ps"]["template"])["TF_CONFIG"].replace("$(JOB_COMPLETION_INDEX)", "1")
    config = json.loads(text)
    assert config["task"] == {"type": "ps", "index": 1}
    assert config["cluster"]["chief"] == ["m-chief-0-0.m-workers:29500"]
    assert config["cluster"]["ps"][1] == "m-ps-0-1.m-workers:29500"
    assert replicated["ps"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "2"


def test_a_train_job_names_its_own_runtime() -> None:
    """The runtime is made first, with what the job does not say."""
    made = render(job("m", workers=4), backend="trainjob", namespace="ml")
    train_job = only(made, "TrainJob")
    assert [one["kind"] for one in made.objects] == ["TrainingRuntime", "TrainJob"]
    assert train_job["spec"]["runtimeRef"] == {
        "apiGroup": "trainer.kubeflow.org",
        "kind": "TrainingRuntime",
        "name": "m",
    }
    assert train_job["spec"]["trainer"]["numNodes"] == 4
    assert train_job["spec"]["trainer"]["numProcPerNode"] == 1
    assert {one["metadata"]["namespace"] for one in made.objects} == {"ml"}


def test_the_runtime_is_what_trainer_demands() -> None:
    """A replicated job "node" with a container "node", labelled as the step that trains."""
    found = runtime(job(resources={"gpu": {"count": 8}}, **RESTARTABLE))
    (replicated,) = found["template"]["spec"]["replicatedJobs"]
    (container,) = replicated["template"]["spec"]["template"]["spec"]["containers"]
    assert replicated["name"] == container["name"] == "node"
    labels = replicated["template"]["metadata"]["labels"]
    assert labels["trainer.kubeflow.org/trainjob-ancestor-step"] == "trainer"
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert found["template"]["spec"]["failurePolicy"]["maxRestarts"] == 3


@pytest.mark.parametrize(
    ("spec", "policy"),
    [
        ({}, {"numNodes": 2, "torch": {}}),
        ({"framework": "jax"}, {"numNodes": 2, "jax": {}}),
        ({"framework": "tensorflow"}, {"numNodes": 2}),
        ({"framework": "plain"}, {"numNodes": 2}),
        ({"launcher": "none"}, {"numNodes": 2}),
    ],
)
def test_trainer_tells_frameworks_that_it_knows(spec: dict[str, Any], policy: dict[str, Any]) -> None:
    """The others are told by us."""
    found = runtime(job("m", **spec))
    (replicated,) = found["template"]["spec"]["replicatedJobs"]
    told = variables(replicated["template"]["spec"]["template"])
    assert found["mlPolicy"] == policy
    reserved = {"PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT"}
    assert not reserved & told.keys()
    assert ("TF_CONFIG" in told) is (spec.get("framework") == "tensorflow")
    assert ("RANK" in told) is (spec.get("launcher") == "none")


@pytest.mark.parametrize(
    ("gang", "policy", "scheduler"),
    [
        ("volcano", {"volcano": {}}, "volcano"),
        ("coscheduling", {"coscheduling": {"scheduleTimeoutSeconds": 60}}, "scheduler-plugins-scheduler"),
    ],
)
def test_trainer_makes_the_groups_of_the_gangs_that_it_knows(
    gang: Any, policy: dict[str, Any], scheduler: str
) -> None:
    """No group of ours beside it."""
    made = render(job(), backend="trainjob", gang=gang)
    found = only(made, "TrainingRuntime")["spec"]
    (replicated,) = found["template"]["spec"]["replicatedJobs"]
    assert found["podGroupPolicy"] == policy
    assert replicated["template"]["spec"]["template"]["spec"]["schedulerName"] == scheduler
    assert not [one for one in made.objects if one["kind"] == "PodGroup"]


def test_volcanos_queue_reaches_trainers_group() -> None:
    """By the annotation that Trainer reads."""
    annotations = runtime(job(queue="q"), gang="volcano")["template"]["metadata"]["annotations"]
    assert annotations == {"scheduling.volcano.sh/queue-name": "q"}


def test_a_pytorch_job_has_workers_only() -> None:
    """A master would bring an init container that restricted namespaces refuse."""
    found = only(render(job("m", workers=3, **RESTARTABLE), backend="pytorchjob"), "PyTorchJob")["spec"]
    assert list(found["pytorchReplicaSpecs"]) == ["Worker"]
    worker = found["pytorchReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "pytorch"
    assert container["ports"] == [{"name": "pytorchjob-port", "containerPort": 29500}]
    assert worker["restartPolicy"] == "OnFailure"
    assert "restartPolicy" not in worker["template"]["spec"]


def test_an_elastic_pytorch_job_has_a_range_of_workers() -> None:
    """And torchrun's options from it."""
    elastic = {"min": 1, "max": 5}
    made = render(job("m", workers=3, elastic=elastic, **RESTARTABLE), backend="pytorchjob")
    found = only(made, "PyTorchJob")["spec"]
    policy = found["elasticPolicy"]
    assert (policy["minReplicas"], policy["maxReplicas"], policy["maxRestarts"]) == (1, 5, 3)
    assert not any(name.startswith("PET_") for name in variables(found["pytorchReplicaSpecs"]["Worker"]["template"]))


def test_a_pytorch_job_of_fixed_size_is_done_when_all_its_workers_are() -> None:
    """With an elastic policy the operator would end it with its first worker; so torchrun's options are ours."""
    made = render(job("m", workers=3, **RESTARTABLE), backend="pytorchjob")
    found = only(made, "PyTorchJob")["spec"]
    assert "elasticPolicy" not in found
    told = variables(found["pytorchReplicaSpecs"]["Worker"]["template"])
    assert told["PET_RDZV_ENDPOINT"] == "m-worker-0:29500"
    assert told["PET_MAX_RESTARTS"] == "3"
    assert not {"PET_NNODES", "PET_NPROC_PER_NODE", "PYTHONUNBUFFERED"} & set(told)


def test_the_training_operator_counts_the_restarts_of_all_pods() -> None:
    """A failure of all workers is one of each, and the limit is what it must not reach."""
    policy = only(
        render(job(workers=4, restart={"limit": 2}, **RESTARTABLE), backend="pytorchjob"), "PyTorchJob"
    )["spec"]["runPolicy"]
    assert policy["backoffLimit"] == 9
    assert policy["cleanPodPolicy"] == "Running"
    never = only(render(job(), backend="pytorchjob"), "PyTorchJob")["spec"]
    assert "backoffLimit" not in never["runPolicy"]
    assert never["pytorchReplicaSpecs"]["Worker"]["restartPolicy"] == "Never"


def test_a_tf_job_has_the_roles_of_the_document() -> None:
    """Chief, workers and parameter servers; the operator writes TF_CONFIG."""
    made = render(job(framework="tensorflow", roles=ROLES), backend="tfjob")
    replicas = only(made, "TFJob")["spec"]["tfReplicaSpecs"]
    assert {name: one["replicas"] for name, one in replicas.items()} == {"Chief": 1, "Worker": 2, "PS": 2}
    for one in replicas.values():
        assert one["template"]["spec"]["containers"][0]["name"] == "tensorflow"
        assert "TF_CONFIG" not in variables(one["template"])


@pytest.mark.parametrize("backend", ["pytorchjob", "tfjob"])
def test_unmaintained_kinds_are_told(backend: Any) -> None:
    """With what takes their place."""
    framework = "pytorch" if backend == "pytorchjob" else "tensorflow"
    notes = render(job(framework=framework), backend=backend).notes
    assert "no longer maintained" in notes[0]
    assert "TrainJob" in notes[0]
