"""The document TrainingJob: what it takes, and what is told of one that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.kube.objects import read_objects
from tonnage.spec.documents import read_part
from tonnage.spec.load import load_training_job, parse_training_job
from tonnage.spec.training import TrainingJob

HEAD = """apiVersion: tonnage.dev/v1alpha1
kind: TrainingJob
metadata: {name: digits}
spec:
"""
MINIMAL = f"{HEAD}  framework: pytorch\n  image: train:v1\n  command: [python, train.py]\n"
CLAIM = "  volumes: [{type: claim, name: ckpt, claim: digits, mountPath: /ckpt}]\n"


def problems_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_training_job(text, source="x.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_a_small_document_is_enough() -> None:
    """One worker, one process, no restart."""
    spec = parse_training_job(MINIMAL).spec
    assert (spec.workers, spec.processes, spec.restart_limit) == (1, 1, 0)
    assert not spec.restarts


def test_it_is_written_back_as_it_was() -> None:
    """Reading what is written gives an equal value, from YAML and JSON alike."""
    text = MINIMAL + CLAIM + "  checkpoint: {path: /ckpt}\n  workers: 4\n  deadline: 2h\n"
    job = parse_training_job(text)
    assert parse_training_job(json.dumps(job.to_document())) == job


def test_a_file_is_read_like_its_text(tmp_path: Path) -> None:
    """Problems are told of the file."""
    path = tmp_path / "a.yaml"
    path.write_text(MINIMAL)
    assert load_training_job(path) == parse_training_job(MINIMAL)
    path.write_text("kind: ModelService\n")
    with pytest.raises(SpecError, match=r"a\.yaml:1:7: kind: must be TrainingJob, got ModelService"):
        load_training_job(path)


@pytest.mark.parametrize(
    ("spec", "processes"),
    [
        ("", 1),
        ("  resources: {gpu: {count: 8}}\n", 8),
        ("  resources: {gpu: {count: 8}}\n  processesPerWorker: 4\n", 4),
        ("  processesPerWorker: 3\n", 3),
    ],
)
def test_a_process_trains_on_a_gpu(spec: str, processes: int) -> None:
    """As many as GPUs where the document does not say."""
    assert parse_training_job(MINIMAL + spec).spec.processes == processes


def test_one_process_of_other_frameworks_uses_all_gpus() -> None:
    """TensorFlow and JAX share a worker's GPUs out themselves."""
    text = MINIMAL.replace("pytorch", "jax") + "  resources: {gpu: {count: 8}}\n"
    assert parse_training_job(text).spec.processes == 1


