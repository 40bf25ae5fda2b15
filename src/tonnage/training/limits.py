"""What a back end or a gang cannot do of what a document asks, and names too long for the pods it makes.

Source: kubernetes v1.37.2 pkg/apis/batch/validation (host names of an Indexed Job are DNS labels).
Source: jobset v0.12.0 pkg/webhooks/jobset_webhook.go (names of pods with five random letters are DNS labels).
Source: training-operator v1.9.3 pkg/controller.v1/common/service.go (a Service for each pod, of its name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.errors import Problem
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training import names
from tonnage.training.backends import trainjob
from tonnage.training.rendezvous import under_torchrun
from tonnage.training.roles import roles_of

BACKENDS: Final[tuple[BackendName, ...]] = ("trainjob", "jobset", "job", "pytorchjob", "tfjob")
"""Every back end, the one to be preferred first."""
KIND_OF: Final[Mapping[BackendName, str]] = {
    "job": "Job",
    "jobset": "JobSet",
    "trainjob": "TrainJob",
    "pytorchjob": "PyTorchJob",
    "tfjob": "TFJob",
}
_LABEL_MAX: Final = 63
_RANDOM: Final = "-abcde"
_ELASTIC: Final = ("job", "pytorchjob")
_QUEUED: Final = ("kueue", "volcano")
_EMBEDDED_PODS_ARE_OLD: Final = ("pytorchjob", "tfjob")


def backend_problems(job: TrainingJob, backend: BackendName) -> list[Problem]:
    """What a back end cannot do of what the document asks."""
    return [
        *_frameworks(job, backend),
        *_elastic(job, backend),
        *_roles(job, backend),
        *_restarts(job, backend),
        *_particular(job, backend),
        *_long_names(job, backend),
    ]


def gang_problems(job: TrainingJob, backend: BackendName, gang: GangName) -> list[Problem]:
    """What a gang cannot do for a back end's pods."""
    return [*_gang(job, backend, gang)]


def _frameworks(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    framework = job.spec.framework
    if backend == "pytorchjob" and framework != "pytorch":
        yield _wrong("spec.framework", "pytorch", backend, framework)
    if backend == "pytorchjob" and framework == "pytorch" and not under_torchrun(job):
        yield _wrong("spec.launcher", "torchrun", backend, job.spec.launcher, hint="or take back end job")
    if backend == "tfjob" and framework != "tensorflow":
        yield _wrong("spec.framework", "tensorflow", backend, framework)


def _wrong(path: str, wanted: str, backend: BackendName, got: object, hint: str | None = None) -> Problem:
    return Problem(path, f"must be {wanted} with back end {backend}, got {got}", hint=hint)


def _elastic(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    elastic = job.spec.elastic
    if elastic is None or backend in _ELASTIC:
        return
    kind = KIND_OF[backend]
    yield Problem(
        "spec.elastic",
        f"must be null with back end {backend}, got from {elastic.min} to {elastic.max} workers",
        hint=f"a {kind} keeps its number of workers; take back end {' or '.join(_ELASTIC)}",
    )


def _roles(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    roles = job.spec.roles
    if backend in ("tfjob", "jobset", "pytorchjob"):
        return
    for name, role in (("chief", roles.chief), ("parameterServers", roles.parameter_servers)):
        if role is not None:
            yield Problem(
                f"spec.roles.{name}",
                f"must be null with back end {backend}, whose pods are all alike",
                hint="take back end jobset or tfjob",
            )


def _restarts(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    if not job.spec.restart.fatal_exit_codes:
        return
    if under_torchrun(job):
        yield Problem(
            "spec.restart.fatalExitCodes",
            "must be empty under torchrun, which ends with 1 whatever its processes end with",
            hint="take launcher none, or leave it to spec.restart.limit",
        )
    elif backend in ("pytorchjob", "tfjob"):
        yield Problem(
            "spec.restart.fatalExitCodes",
            f"must be empty with back end {backend}, which knows no exit codes of its own",
            hint="take back end job, jobset or trainjob",
        )


def _particular(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    if backend != "trainjob":
        return
    by_trainer = job.spec.framework == "jax" or under_torchrun(job)
    if by_trainer and job.spec.network.port != trainjob.PORT:
        hint = "Trainer tells workers its own port"
        yield _wrong("spec.network.port", str(trainjob.PORT), backend, job.spec.network.port, hint)
    if job.spec.cleanup.ttl is not None:
        yield Problem(
            "spec.cleanup.ttl",
            f"must be null with back end {backend}, got {job.spec.cleanup.ttl}",
            hint="a TrainJob whose JobSet is deleted starts it again; delete the TrainJob itself",
        )


def longest_names(job: TrainingJob, backend: BackendName) -> list[str]:
    """The longest host names, Services and pods that a back end makes and that must be DNS labels."""
    found = [job.name]
    for role in roles_of(job):
        count = job.spec.workers_max if role.name == names.WORKER else role.count
        last = count - 1
        if backend == "job":
            found.append(f"{job.name}-{last}")
        elif backend == "jobset":
            found.append(f"{job.name}-{role.task}-0-{last}{_RANDOM}")
        elif backend == "trainjob":
            found.append(f"{job.name}-{trainjob.NODE}-0-{last}{_RANDOM}")
        else:
            found.append(f"{job.name}-{role.task}-{last}")
    if backend in ("job", "jobset"):
        found.append(f"{job.name}-workers")
    return found


def _long_names(job: TrainingJob, backend: BackendName) -> Iterator[Problem]:
    longest = max(longest_names(job, backend), key=len)
    over = len(longest) - _LABEL_MAX
    if over > 0:
        yield Problem(
            "metadata.name",
            f"must be at most {len(job.name) - over} characters with back end {backend}, got {len(job.name)}",
            hint=f"its pods and Services have names such as {longest}, of which DNS allows {_LABEL_MAX}",
        )


def _gang(job: TrainingJob, backend: BackendName, gang: GangName) -> Iterator[Problem]:
    if gang == "core" and backend in _EMBEDDED_PODS_ARE_OLD:
        yield Problem(
            "spec.gang",
            f"must not be core with back end {backend}, whose pods have no field schedulingGroup",
            hint="take gang volcano or coscheduling, or another back end",
        )
    if gang == "kueue" and job.spec.queue is None:
        yield Problem("spec.queue", "must be given with gang kueue", hint="kubectl get localqueues")
    if gang not in _QUEUED and job.spec.queue is not None:
        yield Problem(
            "spec.queue",
            f"must be null with gang {gang}, got {job.spec.queue}",
            hint="Kueue and Volcano have queues: take gang kueue or volcano",
        )
