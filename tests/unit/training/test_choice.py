"""What runs a job and who places it, from the document and what the cluster serves."""

from __future__ import annotations

from typing import Any

import pytest
from training_documents import RESTARTABLE, job

from tonnage.errors import SpecError
from tonnage.training import Served, choose, choose_unseen
from tonnage.training.choice import GANG_NEEDED, NEEDED

CORE = NEEDED["job"]
KUEUE = ("kueue.x-k8s.io", "v1beta2", "localqueues")


def served(*wanted: str) -> Served:
    """Core Kubernetes and what is named."""
    found = set(CORE)
    for name in wanted:
        if name == "kueue":
            found.add(KUEUE)
        elif name in GANG_NEEDED:
            group = GANG_NEEDED[name]  # type: ignore[index]
            assert group is not None
            found.add(group)
        else:
            found.update(NEEDED[name])  # type: ignore[index]
    return Served(frozenset(found))


def refusal(document: Any, cluster: Served) -> list[str]:
    with pytest.raises(SpecError) as caught:
        choose(document, cluster)
    return [str(one) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("there", "spec", "backend"),
    [
        ([], {}, "job"),
        (["trainjob"], {}, "trainjob"),
        (["jobset"], {}, "jobset"),
        (["pytorchjob"], {}, "job"),
        (["trainjob", "jobset"], {"framework": "plain"}, "job"),
        (["trainjob"], {"elastic": {"min": 1, "max": 2}, **RESTARTABLE}, "job"),
        (["trainjob", "tfjob"], {"framework": "tensorflow", "roles": {"chief": {}}}, "jobset"),
        (["tfjob"], {"framework": "tensorflow", "roles": {"chief": {}}}, "tfjob"),
        (["trainjob"], {"cleanup": {"ttl": "1h"}}, "jobset"),
        (["trainjob", "pytorchjob"], {"backend": "pytorchjob"}, "pytorchjob"),
    ],
)
def test_the_best_back_end_that_can_do_what_is_asked(there: list[str], spec: dict[str, Any], backend: str) -> None:
    """Maintained ones first; what the document names is taken."""
    assert choose(job(**spec), served(*there)).backend == backend


def test_a_choice_says_why() -> None:
    """Also what was there and could not."""
    choice = choose(job(elastic={"min": 1, "max": 2}, **RESTARTABLE), served("jobset"))
    assert choice.reasons == (
        "back end job: a Job runs on every cluster",
        "JobSet cannot: spec.elastic must be null with back end jobset, got from 1 to 2 workers",
        "no gang: the job runs with one pod",
    )


def test_a_back_end_that_is_not_there_is_refused_with_what_is() -> None:
    """The next step is to install it, or to do without."""
    assert refusal(job(backend="trainjob"), served("jobset")) == [
        ("spec.backend: must be what the cluster has (jobset, job), got trainjob; "
        "install Kubeflow Trainer v2 and JobSet, or leave spec.backend out")
    ]


def test_a_back_end_that_cannot_is_refused_with_every_reason() -> None:
    """All at once."""
    document = job(backend="jobset", elastic={"min": 1, "max": 2}, restart={"fatalExitCodes": [3]}, **RESTARTABLE)
    problems = refusal(document, served("jobset"))
    assert [one.partition(":")[0] for one in problems] == ["spec.elastic", "spec.restart.fatalExitCodes"]


def test_what_nothing_here_can_do_is_refused() -> None:
    """A chief needs roles, which a plain Job does not have."""
    problems = refusal(job(framework="tensorflow", roles={"chief": {}}), served())
    assert problems == [
        ("spec.roles.chief: must be null with back end job, whose pods are all alike; "
        "take back end jobset or tfjob")
    ]


@pytest.mark.parametrize(
    ("there", "spec", "gang"),
    [
        ([], {}, "none"),
        (["core", "volcano"], {}, "core"),
        (["volcano", "coscheduling"], {}, "volcano"),
        (["coscheduling"], {}, "coscheduling"),
        (["kueue"], {}, "none"),
        (["core", "kueue"], {"queue": "q"}, "kueue"),
        (["volcano"], {"queue": "q"}, "volcano"),
        (["core"], {"workers": 1}, "none"),
        (["core", "volcano", "pytorchjob"], {"backend": "pytorchjob"}, "volcano"),
        (["core", "volcano"], {"gang": "none"}, "none"),
    ],
)
def test_the_gang_that_is_there(there: list[str], spec: dict[str, Any], gang: str) -> None:
    """A queue asks for one that has queues; one pod needs none."""
    assert choose(job(**spec), served(*there)).gang == gang


@pytest.mark.parametrize("gang", ["core", "volcano", "coscheduling", "kueue"])
def test_a_gang_that_is_not_there_is_refused(gang: str) -> None:
    """With how to get it."""
    (problem,) = refusal(job(gang=gang, **({"queue": "q"} if gang == "kueue" else {})), served())
    assert problem.startswith(f"spec.gang: must be what the cluster has (none), got {gang}; ")
    assert "or leave spec.gang" in problem


def test_a_queue_where_nothing_has_queues_is_refused() -> None:
    """It would be silently ignored."""
    (problem,) = refusal(job(queue="q"), served("core"))
    assert problem.startswith("spec.queue: must be null, because nothing here has queues")


def test_any_version_of_kueue_will_do() -> None:
    """Its label and its suspending have been the same in all."""
    cluster = Served(frozenset({*CORE, ("kueue.x-k8s.io", "v1beta1", "localqueues")}))
    assert choose(job(queue="q"), cluster).gang == "kueue"


def test_without_a_cluster_the_core_job_is_taken() -> None:
    """Unless it cannot do what is asked, or the caller says otherwise."""
    assert choose_unseen(job()).backend == "job"
    assert choose_unseen(job(framework="tensorflow", roles={"chief": {}})).backend == "jobset"
    assert choose_unseen(job(queue="q")).gang == "kueue"
    choice = choose_unseen(job(backend="jobset", gang="core"), backend="trainjob", gang="none")
    assert (choice.backend, choice.gang, choice.reasons) == ("trainjob", "none", ())
