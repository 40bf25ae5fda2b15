"""Training jobs of every kind as an audit sees them: roles, GPUs, who meets whom, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tonnage.audit import audit
from tonnage.audit.context import context_of
from tonnage.kube.objects import read_objects
from tonnage.manifests.text import dump_objects
from tonnage.spec.load import load_training_job, parse_training_job
from tonnage.training import choose_unseen, render

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples" / "training").glob("*/job.yaml"))
CONTAINER = "containers: [{name: pytorch, resources: {limits: {nvidia.com/gpu: 4}}}]"
JOB = f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: ranker}}
spec:
  parallelism: 3
  completions: 3
  completionMode: Indexed
  backoffLimit: 0
  template: {{spec: {{restartPolicy: Never, {CONTAINER}}}}}
"""
PYTORCH = f"""
apiVersion: kubeflow.org/v1
kind: PyTorchJob
metadata: {{name: ranker}}
spec:
  pytorchReplicaSpecs:
    Master: {{replicas: 1, template: {{spec: {{{CONTAINER}}}}}}}
    Worker: {{replicas: 2, template: {{spec: {{{CONTAINER}}}}}}}
"""
JOBSET = f"""
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata: {{name: ranker}}
spec:
  replicatedJobs:
  - name: driver
    template: {{spec: {{template: {{spec: {{containers: [{{name: driver}}]}}}}}}}}
  - name: worker
    replicas: 2
    template: {{spec: {{parallelism: 1, template: {{spec: {{{CONTAINER}}}}}}}}}
"""
TRAINJOB = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: ranker}
spec:
  runtimeRef: {name: torch-distributed}
  trainer: {numNodes: 3, numProcPerNode: 8, resourcesPerNode: {limits: {nvidia.com/gpu: 4}}}
"""


def trainings(text):
    objects, problems = read_objects(text, source="in.yaml")
    assert problems == []
    return context_of(objects).trainings


def codes(text):
    objects, problems = read_objects(text, source="in.yaml")
    assert problems == []
    return {one.code for one in audit(objects).findings}


@pytest.mark.parametrize("text", [JOB, PYTORCH, JOBSET, TRAINJOB], ids=["job", "pytorch", "jobset", "trainjob"])
def test_every_kind_has_pods_and_gpus(text):
    """Pods are counted over all roles, GPUs by the pod that has most."""
    (training,) = trainings(text)
    assert training.pods == 3
    assert training.gpus == {"nvidia.com/gpu": 4}


def test_rules_about_pods_look_into_every_role():
    """A GPU only in requests is found in a worker of a PyTorchJob and of a JobSet."""
    wrong = "resources: {requests: {nvidia.com/gpu: 4}}"
    for text in (PYTORCH, JOBSET):
        objects, _ = read_objects(text.replace("resources: {limits: {nvidia.com/gpu: 4}}", wrong), source="x")
        paths = [one.path for one in audit(objects).findings if one.code == "TNG001"]
        assert len(paths) == text.count("limits")
        assert all("pec.containers[0].resources" in path for path in paths)


def test_a_job_that_is_no_training_is_not_judged_as_one():
    """Pods that work side by side on GPUs, such as batch inference, need no gang, checkpoint or names."""
    assert not codes(JOB) & {f"TNG1{n:02}" for n in range(20)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("metadata: {name: ranker}", "metadata: {name: ranker, labels: {kueue.x-k8s.io/queue-name: a}}"),
        ("template: {spec: {", "template: {spec: {schedulerName: volcano, "),
        ("template: {spec: {", "template: {spec: {schedulingGroup: {podGroupName: a}, "),
        ("template: {", "template: {metadata: {labels: {scheduling.x-k8s.io/pod-group: a}}, "),
        ("spec:\n", "spec:\n  runPolicy: {schedulingPolicy: {minAvailable: 3}}\n"),
    ],
)
def test_every_way_to_a_gang_is_known(before, after):
    """Kueue, Volcano, coscheduling, the core scheduler and the operator's own policy place pods together."""
    assert "TNG100" in codes(PYTORCH)
    assert "TNG100" not in codes(PYTORCH.replace(before, after))


