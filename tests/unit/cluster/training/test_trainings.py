"""What is read out of a cluster's objects about a training: placement, obstacles, sources of logs, its end."""

from __future__ import annotations

import json

import pytest

from tonnage.cluster.logs import LogPart
from tonnage.cluster.snapshot import Snapshot
from tonnage.cluster.training.check import missing_for, obstacles
from tonnage.cluster.training.documents import status_document
from tonnage.cluster.training.joblogs import Wanted, container_of, sources_of
from tonnage.cluster.training.placement import placement_of
from tonnage.cluster.training.progress import Changes, exit_code, phase_text, worker_text
from tonnage.cluster.training.state import JobState
from tonnage.spec.load import parse_training_job
from tonnage.training import TrainingStatus, WorkerStatus, pods_of

INDEX = "batch.kubernetes.io/job-completion-index"
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "train", "uid": "j", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"parallelism": 2},
}


def job(**spec):
    document = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "train"},
        "spec": {
            "framework": "plain",
            "image": "i:v1",
            "command": ["true"],
            "workers": 2,
            "resources": {"cpu": "1", "memory": "1Gi"},
            **spec,
        },
    }
    return parse_training_job(json.dumps(document))


def node(name, cpu="8", labels=None, taints=None, **more):
    allocatable = {"cpu": cpu, "memory": "32Gi", "pods": "110", **more}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {"taints": taints or []},
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }


def gpu_node(name, kind, count):
    return node(name, labels={"gpu-type": kind}, **{"nvidia.com/gpu": str(count)})


def pod(index, name=None, phase="Running", on="n1", created="2026-01-01T00:00:00Z", restarts=0, code=None):
    state = {"terminated": {"exitCode": code}} if code is not None else {"running": {"startedAt": created}}
    return {
        "metadata": {
            "name": name or f"train-{index}-abcde",
            "namespace": "ml",
            "uid": name or f"p{index}",
            "labels": {INDEX: str(index)},
            "creationTimestamp": created,
        },
        "spec": {"nodeName": on, "containers": [{"name": "trainer"}, {"name": "sidecar"}]},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "trainer", "restartCount": restarts, "state": state}],
        },
    }


def found(document, *nodes):
    snapshot = Snapshot(nodes, (), ())
    return [str(one) for one in obstacles(document, pods_of(document), snapshot)]


def test_what_fits_an_empty_cluster_has_no_obstacle():
    assert found(job(), node("n1")) == []


def test_a_cluster_without_nodes_is_said_to_have_none():
    text = "the cluster must have a node, and has none; --force submits all the same, such as where "
    assert found(job()) == [f"{text}an autoscaler brings the nodes"]


def test_a_type_that_no_node_has_names_those_that_there_are():
    resources = {"cpu": "1", "memory": "1Gi", "gpu": {"types": ["h100", "h200"]}}
    text = found(job(resources=resources), gpu_node("g1", "a100", 4), gpu_node("g2", "t4", 1))[0]
    assert text.startswith(
        "spec.resources.gpu.type: must be one that a node has, got h100, h200; nodes have: a100, t4; --force"
    )


def test_nodes_without_the_type_label_are_said_to_have_none():
    resources = {"cpu": "1", "memory": "1Gi", "gpu": {"type": "a100"}}
    assert "nodes have: no node has the label gpu-type" in found(job(resources=resources), node("n1"))[0]


def test_more_gpus_than_any_node_of_the_type_has_are_refused():
    resources = {"cpu": "1", "memory": "1Gi", "gpu": {"type": "t4", "count": 4}}
    text = found(job(resources=resources), gpu_node("g1", "a100", 8), gpu_node("g2", "t4", 2))[0]
    assert text.startswith("spec.resources.gpu.count: must be <= 2, the most that one node has, got 4; use more workers")


def test_a_worker_that_is_too_large_says_why_for_each_node():
    text = found(job(resources={"cpu": "16", "memory": "1Gi"}), node("n1"), node("n2"))[0]
    assert text.startswith("a worker must fit on an empty node: 0/2 nodes are available: 2 Insufficient cpu.")
    assert "\n  n1: Insufficient cpu" in text


def test_workers_that_fit_one_by_one_and_not_together_are_refused():
    text = found(job(resources={"cpu": "5", "memory": "1Gi"}), node("n1"))[0]
    assert text.startswith("all pods together must fit in an empty cluster, which takes 1 of 2 pods: ")


def test_an_elastic_job_needs_room_for_its_least_workers_only():
    elastic = {"framework": "pytorch", "command": ["python", "x.py"], "elastic": {"min": 1, "max": 2}}
    assert found(job(resources={"cpu": "5", "memory": "1Gi"}, **elastic), node("n1")) == []


def test_a_taint_that_is_not_tolerated_is_named():
    taint = {"key": "team", "value": "x", "effect": "NoSchedule"}
    assert "untolerated taint" in found(job(), node("n1", taints=[taint]))[0]


