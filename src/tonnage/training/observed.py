"""Workers as a cluster reports them: which pod each has, how often it began again, and why it is not running.

Source: kubernetes v1.37.2 k8s.io/api/batch/v1/types.go (JobIndexFailureCountAnnotation and the like: on a
    replaced pod, how often its index failed before), core/v1/types.go (PodStatus, ContainerState).
Source: training-operator v1.9.3 pkg/apis/kubeflow.org/v1/common_types.go (ReplicaIndexLabel).
Source: jobset v0.12.0 api/jobset/v1alpha2/jobset_types.go (RestartsKey).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tonnage.training.names import ROLE_LABEL, WORKER
from tonnage.training.values import WorkerStatus

Object = Mapping[str, Any]
_INDEX_KEYS: Final = ("batch.kubernetes.io/job-completion-index", "training.kubeflow.org/replica-index")
_FAILURE_KEYS: Final = (
    "batch.kubernetes.io/job-index-failure-count",
    "batch.kubernetes.io/job-index-ignored-failure-count",
)
_ATTEMPT_KEY: Final = "jobset.sigs.k8s.io/restart-attempt"
MISSING: Final = "Missing"
"""Phase of a worker without a pod."""


def workers_of(expected: Mapping[str, int], pods: Sequence[Object]) -> tuple[WorkerStatus, ...]:
    """The state of every worker.

    Args:
        expected: How many a role has; pods beyond are reported as well.
        pods: The job's pods, old ones included.
    """
    held: dict[tuple[str, int], list[Object]] = {}
    for pod in pods:
        held.setdefault((role_of(pod), index_of(pod)), []).append(pod)
    for role, count in expected.items():
        for index in range(count):
            held.setdefault((role, index), [])
    order = {role: place for place, role in enumerate(expected)}
    keys = sorted(held, key=lambda key: (order.get(key[0], len(order)), *key))
    return tuple(_worker(role, index, held[role, index]) for role, index in keys)


def role_of(pod: Object) -> str:
    """worker, chief or parameter-server."""
    return str(_marks(pod).get(ROLE_LABEL) or WORKER)


def index_of(pod: Object) -> int:
    """The worker's number; 0 where its pod does not say."""
    for key in _INDEX_KEYS:
        text = str(_marks(pod).get(key, ""))
        if text.isdecimal():
            return int(text)
    return 0


def is_live(pod: Object) -> bool:
    """Whether a pod has not ended and is not being deleted."""
    return phase_of(pod) in ("Pending", "Running") and not pod["metadata"].get("deletionTimestamp")


def phase_of(pod: Object) -> str:
    """Its phase, Pending where nothing is said yet."""
    return str((pod.get("status") or {}).get("phase") or "Pending")


def condition(value: Object, kind: str) -> Object:
    """A condition of an object's status; empty where there is none."""
    for one in (value.get("status") or {}).get("conditions") or ():
        if one.get("type") == kind:
            found: Object = one
            return found
    return {}


def is_true(value: Object, kind: str) -> bool:
    """Whether a condition holds."""
    return condition(value, kind).get("status") == "True"


def reason_of(pod: Object) -> str:
    """Why a pod is not running, in few words; empty when it is, or has succeeded."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return "Terminating"
    if status.get("reason"):
        return str(status["reason"])
    for state in _states(pod):
        for kind in ("waiting", "terminated"):
            held = state.get(kind) or {}
            if held.get("reason") not in (None, "Completed", "ContainerCreating", "PodInitializing"):
                return str(held["reason"])
    scheduled = condition(pod, "PodScheduled")
    return str(scheduled.get("reason") or "") if scheduled.get("status") == "False" else ""


def explanation(pod: Object) -> str:
    """The same at length, as the cluster words it; empty where it says nothing."""
    for state in _states(pod):
        message = (state.get("waiting") or {}).get("message")
        if message:
            return str(message)
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("message") or scheduled.get("reason") or "")
    return str((pod.get("status") or {}).get("message") or "")


def _marks(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}


def _worker(role: str, index: int, pods: Sequence[Object]) -> WorkerStatus:
    in_order = sorted(pods, key=_age)
    if not in_order:
        return WorkerStatus("", role, index, MISSING)
    present = in_order[-1]
    earlier = [pod for pod in in_order[:-1] if not is_live(pod)]
    return WorkerStatus(
        name=str(present["metadata"]["name"]),
        role=role,
        index=index,
        phase=phase_of(present),
        node=(present.get("spec") or {}).get("nodeName") or None,
        restarts=_restarts(present, len(earlier)),
        exit_code=next(_exit_codes([present, *reversed(earlier)]), None),
        reason=reason_of(present),
    )


def _age(pod: Object) -> tuple[bool, str, str]:
    """Live pods after those that have ended, then by their time of creation."""
    metadata = pod["metadata"]
    return is_live(pod), str(metadata.get("creationTimestamp") or ""), str(metadata["name"])


def _restarts(pod: Object, earlier: int) -> int:
    """New pods in this one's place, and new containers in this pod.

    Ended pods may have been removed, so what their successor remembers counts where it is more.
    """
    marks = _marks(pod)
    remembered = sum(_number(marks.get(key)) for key in _FAILURE_KEYS)
    pods = max(earlier, remembered, _number(marks.get(_ATTEMPT_KEY)))
    return pods + sum(_number(one.get("restartCount")) for one in _container_statuses(pod))


def _number(value: Any) -> int:
    text = str(value)
    return int(text) if text.isdecimal() else 0


def _container_statuses(pod: Object) -> Sequence[Object]:
    found: Sequence[Object] = (pod.get("status") or {}).get("containerStatuses") or ()
    return found


def _states(pod: Object) -> Iterator[Object]:
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *_container_statuses(pod)):
        yield one.get("state") or {}


def _exit_codes(pods: Iterable[Object]) -> Iterator[int]:
    """Exit codes, the latest first."""
    for pod in pods:
        for key in ("state", "lastState"):
            for one in _container_statuses(pod):
                ended = (one.get(key) or {}).get("terminated")
                if ended is not None:
                    yield int(ended.get("exitCode") or 0)