@pytest.mark.parametrize(
    ("spec", "limit"),
    [
        (f"{CLAIM}  checkpoint: {{path: /ckpt}}\n", 3),
        (f"{CLAIM}  checkpoint: {{path: /ckpt/run}}\n  restart: {{limit: 9}}\n", 9),
        (f"{CLAIM}  checkpoint: {{path: /ckpt}}\n  restart: {{policy: Never}}\n", 0),
        ("  restart: {policy: OnFailure, fromStart: true}\n", 3),
    ],
)
def test_a_job_with_a_checkpoint_is_restarted(spec: str, limit: int) -> None:
    """Without one only where the document accepts to begin again."""
    assert parse_training_job(MINIMAL + spec).spec.restart_limit == limit


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            "  restart: {limit: 2}\n",
            ("x.yaml:5:3: spec.checkpoint: must be given, because spec.restart restarts the job, which would "
            "lose all it has learnt; write checkpoint: {path: /checkpoints}, or restart: {fromStart: true} "
            "to begin again"),
        ),
        (
            f"{CLAIM}  checkpoint: {{path: /other}}\n",
            ("x.yaml:9:22: spec.checkpoint.path: must lie on a volume's mountPath, got /other; "
            "what a container writes elsewhere ends with it"),
        ),
        (
            f"{CLAIM}  checkpoint: {{path: /ckpt, volume: no}}\n",
            "x.yaml:9:37: spec.checkpoint.volume: must be one of spec.volumes (ckpt), got no",
        ),
        (
            "  volumes: [{type: emptyDir, name: a, mountPath: /a}]\n  checkpoint: {path: /a}\n",
            ("x.yaml:9:22: spec.checkpoint.path: must lie on a volume that outlives its pod, got a of type "
            "emptyDir; use a volume of type claim or nfs"),
        ),
        (
            CLAIM.replace("/ckpt}", "/ckpt, readOnly: true}") + "  checkpoint: {path: /ckpt}\n",
            "x.yaml:9:22: spec.checkpoint.path: must lie on a volume that can be written, got ckpt",
        ),
        (
            "  volumes: [{type: secret, name: a, secret: s, mountPath: /dev/shm}]\n",
            ("x.yaml:8:59: spec.volumes[0].mountPath: must not be one of /, /dev, /dev/shm, /proc, /sys, /tmp, "
            "got /dev/shm; spec.sharedMemory sizes /dev/shm"),
        ),
        (
            "  volumes: [{type: secret, name: tmp, secret: s, mountPath: /a}]\n",
            (
                "x.yaml:8:34: spec.volumes[0].name: must not be one of tmp, shared-memory, got tmp; "
                "every worker has them already"
            ),
        ),
        (
            "  elastic: {min: 3, max: 2}\n",
            "x.yaml:8:18: spec.elastic.min: must be <= max (2), got 3",
        ),
        (
            "  elastic: {min: 2, max: 4}\n",
            "x.yaml:5:3: spec.workers: must be from spec.elastic.min (2) to max (4), got 1",
        ),
        (
            "  launcher: none\n  elastic: {min: 1, max: 4}\n",
            ("x.yaml:9:12: spec.elastic: must not be given with framework pytorch and launcher none; "
            "only torchrun regroups workers while a job runs"),
        ),
        (
            "  processesPerWorker: 3\n  resources: {gpu: {count: 8}}\n",
            ("x.yaml:8:23: spec.processesPerWorker: must divide spec.resources.gpu.count (8), got 3; "
            "otherwise some GPUs are asked for and never used"),
        ),
        (
            "  processesPerWorker: 9\n  resources: {gpu: {count: 8}}\n",
            ("x.yaml:8:23: spec.processesPerWorker: must be <= spec.resources.gpu.count (8), got 9; "
            "each process trains on a GPU of its own"),
        ),
        (
            "  processesPerWorker: 2\n  launcher: none\n",
            ("x.yaml:9:13: spec.launcher: must start 2 processes a worker, got none; "
            "let torchrun start them: launcher: auto"),
        ),
        (
            "  roles: {chief: {}}\n",
            "x.yaml:8:18: spec.roles.chief: must be null with framework pytorch; roles are TensorFlow's",
        ),
        (
            "  env: {MASTER_ADDR: a}\n",
            ("x.yaml:8:22: spec.env.MASTER_ADDR: must be another name, because it tells workers their place; "
            "leave it out: it is set for every process"),
        ),
        (
            "  envFrom: [{}]\n",
            "x.yaml:8:13: spec.envFrom[0]: must name a secret or a configMap, and not both",
        ),
        (
            "  topology: {pack: rack}\n",
            ("x.yaml:8:13: spec.topology.label: must be given with pack rack, because clouds label it "
            "differently; such as cloud.provider.com/topology-rack; see kubectl get nodes --show-labels"),
        ),
        (
            "  sharedMemory: 2Gi\n",
            "x.yaml:8:17: spec.sharedMemory: must be <= the worker's memory (1Gi), which it counts to, got 2Gi",
        ),
        (
            "  resources: {gpu: {type: a100}}\n  scheduling: {nodeSelector: {gpu-type: t4}}\n",
            ("x.yaml:9:41: spec.scheduling.nodeSelector.gpu-type: must be among the types of "
            "spec.resources.gpu (a100), got t4"),
        ),
        (
            "  restart: {policy: Never, limit: 2}\n",
            "x.yaml:8:35: spec.restart.limit: must not be given with policy Never",
        ),
    ],
)
def test_a_fault_is_told_where_it_stands(spec: str, problem: str) -> None:
    """What must hold, what was found, and the next step."""
    assert problems_of(MINIMAL + spec) == [problem]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("framework: pytorch", "framework: torch", 'must be one of pytorch, tensorflow, jax, plain, got torch; did you mean "pytorch"?'),
        ("image: train:v1", "image: 'a b'", "must be an image reference such as registry.example.com/team/model:v1.2.3"),
        ("command: [python, train.py]", "command: []", "must hold at least 1 item"),
        ("command: [python, train.py]", "command: python train.py", "must be a list"),
        ("command:", "comand:", 'must be a known field, got "comand"; did you mean "command"?'),
        ("{name: digits}", "{name: Digits}", "must be at most 63 lowercase letters"),
    ],
)  # fmt: skip
def test_a_field_is_told_by_itself(old: str, new: str, problem: str) -> None:
    """As in every document of ours."""
    (found,) = problems_of(MINIMAL.replace(old, new))
    assert problem in found


def test_every_problem_is_told_at_once() -> None:
    """Single fields and what does not agree, in the order of the text."""
    text = MINIMAL.replace("pytorch", "torch") + "  workers: 0\n  elastic: {min: 3, max: 2}\n  restart: {limit: 1}\n"
    found = problems_of(text)
    assert [one.split(": ")[1] for one in found] == [
        "spec.checkpoint",
        "spec.framework",
        "spec.workers",
    ]


def test_a_rule_about_what_could_not_be_read_is_left_out() -> None:
    """A misspelt checkpoint is not also a missing one."""
    found = problems_of(MINIMAL + CLAIM + "  chekpoint: {path: /ckpt}\n  restart: {limit: 1}\n")
    assert [one.split(": ")[1] for one in found] == ["spec.chekpoint"]


def test_it_is_read_among_other_documents() -> None:
    """A text may hold several kinds."""
    (item,), problems = read_objects(MINIMAL, source="x.yaml")
    value, more = read_part(item, TrainingJob)
    assert (problems, more) == ([], [])
    assert value == parse_training_job(MINIMAL)
    (item,), _ = read_objects(MINIMAL + "  workers: 0\n", source="x.yaml")
    assert [str(one) for one in read_part(item, TrainingJob)[1]] == [
        "x.yaml:8:12: spec.workers: must be >= 1, got 0"
    ]


@given(
    gpus=st.integers(0, 64),
    processes=st.one_of(st.just("auto"), st.integers(1, 64)),
    framework=st.sampled_from(["pytorch", "tensorflow", "jax", "plain"]),
)
def test_processes_that_are_let_through_have_gpus_of_their_own(gpus: int, processes: object, framework: str) -> None:
    """With PyTorch every GPU has one process, or several share a whole number of GPUs each."""
    resources = {"gpu": {"count": gpus}} if gpus else {}
    document = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "t"},
        "spec": {
            "framework": framework,
            "image": "t:v1",
            "command": ["t"],
            "processesPerWorker": processes,
            "resources": resources,
        },
    }
    try:
        spec = TrainingJob.model_validate(document).spec
    except SpecError as error:
        assert [one.path for one in error.problems] == ["spec.processesPerWorker"]
        assert processes != "auto"
        return
    assert spec.processes >= 1
    if framework == "pytorch" and gpus:
        assert gpus % spec.processes == 0
    if framework != "pytorch":
        assert spec.processes == 1