@pytest.mark.parametrize(
    ("selector", "spot"),
    [
        ("cloud.google.com/gke-spot: 'true'", True),
        ("eks.amazonaws.com/capacityType: SPOT", True),
        ("karpenter.sh/capacity-type: spot", True),
        ("karpenter.sh/capacity-type: on-demand", False),
        ("kubernetes.azure.com/scalesetpriority: spot", True),
        ("disktype: spot", False),
    ],
)
def test_spot_nodes_are_known_by_their_labels(selector, spot):
    """The labels of four providers say that a node may go."""
    text = PYTORCH.replace("template: {spec: {", f"template: {{spec: {{nodeSelector: {{{selector}}}, ")
    assert ("TNG113" in codes(text)) is spot


def test_processes_of_a_train_job_are_compared():
    """A TrainJob has no pods of its own, and says what each node gets."""
    assert "TNG116" in codes(TRAINJOB)
    assert "TNG116" not in codes(TRAINJOB.replace("numProcPerNode: 8", "numProcPerNode: 4"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_our_own_trainings_pass(path):
    """What tonnage train renders of the examples has no finding, but for the age of TFJob's operator."""
    job = load_training_job(path)
    choice = choose_unseen(job)
    found = {code for code, _ in found_in(render(job, backend=choice.backend, gang=choice.gang))}
    assert found == ({"TNG111"} if choice.backend == "tfjob" else set())


def found_in(rendering):
    objects, problems = read_objects(dump_objects(rendering.objects), source="rendered.yaml")
    assert problems == []
    return {(one.code, one.message) for one in audit(objects).findings}


DOCUMENT = """
apiVersion: tonnage.dev/v1alpha1
kind: TrainingJob
metadata: {name: ranker}
spec:
  framework: FRAMEWORK
  image: registry.example.com/train:1.4.2
  command: [python, train.py]
  workers: 4
  resources:
    cpu: "8"
    memory: 64Gi
    gpu: {vendor: nvidia, types: [NVIDIA-A100-SXM4-80GB], count: 8}
  volumes:
  - {type: claim, name: checkpoints, claim: ranker, mountPath: /checkpoints}
  checkpoint: {path: /checkpoints}
  deadline: 48h
  queue: team
  restart: {limit: 5}
"""


@pytest.mark.parametrize("backend", ["job", "jobset", "trainjob", "pytorchjob"])
def test_every_back_end_passes(backend):
    """GPU trainings of every back end in a queue have no finding; the old operator's age is one, and is said."""
    job = parse_training_job(DOCUMENT.replace("FRAMEWORK", "pytorch"))
    found = {code for code, _ in found_in(render(job, backend=backend, gang="kueue"))}
    assert found == ({"TNG111"} if backend == "pytorchjob" else set())


RAY = """
apiVersion: ray.io/v1
kind: RayService
metadata: {name: ranker}
spec:
  rayClusterConfig:
    headGroupSpec: {template: {spec: {containers: [{name: head, image: rayproject/ray:latest}]}}}
    workerGroupSpecs:
    - template: {spec: {containers: [{name: worker, resources: {limits: {nvidia.com/gpu: 4}}}]}}
"""


def test_pods_of_ray_are_pods():
    """Rules about pods look into head and workers; KubeRay's own shared memory is known."""
    objects, _ = read_objects(RAY, source="ray.yaml")
    found = {(one.code, one.path) for one in audit(objects).findings if one.severity != "info"}
    assert ("TNG090", "spec.rayClusterConfig.headGroupSpec.template.spec.containers[0].image") in found
    assert not {code for code, _ in found} & {"TNG009"}
