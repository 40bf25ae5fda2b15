"""A job's state out of what a cluster holds, whichever operator runs it."""

from __future__ import annotations

from typing import Any

import pytest
from training_documents import job

from tonnage.training import TrainingStatus, render, status_of

INDEX = "batch.kubernetes.io/job-completion-index"


def main(backend: Any = "job", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """The object that runs a job of two workers, as the cluster holds it."""
    gang: Any = "kueue" if "queue" in spec else "none"
    made = render(job(**spec), backend=backend, gang=gang).objects[-1]
    return {**made, "status": status or {}}


def conditions(**values: str) -> dict[str, Any]:
    """A status with conditions; a value after a colon is the reason."""
    found = []
    for kind, text in values.items():
        state, _, reason = text.partition(":")
        found.append({"type": kind, "status": state, "reason": reason, "message": f"because of {reason}"})
    return {"conditions": found}


def pod(
    index: int,
    phase: str = "Running",
    *,
    name: str | None = None,
    created: int = 0,
    marks: dict[str, str] | None = None,
    **status: Any,
) -> dict[str, Any]:
    """A worker's pod."""
    return {
        "kind": "Pod",
        "metadata": {
            "name": name or f"t-{index}-{created}",
            "creationTimestamp": f"2026-11-25T00:00:{created:02d}Z",
            "labels": {INDEX: str(index), "tonnage.dev/training-role": "worker"},
            "annotations": marks or {},
        },
        "spec": {"nodeName": f"n{index}"} if phase != "Pending" else {},
        "status": {"phase": phase, **status},
    }


def ended(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"containerStatuses": [{"restartCount": 0, "state": {"terminated": {"exitCode": code, "reason": reason}}}]}


def phase(*objects: dict[str, Any], pods: tuple[dict[str, Any], ...] = ()) -> str:
    return status_of("t", objects, pods).phase


def test_a_job_without_objects_is_pending() -> None:
    """Nothing is made yet."""
    assert status_of("t", (), ()) == TrainingStatus("t", "Pending", (), waits=("its objects are not made yet",))


def test_it_runs_when_all_workers_do() -> None:
    """One that is still to come keeps it pending."""
    assert phase(main(), pods=(pod(0), pod(1))) == "Running"
    assert phase(main(), pods=(pod(0), pod(1, "Pending"))) == "Pending"
    assert phase(main(), pods=(pod(0),)) == "Pending"
    assert phase(main(), pods=(pod(0), pod(1, "Succeeded"))) == "Running"


def test_an_elastic_job_runs_with_fewer() -> None:
    """With as many as it needs."""
    elastic = {"workers": 3, "elastic": {"min": 2, "max": 3}, "restart": {"fromStart": True}}
    for backend in ("job", "pytorchjob"):
        assert phase(main(backend, **elastic), pods=(pod(0), pod(1), pod(2, "Pending"))) == "Running"
        assert phase(main(backend, **elastic), pods=(pod(0), pod(1, "Pending"))) == "Pending"


@pytest.mark.parametrize(
    ("backend", "condition", "wanted"),
    [
        ("job", {"Complete": "True:CompletionsReached"}, "Succeeded"),
        ("job", {"SuccessCriteriaMet": "True:SuccessPolicy"}, "Running"),
        ("job", {"Failed": "True:MaxFailedIndexesExceeded"}, "Failed"),
        ("jobset", {"Completed": "True:AllJobsCompleted"}, "Succeeded"),
        ("jobset", {"Failed": "True:ReachedMaxRestarts"}, "Failed"),
        ("trainjob", {"Complete": "True:AllJobsCompleted"}, "Succeeded"),
        ("trainjob", {"Failed": "True:DeadlineExceeded"}, "Failed"),
        ("pytorchjob", {"Succeeded": "True:PyTorchJobSucceeded"}, "Succeeded"),
        ("pytorchjob", {"Failed": "True:PyTorchJobFailed"}, "Failed"),
        ("pytorchjob", {"Failed": "False:x"}, "Running"),
    ],
)
def test_its_end_is_what_the_operator_says(backend: Any, condition: dict[str, str], wanted: str) -> None:
    """In each operator's own words, with its reason."""
    found = status_of("t", [main(backend, conditions(**condition))], (pod(0), pod(1)))
    assert found.phase == wanted
    assert found.ended is (wanted != "Running")
    if found.ended:
        (text,) = condition.values()
        assert found.reason == text.partition(":")[2]
        assert found.message == f"because of {found.reason}"


def test_a_worker_that_was_killed_is_restarting() -> None:
    """From the failure until its new pod runs; the exit code is told."""
    killed = pod(1, "Failed", created=1, **ended(137, "OOMKilled"))
    found = status_of("t", [main()], (pod(0), killed))
    assert (found.phase, found.reason) == ("Restarting", "WorkerFailed")
    assert found.message == "worker-1 ended with exit code 137"
    assert (found.workers[1].exit_code, found.workers[1].reason) == (137, "OOMKilled")
    again = pod(1, "Pending", created=2, marks={"batch.kubernetes.io/job-index-failure-count": "1"})
    assert status_of("t", [main()], (pod(0), killed, again)).phase == "Restarting"
    runs = pod(1, created=2, marks={"batch.kubernetes.io/job-index-failure-count": "1"})
    found = status_of("t", [main()], (pod(0), killed, runs))
    assert (found.phase, found.restarts, found.workers[1].restarts) == ("Running", 1, 1)
    assert found.workers[1].name == "t-1-2"
    assert found.workers[1].exit_code == 137


def test_a_failure_of_all_workers_is_one_restart() -> None:
    """The job counts what its worker with the most did."""
    marks = {"batch.kubernetes.io/job-index-failure-count": "2"}
    assert status_of("t", [main()], (pod(0, marks=marks), pod(1, marks=marks))).restarts == 2


def test_what_a_successor_remembers_counts_where_old_pods_are_gone() -> None:
    """And what old pods say where it remembers less; disruptions are restarts as well."""
    marks = {
        "batch.kubernetes.io/job-index-failure-count": "1",
        "batch.kubernetes.io/job-index-ignored-failure-count": "2",
    }
    found = status_of("t", [main()], (pod(0, marks=marks, created=9), pod(1)))
    assert [one.restarts for one in found.workers] == [3, 0]
    old = tuple(pod(1, "Failed", created=second, **ended(1)) for second in range(2))
    found = status_of("t", [main()], (pod(0), *old, pod(1, created=5)))
    assert found.workers[1].restarts == 2


def test_containers_that_began_again_in_their_pod_count() -> None:
    """As the Training Operator's do."""
    again = {
        "containerStatuses": [
            {"restartCount": 2, "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 9}}}
        ]
    }
    found = status_of("t", [main("pytorchjob")], (pod(0, **again), pod(1)))
    assert (found.workers[0].restarts, found.workers[0].exit_code, found.restarts) == (2, 9, 2)


def test_a_set_says_itself_how_often_it_began_again() -> None:
    """Its pods are new each time."""
    found = status_of("t", [main("jobset", {"restarts": 3})], (pod(0), pod(1)))
    assert (found.phase, found.restarts) == ("Running", 3)
    assert phase(main("jobset", {"restarts": 1})) == "Restarting"


def test_what_an_operator_made_does_not_speak_for_the_job() -> None:
    """A TrainJob's JobSet and a JobSet's Job are of the same name or labels."""
    child = main("jobset", {**conditions(Completed="True:x"), "restarts": 2})
    child["metadata"] = {**child["metadata"], "ownerReferences": [{"kind": "TrainJob", "controller": True}]}
    found = status_of("t", [child, main("trainjob")], (pod(0), pod(1)))
    assert (found.phase, found.restarts) == ("Running", 2)


def test_workers_without_a_pod_are_listed() -> None:
    """Every role of the document, the leading one first."""
    roles = {"chief": {}, "parameterServers": {"replicas": 2}}
    for backend in ("jobset", "tfjob"):
        found = status_of("t", [main(backend, framework="tensorflow", roles=roles)], ())
        assert [(one.role, one.index, one.phase) for one in found.workers] == [
            ("chief", 0, "Missing"),
            ("worker", 0, "Missing"),
            ("worker", 1, "Missing"),
            ("parameter-server", 0, "Missing"),
            ("parameter-server", 1, "Missing"),
        ]


def test_a_pod_that_nobody_can_place_says_why() -> None:
    """In the scheduler's words."""
    unplaced = conditions(PodScheduled="False:Unschedulable")
    found = status_of("t", [main()], (pod(0), pod(1, "Pending", name="t-1-x", **unplaced)))
    assert found.workers[1].reason == "Unschedulable"
    assert found.workers[1].node is None
    assert found.waits == ("t-1-x (worker): because of Unschedulable",)


def test_an_image_that_cannot_be_pulled_says_why() -> None:
    """In the kubelet's words; a container that is merely being made is no news."""
    def waiting(reason: str) -> dict[str, Any]:
        return {"containerStatuses": [{"state": {"waiting": {"reason": reason, "message": "no such image"}}}]}

    found = status_of("t", [main()], (pod(0), pod(1, "Pending", **waiting("ErrImagePull"))))
    assert found.workers[1].reason == "ErrImagePull"
    assert found.waits == ("t-1-0 (worker): no such image",)
    assert status_of("t", [main()], (pod(0, "Pending", **waiting("ContainerCreating")),)).workers[0].reason == ""


def test_pods_that_are_never_made_are_explained_by_events() -> None:
    """Quotas and admission are told to the object that makes them; other events are left out."""
    events = [
        {
            "reason": "FailedCreate",
            "message": "exceeded quota",
            "involvedObject": {"kind": "Job", "name": "t"},
        },
        {"reason": "SuccessfulCreate", "message": "x", "involvedObject": {"kind": "Job", "name": "t"}},
        {"reason": "FailedMount", "message": "old", "involvedObject": {"kind": "Pod", "name": "gone"}},
    ]
    assert status_of("t", [main()], (), events).waits == ("Job t: exceeded quota",)


def test_a_queue_says_what_it_waits_for() -> None:
    """Kueue by its workload; before there is one, the queue is named."""
    suspended = main(queue="q")
    found = status_of("t", [suspended], ())
    assert (found.phase, found.waits) == ("Queued", ("it waits for Kueue's queue q",))
    workload = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {"name": "w"},
        "status": conditions(QuotaReserved="False:WaitingForQuota"),
    }
    found = status_of("t", [suspended, workload], ())
    assert (found.phase, found.waits) == ("Queued", ("Kueue: because of WaitingForQuota",))
    alone = main()
    alone["spec"] = {**alone["spec"], "suspend": True}
    assert phase(alone) == "Suspended"


def test_groups_say_what_they_wait_for() -> None:
    """The core scheduler's and Volcano's; a group that its queue has not let in is queued."""
    core = {
        "apiVersion": "scheduling.k8s.io/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": "t"},
        "status": conditions(PodGroupInitiallyScheduled="False:Unschedulable"),
    }
    found = status_of("t", [main(), core], (pod(0, "Pending"), pod(1, "Pending")))
    assert (found.phase, found.waits) == ("Pending", ("all-or-nothing placement: because of Unschedulable",))
    volcano = {
        "apiVersion": "scheduling.volcano.sh/v1beta1",
        "kind": "PodGroup",
        "metadata": {"name": "t"},
        "status": {"phase": "Pending"},
    }
    for pods in ((), (pod(0, "Pending"), pod(1, "Pending"))):
        found = status_of("t", [main(), volcano], pods)
        assert (found.phase, found.waits) == ("Queued", ("it waits for Volcano's queue default",))
    assert phase(main(), volcano, pods=(pod(0), pod(1))) == "Running"


def test_a_pod_that_is_being_deleted_does_not_run_the_job() -> None:
    """Its successor does."""
    leaving = pod(1)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-25T00:01:00Z"
    found = status_of("t", [main()], (pod(0), leaving))
    assert found.workers[1].reason == "Terminating"
    assert found.phase == "Pending"
    found = status_of("t", [main()], (pod(0), leaving, pod(1, created=3)))
    assert (found.phase, found.workers[1].name) == ("Running", "t-1-3")
