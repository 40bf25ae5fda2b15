"""Objects of Kubernetes and of operators become the pods that they will have."""

from __future__ import annotations

from typing import Any

import pytest

from tonnage.errors import SpecError
from tonnage.gpus import workload_of, workload_of_job, workload_of_service
from tonnage.spec.load import parse_model_service, parse_training_job

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": "main", "resources": {"limits": {"nvidia.com/gpu": "4"}}}]},
}


def made(kind: str, spec: dict[str, Any], api: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec}


def role(count: int) -> dict[str, Any]:
    return {"replicas": count, "template": TEMPLATE}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (made("Pod", TEMPLATE["spec"]), ["x"]),
        (made("Deployment", {"replicas": 2, "template": TEMPLATE}), ["x-0", "x-1"]),
        (made("Deployment", {"template": TEMPLATE}), ["x-0"]),
        (made("Deployment", {"replicas": 0, "template": TEMPLATE}), []),
        (made("StatefulSet", {"replicas": 2, "template": TEMPLATE}), ["x-0", "x-1"]),
        (made("Job", {"template": TEMPLATE}), ["x-0"]),
        (made("Job", {"parallelism": 3, "completions": 2, "template": TEMPLATE}), ["x-0", "x-1"]),
        (made("CronJob", {"jobTemplate": {"spec": {"parallelism": 2, "template": TEMPLATE}}}), ["x-0", "x-1"]),
        (
            made("PyTorchJob", {"pytorchReplicaSpecs": {"Master": role(1), "Worker": role(2)}}),
            ["x-master-0", "x-worker-0", "x-worker-1"],
        ),
        (
            made("TFJob", {"tfReplicaSpecs": {"Chief": role(1), "PS": role(1), "Worker": role(1)}}),
            ["x-chief-0", "x-ps-0", "x-worker-0"],
        ),
        (
            made("JobSet", {"replicatedJobs": [{"name": "w", "replicas": 2, "template": {"spec": {"parallelism": 2, "template": TEMPLATE}}}]}),
            ["x-w-0-0", "x-w-0-1", "x-w-1-0", "x-w-1-1"],
        ),
        (
            made("LeaderWorkerSet", {"replicas": 2, "leaderWorkerTemplate": {"size": 2, "workerTemplate": TEMPLATE}}),
            ["x-0", "x-0-1", "x-1", "x-1-1"],
        ),
        (
            made("Job", {"tasks": [{"name": "t", "replicas": 2, "template": TEMPLATE}]}, "batch.volcano.sh/v1alpha1"),
            ["x-t-0", "x-t-1"],
        ),
        (
            made("RayCluster", {"headGroupSpec": {"template": TEMPLATE}, "workerGroupSpecs": [{"groupName": "g", "replicas": 2, "template": TEMPLATE}]}),
            ["x-head-0", "x-g-0", "x-g-1"],
        ),
        (made("Rollout", {"replicas": 2, "template": TEMPLATE}, "argoproj.io/v1alpha1"), ["x-0", "x-1"]),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_kind_makes_its_pods(value: dict[str, Any], names: list[str]) -> None:
    """As many pods as the controller makes, with the names that it gives them."""
    workload = workload_of(value)
    assert workload is not None
    assert [one["metadata"]["name"] for one in workload.pods] == names
    assert all(one["spec"]["containers"][0]["name"] == "main" for one in workload.pods)
    assert all(one["metadata"]["namespace"] == "default" for one in workload.pods)


@pytest.mark.parametrize("kind", ["Service", "ConfigMap", "Node"])
def test_other_kinds_make_none(kind: str) -> None:
    """An object without a template has no pods."""
    assert workload_of(made(kind, {"selector": {"app": "x"}})) is None


def test_a_daemonset_and_too_many_pods_are_refused() -> None:
    """A DaemonSet takes the nodes that there are; thousands of pods are not placed one by one."""
    with pytest.raises(SpecError, match="DaemonSet: must be another kind"):
        workload_of(made("DaemonSet", {"template": TEMPLATE}))
    with pytest.raises(SpecError, match="Deployment/x: must make at most 2000 pods, got 5000"):
        workload_of(made("Deployment", {"replicas": 5000, "template": TEMPLATE}))


@pytest.mark.parametrize(
    "value",
    [
        made("JobSet", {"replicatedJobs": "x"}),
        made("PyTorchJob", {"pytorchReplicaSpecs": {"Worker": 3}}),
        made("TrainJob", {"trainer": {"numNodes": "many"}}),
        made("LeaderWorkerSet", {"leaderWorkerTemplate": "x"}),
        made("RayCluster", {"headGroupSpec": "x"}),
    ],
    ids=lambda value: value["kind"],
)
def test_an_object_that_does_not_follow_its_kind_is_the_authors_fault(value: dict[str, Any]) -> None:
    """No schema of an operator is at hand; what cannot be read is still no bug of ours."""
    with pytest.raises(SpecError, match=f"{value['kind']}/x: must have the fields of its kind"):
        workload_of(value)


def test_pods_without_containers_are_refused() -> None:
    """A template that is missing, or stands in the wrong place, would fit anywhere."""
    with pytest.raises(SpecError, match="LeaderWorkerSet/x: its pods must have containers, got none"):
        workload_of(made("LeaderWorkerSet", {"replicas": 1, "workerTemplate": TEMPLATE}))


