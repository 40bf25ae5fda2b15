"""What a cluster's objects say about a job, whichever operator runs it: its phase, its workers, why it waits.

Source: kubernetes v1.37.2 k8s.io/api/batch/v1/types.go (Job conditions), scheduling/v1beta1/types.go
    (PodGroupInitiallyScheduled).
Source: jobset v0.12.0, trainer v2.3.0 and training-operator v1.9.3, the types of their statuses.
Source: kueue v0.19.0 apis/kueue/v1beta2/workload_types.go (QuotaReserved, Admitted).
Source: volcano-sh/apis v1.14.0 pkg/apis/scheduling/v1beta1/types.go (phases of a PodGroup).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tonnage.training.gangs import QUEUE_LABEL
from tonnage.training.names import CHIEF, PARAMETER_SERVER, ROLE_LABEL, WORKER
from tonnage.training.observed import (
    Object,
    condition,
    explanation,
    is_live,
    is_true,
    phase_of,
    role_of,
    workers_of,
)
from tonnage.training.values import Phase, TrainingStatus, WorkerStatus

MAIN_KINDS: Final = ("TrainJob", "PyTorchJob", "TFJob", "JobSet", "Job")
"""Kinds that may run a job; an earlier one may have made a later one."""
_SUCCESS: Final[Mapping[str, str]] = {
    "Job": "Complete",
    "JobSet": "Completed",
    "TrainJob": "Complete",
    "PyTorchJob": "Succeeded",
    "TFJob": "Succeeded",
}
_FAILURE: Final = "Failed"
_REPLICA_ROLES: Final[Mapping[str, str]] = {
    "Master": WORKER,
    "Worker": WORKER,
    "Chief": CHIEF,
    "PS": PARAMETER_SERVER,
}
_TOLD: Final = frozenset(
    {"FailedCreate", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "ProvisioningFailed"}
)
"""Reasons of events that say why a pod is not there or does not start, and which no status has."""


def status_of(
    name: str,
    objects: Sequence[Mapping[str, Any]],
    pods: Sequence[Mapping[str, Any]],
    events: Sequence[Mapping[str, Any]] = (),
) -> TrainingStatus:
    """Reads a job's state.

    Args:
        name: The job's name.
        objects: Its objects as the cluster holds them, of any kind, pods left out.
        pods: Its pods, old ones included.
        events: Events about its objects and pods.
    """
    main = main_object(objects)
    if main is None:
        return TrainingStatus(name, "Pending", workers_of({}, pods), waits=("its objects are not made yet",))
    workers = workers_of(_expected(main), pods)
    restarts = _restarts(objects, workers)
    phase = _phase(main, objects, pods, workers, restarts)
    reason, message = _reason(main, phase, workers)
    waits = tuple(dict.fromkeys(_waits(main, objects, pods, events))) if _may_wait(phase) else ()
    return TrainingStatus(name, phase, workers, restarts, reason, message, waits)


def main_object(objects: Sequence[Object]) -> Object | None:
    """The object that runs a job, and not one that an operator made of it."""
    for kind in MAIN_KINDS:
        found = [one for one in objects if one.get("kind") == kind]
        if found:
            return next((one for one in found if not one["metadata"].get("ownerReferences")), found[0])
    return None


def _phase(
    main: Object,
    objects: Sequence[Object],
    pods: Sequence[Object],
    workers: Sequence[WorkerStatus],
    restarts: int,
) -> Phase:
    if is_true(main, _SUCCESS[main["kind"]]):
        return "Succeeded"
    if is_true(main, _FAILURE):
        return "Failed"
    if _is_suspended(main):
        queued = QUEUE_LABEL in (main["metadata"].get("labels") or {})
        return "Queued" if queued or any(_workloads(objects)) else "Suspended"
    if not any(phase_of(pod) == "Running" for pod in pods) and any(_waiting_groups(objects)):
        return "Queued"
    if _runs(main, workers):
        return "Running"
    return "Restarting" if restarts or any(one.phase == "Failed" for one in workers) else "Pending"


def _runs(main: Object, workers: Sequence[WorkerStatus]) -> bool:
    """Whether as many workers run as the job needs, those that are done already counted."""
    there = [one for one in workers if one.phase in ("Running", "Succeeded") and one.reason != "Terminating"]
    return bool(there) and len(there) >= len(workers) - _spare(main)


def _spare(main: Object) -> int:
    """Workers that an elastic job can do without."""
    spec = main.get("spec") or {}
    if main["kind"] == "Job":
        return int(spec.get("maxFailedIndexes") or 0)
    elastic = spec.get("elasticPolicy") or {}
    if "minReplicas" not in elastic:
        return 0
    return max(0, sum(_expected(main).values()) - int(elastic["minReplicas"]))


def _is_suspended(main: Object) -> bool:
    spec = main.get("spec") or {}
    return bool(spec.get("suspend") or (spec.get("runPolicy") or {}).get("suspend"))


def _expected(main: Object) -> dict[str, int]:
    """How many pods each role has, the leading role first."""
    spec = main.get("spec") or {}
    match main["kind"]:
        case "TrainJob":
            return {WORKER: int((spec.get("trainer") or {}).get("numNodes") or 1)}
        case "JobSet":
            return _expected_of_set(spec)
        case "Job":
            return {WORKER: int(spec.get("parallelism") or spec.get("completions") or 1)}
    replicas = spec.get("tfReplicaSpecs") or spec.get("pytorchReplicaSpecs") or {}
    found: dict[str, int] = {}
    for kind, role in _REPLICA_ROLES.items():
        if kind in replicas:
            count = replicas[kind].get("replicas")
            found[role] = found.get(role, 0) + (1 if count is None else int(count))
    return dict(sorted(found.items(), key=lambda item: item[0] != CHIEF))


def _expected_of_set(spec: Object) -> dict[str, int]:
    found: dict[str, int] = {}
    for replicated in spec.get("replicatedJobs") or ():
        inner = replicated["template"]["spec"]
        labels = (inner["template"].get("metadata") or {}).get("labels") or {}
        role = str(labels.get(ROLE_LABEL) or WORKER)
        count = int(inner.get("parallelism") or 1) * int(replicated.get("replicas") or 1)
        found[role] = found.get(role, 0) + count
    return found


def _restarts(objects: Sequence[Object], workers: Sequence[WorkerStatus]) -> int:
    """How often the job went on after a failure: a failure of all workers is one."""
    sets = [int((one.get("status") or {}).get("restarts") or 0) for one in _of_kind(objects, "JobSet")]
    return max([*sets, *(one.restarts for one in workers)], default=0)


def _reason(main: Object, phase: Phase, workers: Sequence[WorkerStatus]) -> tuple[str, str]:
    if phase in ("Succeeded", "Failed"):
        ended = condition(main, _SUCCESS[main["kind"]] if phase == "Succeeded" else _FAILURE)
        return str(ended.get("reason") or ""), str(ended.get("message") or "")
    if phase == "Restarting":
        failed = [one for one in workers if one.exit_code not in (None, 0)]
        told = [f"{one.role}-{one.index} ended with exit code {one.exit_code}" for one in failed]
        return "WorkerFailed" if told else "", "; ".join(told)
    return "", ""


def _may_wait(phase: Phase) -> bool:
    return phase in ("Pending", "Queued", "Suspended", "Restarting")


def _waits(
    main: Object, objects: Sequence[Object], pods: Sequence[Object], events: Sequence[Object]
) -> Iterator[str]:
    """Every reason that something gives, those of the whole job first."""
    for workload in _workloads(objects):
        for kind in ("QuotaReserved", "Admitted"):
            told = condition(workload, kind)
            if told.get("status") == "False" and told.get("message"):
                yield f"Kueue: {told['message']}"
    if _is_suspended(main) and not any(_workloads(objects)):
        queue = (main["metadata"].get("labels") or {}).get(QUEUE_LABEL)
        yield f"it waits for Kueue's queue {queue}" if queue else "it is suspended"
    for group in _waiting_groups(objects):
        yield f"it waits for Volcano's queue {(group.get('spec') or {}).get('queue') or 'default'}"
    for group in _of_kind(objects, "PodGroup"):
        yield from _group_waits(group)
    for pod in pods:
        if is_live(pod) and phase_of(pod) == "Pending" and explanation(pod):
            yield f"{pod['metadata']['name']} ({role_of(pod)}): {explanation(pod)}"
    waiting = {pod["metadata"]["name"] for pod in pods if phase_of(pod) == "Pending"}
    for event in events:
        about = event.get("involvedObject") or event.get("regarding") or {}
        of_waiting = about.get("kind") != "Pod" or about.get("name") in waiting
        if event.get("reason") in _TOLD and of_waiting:
            said = event.get("message") or event.get("note") or ""
            yield f"{about.get('kind', 'object')} {about.get('name', '')}: {said}"


def _group_waits(group: Object) -> Iterator[str]:
    for kind in ("PodGroupInitiallyScheduled", "Unschedulable"):
        told = condition(group, kind)
        bad = "False" if kind == "PodGroupInitiallyScheduled" else "True"
        if told.get("status") == bad and told.get("message"):
            yield f"all-or-nothing placement: {told['message']}"


def _of_kind(objects: Sequence[Object], kind: str) -> list[Object]:
    return [one for one in objects if one.get("kind") == kind]


def _workloads(objects: Sequence[Object]) -> list[Object]:
    """Kueue's; the core API has a kind of that name as well."""
    found = _of_kind(objects, "Workload")
    return [one for one in found if str(one.get("apiVersion", "")).startswith("kueue.x-k8s.io/")]


def _waiting_groups(objects: Sequence[Object]) -> list[Object]:
    """Volcano's groups that their queue has not let in yet."""
    found = _of_kind(objects, "PodGroup")
    return [
        one
        for one in found
        if str(one.get("apiVersion", "")).startswith("scheduling.volcano.sh/")
        and (one.get("status") or {}).get("phase") == "Pending"
    ]
