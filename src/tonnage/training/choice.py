"""Which back end runs a job and who places its workers, from the document and what the cluster has.

An API server that serves an operator's kind is taken to have the operator. What the document names itself
must be there; for the rest the first one is taken that is there and can do all that the document asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training.limits import BACKENDS, KIND_OF, backend_problems, gang_problems
from tonnage.training.roles import pods_min
from tonnage.training.values import Choice, Resource, Served

NEEDED: Final[Mapping[BackendName, tuple[Resource, ...]]] = {
    "job": (("batch", "v1", "jobs"),),
    "jobset": (("jobset.x-k8s.io", "v1alpha2", "jobsets"),),
    "trainjob": (
        ("trainer.kubeflow.org", "v1alpha1", "trainjobs"),
        ("trainer.kubeflow.org", "v1alpha1", "trainingruntimes"),
        ("jobset.x-k8s.io", "v1alpha2", "jobsets"),
    ),
    "pytorchjob": (("kubeflow.org", "v1", "pytorchjobs"),),
    "tfjob": (("kubeflow.org", "v1", "tfjobs"),),
}
"""What a cluster serves that has a back end."""
GANG_NEEDED: Final[Mapping[GangName, Resource | None]] = {
    "none": None,
    "core": ("scheduling.k8s.io", "v1beta1", "podgroups"),
    "volcano": ("scheduling.volcano.sh", "v1beta1", "podgroups"),
    "coscheduling": ("scheduling.x-k8s.io", "v1alpha1", "podgroups"),
    "kueue": ("kueue.x-k8s.io", "*", "localqueues"),
}
"""What a cluster serves that has a gang scheduler; any version where it is ``*``."""
_INSTALL: Final[Mapping[str, str]] = {
    "job": "this is no Kubernetes API server",
    "jobset": "install JobSet, or leave spec.backend out",
    "trainjob": "install Kubeflow Trainer v2 and JobSet, or leave spec.backend out",
    "pytorchjob": "install the Training Operator v1, or leave spec.backend out",
    "tfjob": "install the Training Operator v1, or leave spec.backend out",
    "core": "switch on the feature gate GenericWorkload and the API scheduling.k8s.io/v1beta1 "
    "(Kubernetes 1.37), or leave spec.gang out",
    "volcano": "install Volcano, or leave spec.gang out",
    "coscheduling": "install the scheduler plug-ins, or leave spec.gang out",
    "kueue": "install Kueue, or leave spec.gang and spec.queue out",
}


def choose(job: TrainingJob, served: Served) -> Choice:
    """Chooses back end and gang.

    Args:
        job: The document.
        served: What the API server offers.

    Returns:
        The choice, with its reasons.

    Raises:
        SpecError: The document names a back end or gang that the cluster does not have, or nothing that it
            has can do what the document asks.
    """
    backend, reasons = _backend(job, served)
    gang, more = _gang(job, served, backend)
    return Choice(backend, gang, (*reasons, *more))


def choose_unseen(
    job: TrainingJob, *, backend: BackendName | None = None, gang: GangName | None = None
) -> Choice:
    """Chooses without knowing the cluster: what every cluster has, where it can do what is asked.

    Args:
        job: The document.
        backend: Taken instead of the document's.
        gang: Taken instead of the document's.

    Returns:
        The choice; whether the back end and the gang can do what is asked is for ``render`` to say.
    """
    reasons = []
    taken = backend or (job.spec.backend if job.spec.backend != "auto" else None)
    if taken is None:
        order: tuple[BackendName, ...] = ("job", *BACKENDS)
        able = [one for one in order if not backend_problems(job, one)]
        taken = able[0] if able else "job"
        reasons.append(f"back end {taken}: no cluster was asked")
    group = gang or (job.spec.gang if job.spec.gang != "auto" else None)
    if group is None:
        group = "kueue" if job.spec.queue is not None else "none"
        reasons.append(f"gang {group}: no cluster was asked")
    return Choice(taken, group, tuple(reasons))


def _has(served: Served, resource: Resource) -> bool:
    group, version, plural = resource
    return bool(served.versions(group, plural)) if version == "*" else served.has(*resource)


def has_backend(served: Served, backend: BackendName) -> bool:
    """Whether a cluster has a back end."""
    return all(_has(served, resource) for resource in NEEDED[backend])


def has_gang(served: Served, gang: GangName) -> bool:
    """Whether a cluster has a gang scheduler; every cluster has none."""
    resource = GANG_NEEDED[gang]
    return resource is None or _has(served, resource)


def _backend(job: TrainingJob, served: Served) -> tuple[BackendName, list[str]]:
    wanted = job.spec.backend
    there = [one for one in _in_order(job) if has_backend(served, one)]
    if wanted != "auto":
        if wanted not in there:
            raise SpecError([_absent("spec.backend", wanted, there)])
        problems = backend_problems(job, wanted)
        if problems:
            raise SpecError(problems)
        return wanted, [f"back end {wanted} is the document's"]
    refused: list[tuple[BackendName, Problem]] = []
    for one in there:
        problems = backend_problems(job, one)
        if not problems:
            passed = [f"{KIND_OF[name]} cannot: {first.path} {first.message}" for name, first in refused]
            return one, [f"back end {one}: {_why(one, job)}", *passed]
        refused.append((one, problems[0]))
    if not there:
        raise SpecError([_absent("spec.backend", "one of them", there)])
    raise SpecError(list(dict.fromkeys(problem for one in there for problem in backend_problems(job, one))))


def _in_order(job: TrainingJob) -> tuple[BackendName, ...]:
    """The back ends, best first: workers who do not meet need no set that dies with one of them."""
    if job.spec.framework == "plain":
        return ("job", *(one for one in BACKENDS if one != "job"))
    return BACKENDS


def _why(backend: BackendName, job: TrainingJob) -> str:
    if backend == "job" and job.spec.framework == "plain":
        return "a Job restarts workers one by one, which is enough where they do not meet"
    if backend == "job":
        return "a Job runs on every cluster"
    return f"the cluster serves {KIND_OF[backend]}"


def _absent(path: str, wanted: str, there: list[BackendName] | list[GangName]) -> Problem:
    found = ", ".join(there) or "none"
    hint = _INSTALL.get(wanted, "ask whether this is the right cluster")
    return Problem(path, f"must be what the cluster has ({found}), got {wanted}", hint=hint)


def _gang(job: TrainingJob, served: Served, backend: BackendName) -> tuple[GangName, list[str]]:
    wanted = job.spec.gang
    there: list[GangName] = [one for one in GANG_NEEDED if has_gang(served, one)]
    if wanted != "auto":
        if wanted not in there:
            raise SpecError([_absent("spec.gang", wanted, there)])
        problems = gang_problems(job, backend, wanted)
        if problems:
            raise SpecError(problems)
        return wanted, [f"gang {wanted} is the document's"]
    if job.spec.queue is not None:
        for queued in ("kueue", "volcano"):
            if queued in there:
                return queued, [f"gang {queued}: it has the queue {job.spec.queue}"]
        raise SpecError(
            [Problem("spec.queue", "must be null, because nothing here has queues", hint=_INSTALL["kueue"])]
        )
    if pods_min(job) == 1:
        return "none", ["no gang: the job runs with one pod"]
    for one in ("core", "volcano", "coscheduling"):
        if one in there and not gang_problems(job, backend, one):
            return one, [f"gang {one}: the cluster serves its PodGroup"]
    return "none", ["no gang: the cluster has no scheduler that places all workers or none"]
