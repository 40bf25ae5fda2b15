"""All workers or none: the groups, and the pods that belong to them."""

from __future__ import annotations

from typing import Any

import pytest
from training_documents import RESTARTABLE, job, only

from tonnage.errors import SpecError
from tonnage.training import render

GPUS = {"resources": {"cpu": 4, "memory": "8Gi", "gpu": {"count": 8}}}


def pod(made: Any, kind: str = "Job") -> dict[str, Any]:
    found: dict[str, Any] = only(made, kind)["spec"]["template"]
    return found


def test_the_core_group_counts_all_workers() -> None:
    """Pods name it, and are preempted together."""
    made = render(job("m", workers=4, scheduling={"priorityClassName": "high"}), gang="core")
    group = only(made, "PodGroup")
    assert group["apiVersion"] == "scheduling.k8s.io/v1beta1"
    assert group["spec"] == {
        "disruptionMode": {"all": {}},
        "priorityClassName": "high",
        "schedulingPolicy": {"gang": {"minCount": 4}},
    }
    assert pod(made)["spec"]["schedulingGroup"] == {"podGroupName": "m"}
    assert pod(made)["spec"]["priorityClassName"] == "high"


def test_an_elastic_job_needs_its_smallest_number() -> None:
    """The group is placed with so many."""
    made = render(job(workers=4, elastic={"min": 2, "max": 8}, **RESTARTABLE), gang="core")
    assert only(made, "PodGroup")["spec"]["schedulingPolicy"]["gang"]["minCount"] == 2


def test_volcano_gets_group_queue_and_sum() -> None:
    """Its group says what all workers together request."""
    made = render(job("m", workers=3, queue="q", **GPUS), gang="volcano")
    assert only(made, "PodGroup")["spec"] == {
        "minMember": 3,
        "minResources": {"cpu": "12", "memory": "24Gi", "nvidia.com/gpu": "24"},
        "queue": "q",
    }
    assert pod(made)["metadata"]["annotations"] == {"scheduling.k8s.io/group-name": "m"}
    assert pod(made)["spec"]["schedulerName"] == "volcano"


def test_coscheduling_gets_a_label_and_its_scheduler() -> None:
    """The scheduler of the project's chart, or the document's."""
    made = render(job("m", **GPUS), gang="coscheduling")
    assert only(made, "PodGroup")["apiVersion"] == "scheduling.x-k8s.io/v1alpha1"
    assert only(made, "PodGroup")["spec"]["minMember"] == 2
    assert pod(made)["metadata"]["labels"]["scheduling.x-k8s.io/pod-group"] == "m"
    assert pod(made)["spec"]["schedulerName"] == "scheduler-plugins-scheduler"
    assert any("is taken to be named" in note for note in made.notes)
    own = render(job("m", scheduling={"schedulerName": "mine"}), gang="coscheduling")
    assert pod(own)["spec"]["schedulerName"] == "mine"
    assert not any("is taken to be named" in note for note in own.notes)


@pytest.mark.parametrize(
    ("backend", "framework", "kind"),
    [
        ("job", "pytorch", "Job"),
        ("jobset", "pytorch", "JobSet"),
        ("trainjob", "pytorch", "TrainJob"),
        ("pytorchjob", "pytorch", "PyTorchJob"),
        ("tfjob", "tensorflow", "TFJob"),
    ],
)
def test_kueue_starts_what_is_created_suspended(backend: Any, framework: str, kind: str) -> None:
    """The label is on the object that Kueue knows."""
    made = render(job(queue="team-a", framework=framework), backend=backend, gang="kueue")
    main = only(made, kind)
    spec = main["spec"].get("runPolicy", main["spec"])
    assert main["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert spec["suspend"] is True
    assert made.objects[-1] is main


def test_kueue_may_start_an_elastic_job_with_fewer() -> None:
    """Between its smallest number and what it asks for."""
    made = render(job(workers=4, elastic={"min": 2, "max": 4}, queue="q", **RESTARTABLE), gang="kueue")
    annotations = only(made, "Job")["metadata"]["annotations"]
    assert annotations == {
        "kueue.x-k8s.io/job-min-parallelism": "2",
        "kueue.x-k8s.io/job-completions-equal-parallelism": "true",
    }


def test_a_field_that_a_back_end_does_not_use_is_told() -> None:
    """Where it was written, and only for those who do not use it."""
    document = job(workers=1, cleanup={"pods": "All"})
    assert render(document).notes == (
        "spec.cleanup.pods is not used: a Job keeps its ended pods until it is deleted",
    )
    assert not any("cleanup" in note for note in render(document, backend="pytorchjob").notes)


def test_nobody_is_told_of_partial_starts_where_one_pod_runs() -> None:
    """The note is for those whom it concerns."""
    assert any("start or none" in note for note in render(job(workers=2)).notes)
    assert not render(job(workers=1)).notes


@pytest.mark.parametrize(
    ("spec", "options", "problem"),
    [
        ({}, {"gang": "kueue"}, "spec.queue: must be given with gang kueue; kubectl get localqueues"),
        (
            {"queue": "q"},
            {"gang": "core"},
            ("spec.queue: must be null with gang core, got q; "
            "Kueue and Volcano have queues: take gang kueue or volcano"),
        ),
        (
            {},
            {"gang": "core", "backend": "pytorchjob"},
            ("spec.gang: must not be core with back end pytorchjob, whose pods have no field schedulingGroup; "
            "take gang volcano or coscheduling, or another back end"),
        ),
    ],
)
def test_a_gang_that_cannot_be_is_refused(spec: dict[str, Any], options: dict[str, Any], problem: str) -> None:
    """Before anything is made."""
    with pytest.raises(SpecError) as caught:
        render(job(**spec), **options)
    assert [str(one) for one in caught.value.problems] == [problem]
