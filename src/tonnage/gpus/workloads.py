"""The pods that an object of Kubernetes, or of an operator, will ask the scheduler to place.

Each kind says how many pods it makes of which template; their names are those that its controller gives
them, as far as they can be foretold. What is placed together or not at all (a gang) is said by the labels,
fields and kinds of Kubernetes' own PodGroups, Kueue, Volcano and coscheduling.

Source: k8s.io/api v0.37.2 apps/v1, batch/v1; kubeflow/training-operator v1.9 pkg/apis/kubeflow.org/v1
(replica specs); kubeflow/trainer v2.3 pkg/apis/trainer/v1alpha1 and pkg/runtime (TrainJob over its runtime);
sigs.k8s.io/jobset v0.12 api/jobset/v1alpha2; sigs.k8s.io/lws v0.9 api/leaderworkerset/v1;
volcano.sh/apis batch/v1alpha1; ray-project/kuberay ray-operator/apis/ray/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tonnage.errors import SpecError
from tonnage.gpus.trainjob import trainjob_groups

Object = Mapping[str, Any]

PODS_MAX: Final = 2_000
"""Pods of one workload that are placed one by one at most."""
_HASH: Final = "pod-template-hash"
_HASH_VALUE: Final = "new"
"""Stands for the revision's digest: ``matchLabelKeys`` sees that no running pod is of this revision."""
_GANG_LABELS: Final = (
    "kueue.x-k8s.io/queue-name", "scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io",
    "scheduling.k8s.io/group-name", "pod-group.scheduling.sigs.k8s.io/name",
)  # fmt: skip
_SCHEDULERS: Final = ("volcano", "scheduler-plugins-scheduler", "kai-scheduler")