def test_pods_that_would_fit_miss_nothing():
    wanted = [one.pod for one in pods_of(job())]
    assert missing_for(wanted, Snapshot((node("n1"),), (), ()), gang=True) is None
    answer = missing_for(wanted, Snapshot((node("n1", cpu="1"),), (), ()), gang=True)
    assert answer is not None
    assert answer.stuck is not None
    assert missing_for(wanted, Snapshot((node("n1", cpu="1"),), (), (), ("pods",)), gang=True) is None


def state(*pods, **status):
    return JobState("train", "ml", [{**JOB, "status": status}], list(pods))


def test_a_training_is_placed_when_each_pod_has_a_node():
    assert not placement_of(state(pod(0)), 2).complete
    waiting = pod(1, phase="Pending", on=None)
    partly = placement_of(state(pod(0), waiting), 2)
    assert (partly.complete, partly.waiting, dict(partly.nodes)) == (
        False,
        ("train-1-abcde",),
        {"train-0-abcde": "n1"},
    )
    assert placement_of(state(pod(0), pod(1)), 2).complete


def test_an_elastic_training_is_placed_with_its_least_workers():
    waiting = pod(1, phase="Pending", on=None)
    assert placement_of(state(pod(0), waiting), 2, 1).complete
    assert not placement_of(state(waiting), 2, 1).complete


def test_a_training_that_has_ended_needs_no_nodes():
    ended = state(conditions=[{"type": "Failed", "status": "True"}])
    assert placement_of(ended, 2).complete


def test_a_pod_that_ended_without_a_node_waits_for_none():
    assert placement_of(state(pod(0), pod(1, phase="Failed", on=None)), 2).waiting == ()


def test_logs_are_those_of_each_workers_newest_pod_and_its_training_container():
    old = pod(1, name="train-1-old", phase="Failed", created="2026-01-01T00:00:00Z", code=1)
    new = pod(1, name="train-1-new", created="2026-01-01T01:00:00Z")
    sources = sources_of(state(old, new, pod(0)), Wanted(LogPart(tail=3)))
    assert [(source.title, source.pod, source.container, part.tail) for source, part in sources] == [
        ("worker-0", "train-0-abcde", "trainer", 3),
        ("worker-1", "train-1-new", "trainer", 3),
    ]


def test_the_previous_run_is_the_pod_before_or_the_life_before():
    old = pod(1, name="train-1-old", phase="Failed", created="2026-01-01T00:00:00Z", code=1)
    new = pod(1, name="train-1-new", created="2026-01-01T01:00:00Z")
    again = pod(0, restarts=2)
    sources = sources_of(state(old, new, again), Wanted(LogPart(previous=True)))
    assert [(source.pod, part.previous) for source, part in sources] == [
        ("train-0-abcde", True),
        ("train-1-old", False),
    ]


def test_only_the_workers_that_are_wanted_are_read():
    sources = sources_of(state(pod(0), pod(1)), Wanted(LogPart(), frozenset({"worker-1"})))
    assert [source.title for source, _ in sources] == ["worker-1"]


def test_a_pod_can_name_its_training_container():
    value = pod(0)
    value["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "sidecar"}
    assert container_of(value) == "sidecar"


def status(phase, *codes):
    workers = tuple(WorkerStatus(f"p{i}", "worker", i, "Failed", exit_code=c) for i, c in enumerate(codes))
    return TrainingStatus("train", phase, workers)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (status("Succeeded", 0, 0), 0),
        (status("Failed", 0, 7), 7),
        (status("Failed", 137, 7), 7),
        (status("Failed", 137, 143), 137),
        (status("Failed"), 1),
        (status("Failed", 0, 0), 1),
    ],
)
def test_the_exit_code_is_that_of_the_worker_that_failed_by_itself(given, code):
    """One that another's end took along was killed by a signal."""
    assert exit_code(given) == code


def test_changes_are_told_once():
    changes = Changes()
    first = changes.lines(state(pod(0), pod(1, phase="Pending", on=None)))
    assert first[0] == "worker-0: running on n1"
    assert first[-1] == "train: pending"
    assert changes.lines(state(pod(0), pod(1, phase="Pending", on=None))) == []
    assert changes.lines(state(pod(0), pod(1))) == ["worker-1: running on n1", "train: running"]


def test_workers_and_phases_are_worded_for_people():
    worker = WorkerStatus("p", "worker", 0, "Failed", "n1", 2, 9, "Error")
    assert worker_text(worker) == "failed on n1, started again 2 times, exit code 9: Error"
    assert phase_text(TrainingStatus("t", "Restarting", (), 1)) == "restarting (1 restart)"
    assert phase_text(TrainingStatus("t", "Failed", (), 3, "MaxFailed", "too many")) == "failed: MaxFailed: too many"


def test_the_document_of_a_status_has_its_promised_fields():
    document = status_document(state(pod(0), pod(1, phase="Failed", code=3)))
    assert set(document) == {
        "name", "namespace", "kind", "created", "phase", "reason", "message", "restarts", "waits", "workers", "events",
    }  # fmt: skip
    assert document["kind"] == "Job"
    assert document["workers"][1]["exitCode"] == 3
    assert json.loads(json.dumps(document)) == document