def test_a_deployments_pods_are_of_a_new_revision_of_their_replicaset() -> None:
    """Default spreading and matchLabelKeys need the revision's label, the owner and its selector."""
    workload = workload_of(made("Deployment", {"selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}))
    assert workload is not None
    metadata = workload.pods[0]["metadata"]
    assert metadata["labels"] == {"app": "x", "pod-template-hash": "new"}
    assert metadata["ownerReferences"][0]["kind"] == "ReplicaSet"
    assert workload.objects[0]["kind"] == "ReplicaSet"
    assert workload.objects[0]["spec"]["selector"]["matchLabels"] == {"app": "x", "pod-template-hash": "new"}


@pytest.mark.parametrize(
    ("value", "gang"),
    [
        (made("Job", {"template": TEMPLATE}), False),
        (made("Job", {"template": TEMPLATE}, labels={"kueue.x-k8s.io/queue-name": "q"}), True),
        (made("Job", {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "schedulerName": "volcano"}}}), True),
        (made("Job", {"template": {**TEMPLATE, "spec": {**TEMPLATE["spec"], "schedulingGroup": {"podGroupName": "g"}}}}), True),
        (made("Pod", TEMPLATE["spec"], labels={"scheduling.x-k8s.io/pod-group": "g"}), True),
        (made("PyTorchJob", {"pytorchReplicaSpecs": {"Worker": role(2)}}), False),
        (made("PyTorchJob", {"pytorchReplicaSpecs": {"Worker": role(2)}, "runPolicy": {"schedulingPolicy": {"minAvailable": 2}}}), True),
        (made("Job", {"tasks": [{"template": TEMPLATE}]}, "batch.volcano.sh/v1alpha1"), True),
    ],
)  # fmt: skip
def test_a_gang_is_known_by_what_makes_it_one(value: dict[str, Any], gang: bool) -> None:
    """Kueue, Volcano, coscheduling, Kubernetes' own PodGroups, and the training operator's policy."""
    workload = workload_of(value)
    assert workload is not None
    assert workload.gang is gang


def runtime() -> dict[str, Any]:
    node = {"name": "node", "image": "torch", "env": [{"name": "A", "value": "1"}]}
    jobs = [
        {"name": "dataset-initializer", "template": {"spec": {"template": {"spec": {"containers": [{"name": "init"}]}}}}},
        {"name": "node", "template": {"spec": {"template": {"spec": {"containers": [node], "nodeSelector": {"a": "1"}}}}}},
    ]  # fmt: skip
    spec = {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": jobs}}}
    return {"kind": "ClusterTrainingRuntime", "metadata": {"name": "torch-distributed"}, "spec": spec}


def test_a_trainjob_is_its_runtime_with_its_own_words_over_it() -> None:
    """Nodes, resources and patches of the TrainJob reach the pods of the runtime's job."""
    pods = {"template": {"spec": {"template": {"spec": {"nodeSelector": {"b": "2"}, "tolerations": [{"key": "t"}]}}}}, "name": "node"}
    patch = {"manager": "m", "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [pods]}}}}
    spec = {
        "runtimeRef": {"name": "torch-distributed"},
        "trainer": {"numNodes": 2, "resourcesPerNode": {"limits": {"nvidia.com/gpu": "8"}}},
        "runtimePatches": [patch],
    }
    workload = workload_of(made("TrainJob", spec), [runtime()])
    assert workload is not None
    assert [one["metadata"]["name"] for one in workload.pods] == ["x-dataset-initializer-0-0", "x-node-0-0", "x-node-0-1"]
    worker = workload.pods[1]["spec"]
    assert worker["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": "8"}}
    assert (worker["nodeSelector"], worker["tolerations"]) == ({"a": "1", "b": "2"}, [{"key": "t"}])
    alone = workload_of(made("TrainJob", spec))
    assert alone is not None
    assert len(alone.pods) == 2


JOB = """
apiVersion: tonnage.dev/v1alpha1
kind: TrainingJob
metadata: {name: digits, namespace: ml}
spec:
  framework: pytorch
  image: example.com/x:1
  command: [python, train.py]
  workers: 2
  elastic: {min: 1, max: 4}
  checkpoint: {path: /ckpt/digits}
  volumes: [{type: claim, name: ckpt, mountPath: /ckpt, claim: ckpt}]
  resources: {cpu: "8", memory: 32Gi, gpu: {count: 4, type: a100}}
"""
SERVICE = """
apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata: {name: ranker}
spec:
  model: {format: onnx, path: model.onnx}
  replicas: 3
  resources: {cpu: "2", memory: 4Gi, gpu: {count: 1, allocation: dra}}
"""


def test_a_model_service_is_its_replicas_and_their_claims() -> None:
    """Replicas come from the document or the command line; claim templates come along."""
    service = parse_model_service(SERVICE)
    workload = workload_of_service(service)
    assert (len(workload.pods), workload.gang, workload.divisible) == (3, False, False)
    assert {one["kind"] for one in workload.objects} >= {"ReplicaSet", "ResourceClaimTemplate", "Service"}
    assert len(workload_of_service(service, 5).pods) == 5


def test_a_training_job_is_a_gang_of_its_workers() -> None:
    """Workers are placed together, could be cut smaller, and an elastic job can do with fewer."""
    job = parse_training_job(JOB)
    workload = workload_of_job(job)
    assert (workload.gang, workload.divisible, workload.least, workload.namespace) == (True, True, 1, "ml")
    assert [one["metadata"]["name"] for one in workload.pods] == ["digits-0", "digits-1"]