@dataclass(frozen=True, slots=True)
class Group:
    """Like pods of a workload.

    Attributes:
        role: What their names say, as ``worker``; empty for nothing.
        count: How many.
        template: Their template.
        start: The number of the first.
    """

    role: str
    count: int
    template: Object
    start: int = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be placed.

    Attributes:
        kind: The object's kind.
        name: Its name.
        namespace: Its namespace.
        pods: Its pods, as the scheduler will get them.
        gang: Whether all are placed or none.
        divisible: Whether the work could be split over more pods with fewer GPUs each.
        objects: What else of it the scheduler reads: its controller's selector, claim templates.
        least: With how many pods it still works, when it is elastic; all of them otherwise.
    """

    kind: str
    name: str
    namespace: str
    pods: tuple[Object, ...]
    gang: bool = False
    divisible: bool = False
    objects: tuple[Object, ...] = ()
    least: int | None = None


def workload_of(value: Object, others: Sequence[Object] = ()) -> Workload | None:
    """The pods of an object; None when it makes none.

    Args:
        value: The object.
        others: Objects beside it, for those that it refers to: runtimes of a TrainJob.

    Raises:
        SpecError: It makes pods in a way that cannot be foretold, or more than ``PODS_MAX``, or its fields
            are not those of its kind.
    """
    try:
        return _made(value, others)
    except (AttributeError, KeyError, TypeError, ValueError):
        # kinds of operators have schemas that we do not hold: one that is not followed shows here
        name = str((value.get("metadata") or {}).get("name", ""))
        raise SpecError(f"{value.get('kind')}/{name}: must have the fields of its kind") from None


def _made(value: Object, others: Sequence[Object]) -> Workload | None:
    kind = str(value.get("kind", ""))
    if kind == "CronJob":
        template = (value.get("spec") or {}).get("jobTemplate") or {}
        job = {"kind": "Job", "metadata": value.get("metadata") or {}, "spec": template.get("spec") or {}}
        inner = _made(job, others)
        return replace(inner, kind=kind) if inner is not None else None
    groups = _groups(kind, value, others)
    if groups is None:
        return None
    metadata = value.get("metadata") or {}
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace") or "default")
    count = sum(group.count for group in groups)
    if count > PODS_MAX:
        raise SpecError(f"{kind}/{name}: must make at most {PODS_MAX} pods, got {count}")
    if any(group.count and not (group.template.get("spec") or {}).get("containers") for group in groups):
        raise SpecError(f"{kind}/{name}: its pods must have containers, got none")
    labels, objects = _controller(kind, name, namespace, value)
    pods = [
        _pod(group, number, name=name, namespace=namespace, labels=labels, kind=kind)
        for group in groups
        for number in range(group.start, group.start + group.count)
    ]
    return Workload(
        kind=kind,
        name=name,
        namespace=namespace,
        pods=tuple(pods),
        gang=_is_gang(kind, value, pods),
        divisible=kind in _DIVISIBLE and len(groups) == 1,
        objects=objects,
        least=_least(kind, value),
    )


def _groups(kind: str, value: Object, others: Sequence[Object]) -> list[Group] | None:
    spec = value.get("spec") or {}
    if kind == "Pod":
        return [Group("", 1, value)]
    if kind == "TrainJob":
        return [Group(role, count, template) for role, count, template in trainjob_groups(value, others)]
    make = _volcano if _is_volcano(value) else _MAKERS.get(kind)
    if make is not None:
        return list(make(spec))
    template = spec.get("template")
    if kind == "DaemonSet":
        raise SpecError("DaemonSet: must be another kind: it puts one pod on each node that there is")
    if isinstance(template, Mapping) and (template.get("spec") or {}).get("containers"):
        return [Group("", _number(spec.get("replicas"), 1), template)]
    return None


def _is_volcano(value: Object) -> bool:
    return str(value.get("apiVersion", "")).startswith("batch.volcano.sh/")


def _number(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else default


def _replicated(spec: Object) -> Iterator[Group]:
    yield Group("", _number(spec.get("replicas"), 1), spec.get("template") or {})


def _job(spec: Object) -> Iterator[Group]:
    parallelism = _number(spec.get("parallelism"), 1)
    completions = _number(spec.get("completions"), parallelism)
    yield Group("", min(parallelism, completions), spec.get("template") or {})


def _kubeflow(spec: Object) -> Iterator[Group]:
    for key, roles in spec.items():
        if key.endswith("ReplicaSpecs") and isinstance(roles, Mapping):
            for role, one in roles.items():
                template = one.get("template") or {}
                yield Group(role.lower(), _number(one.get("replicas"), 1), template)


def _jobset(spec: Object) -> Iterator[Group]:
    for one in spec.get("replicatedJobs") or ():
        (inner,) = _job((one.get("template") or {}).get("spec") or {})
        for number in range(_number(one.get("replicas"), 1)):
            yield Group(f"{one.get('name')}-{number}", inner.count, inner.template)


def _leader_worker(spec: Object) -> Iterator[Group]:
    inner = spec.get("leaderWorkerTemplate") or {}
    worker = inner.get("workerTemplate") or {}
    for number in range(_number(spec.get("replicas"), 1)):
        yield Group("", 1, inner.get("leaderTemplate") or worker, number)
        yield Group(str(number), _number(inner.get("size"), 1) - 1, worker, 1)


def _volcano(spec: Object) -> Iterator[Group]:
    for one in spec.get("tasks") or ():
        yield Group(str(one.get("name", "")), _number(one.get("replicas"), 1), one.get("template") or {})


def _ray(spec: Object) -> Iterator[Group]:
    cluster = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    yield Group("head", 1, (cluster.get("headGroupSpec") or {}).get("template") or {})
    for one in cluster.get("workerGroupSpecs") or ():
        count = _number(one.get("replicas"), 1) * _number(one.get("numOfHosts"), 1)
        yield Group(str(one.get("groupName", "worker")), count, one.get("template") or {})


_KUBEFLOW: Final = ("PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "JAXJob")
_MAKERS: Final[Mapping[str, Callable[[Object], Iterator[Group]]]] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"), _replicated),
    **dict.fromkeys(_KUBEFLOW, _kubeflow),
    "Job": _job,
    "JobSet": _jobset,
    "LeaderWorkerSet": _leader_worker,
    "RayCluster": _ray,
    "RayJob": _ray,
    "RayService": _ray,
}
_DIVISIBLE: Final = ("Job", "JobSet", "TrainJob", "PyTorchJob", "JAXJob")


def _is_gang(kind: str, value: Object, pods: Sequence[Object]) -> bool:
    """Whether something in the cluster places the pods together."""
    spec = value.get("spec") or {}
    metadata = value.get("metadata") or {}
    named = [metadata.get("labels") or {}, metadata.get("annotations") or {}]
    for pod in pods:
        held = pod.get("metadata") or {}
        named += [held.get("labels") or {}, held.get("annotations") or {}]
        if pod["spec"].get("schedulingGroup") or pod["spec"].get("schedulerName") in _SCHEDULERS:
            return True
    if any(key in labels for labels in named for key in _GANG_LABELS):
        return True
    if _is_volcano(value):
        return True
    if kind in _KUBEFLOW:
        return bool((spec.get("runPolicy") or {}).get("schedulingPolicy"))
    return bool(spec.get("scheduling")) and kind == "Job"


def _least(kind: str, value: Object) -> int | None:
    """The smallest size of an elastic job."""
    spec = value.get("spec") or {}
    if kind == "PyTorchJob":
        found = (spec.get("elasticPolicy") or {}).get("minReplicas")
        return found if isinstance(found, int) else None
    return None


def _pod(group: Group, number: int, *, name: str, namespace: str, labels: Object, kind: str) -> Object:
    held = group.template.get("metadata") or {}
    if kind == "Pod":
        return {**group.template, "metadata": {**held, "namespace": held.get("namespace") or namespace}}
    own = "-".join(part for part in (name, group.role, str(number)) if part)
    metadata: dict[str, Any] = {
        **held,
        "name": own,
        "namespace": namespace,
        "labels": {**(held.get("labels") or {}), **labels},
    }
    owner = _OWNERS.get(kind)
    if owner is not None:
        metadata["ownerReferences"] = [{"kind": owner, "name": name, "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": group.template.get("spec") or {}}


_OWNERS: Final[Mapping[str, str]] = {
    "Deployment": "ReplicaSet",
    "ReplicaSet": "ReplicaSet",
    "StatefulSet": "StatefulSet",
    "ReplicationController": "ReplicationController",
    "Job": "Job",
}
"""The kind that will own the pods: default spreading goes by the selectors of those that it knows."""


def _controller(kind: str, name: str, namespace: str, value: Object) -> tuple[Object, tuple[Object, ...]]:
    """Labels that the controller adds, and the object whose selector default spreading reads."""
    owner = _OWNERS.get(kind)
    selector = (value.get("spec") or {}).get("selector")
    if owner is None or owner == "Job" or not isinstance(selector, Mapping):
        return {}, ()
    labels = {}
    if kind == "Deployment":
        labels = {_HASH: _HASH_VALUE}
        selector = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **labels}}
    spec = {"selector": selector}
    return labels, ({"kind": owner, "metadata": {"name": name, "namespace": namespace}, "spec": spec},)
