"""Which pods count: ready, unready, missing or ignored, and what each of them requests.

Source: pkg/controller/podautoscaler/replica_calculator.go (groupPods, getReadyPodsCount,
calculateRequests), k8s.io/component-helpers v0.37, resource/helpers.go (PodRequests), and
pkg/api/v1/pod/util.go (IsPodReady).

Deviation: requests come in whole thousandths per container, so a pod-level sum of finer amounts, which
upstream would round up once, is rounded up per container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tonnage.hpa.facts import ContainerFact, PodFact, Sample
from tonnage.hpa.numbers import wrapped64
from tonnage.hpa.state import ControllerConfig, nanoseconds


class CannotCount(Exception):
    """A metric gives no count; the message is upstream's."""


@dataclass(frozen=True, slots=True)
class PodGroups:
    """Pods by what their sample is worth.

    Attributes:
        ready_count: Pods whose sample counts.
        unready: Pending pods, and for CPU those whose sample may still be their start-up's.
        missing: Pods without a sample.
        ignored: Failed pods and those being deleted.
    """

    ready_count: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def group_pods(
    pods: Sequence[PodFact],
    samples: Mapping[str, Sample],
    *,
    is_cpu: bool,
    config: ControllerConfig,
    now_s: float,
) -> PodGroups:
    """Sorts pods into groups (rules E8 and E9).

    Args:
        pods: The target's pods.
        samples: The metric's samples by pod name.
        is_cpu: Whether the metric is the resource ``cpu``; readiness is looked at for no other.
        config: The controller's flags.
        now_s: Now [s].
    """
    ready_count = 0
    unready: list[str] = []
    missing: list[str] = []
    ignored: list[str] = []
    for pod in pods:
        if pod.deleted or pod.phase == "Failed":
            ignored.append(pod.name)
        elif pod.phase == "Pending":
            unready.append(pod.name)
        elif (sample := samples.get(pod.name)) is None:
            missing.append(pod.name)
        elif is_cpu and _is_unready(pod, sample, config, now_s):
            unready.append(pod.name)
        else:
            ready_count += 1
    return PodGroups(ready_count, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_unready(pod: PodFact, sample: Sample, config: ControllerConfig, now_s: float) -> bool:
    """Whether a running pod's CPU sample may be that of its start-up, or of a pod that never was ready."""
    if pod.ready is None or pod.start_time_s is None:
        return True
    is_false = pod.ready.status == "False"
    start_ns = nanoseconds(pod.start_time_s)
    since_ns = nanoseconds(pod.ready.since_s)
    if start_ns + nanoseconds(config.cpu_initialization_period_s) > nanoseconds(now_s):
        whole_window_ns = since_ns + nanoseconds(sample.window_s)
        return is_false or nanoseconds(sample.timestamp_s) < whole_window_ns
    return is_false and start_ns + nanoseconds(config.initial_readiness_delay_s) > since_ns


def ready_pod_count(pods: Sequence[PodFact]) -> int:
    """Counts pods that run and are ready, whether or not they are being deleted (rule E15).

    Raises:
        CannotCount: There are no pods at all.
    """
    if not pods:
        raise CannotCount("no pods returned by selector while calculating replica count")
    return sum(
        pod.phase == "Running" and pod.ready is not None and pod.ready.status == "True" for pod in pods
    )


def requests_milli(pods: Sequence[PodFact], resource: str, container: str) -> dict[str, int]:
    """Returns what each pod requests of a resource (rule E16).

    Args:
        pods: All pods of the target, whatever their phase: one without a request fails the metric, even
            if it has failed itself or is being deleted.
        resource: Such as ``cpu``.
        container: The only container to look at; empty for the whole pod.

    Returns:
        Requests by pod name [milli-units].

    Raises:
        CannotCount: A request is missing. NB: with several such pods upstream names any of them, in the
            random order of its cache; we name the first given.
    """
    requests: dict[str, int] = {}
    for pod in pods:
        if not container and _has_pod_level_requests(pod):
            requests[pod.name] = _pod_level_request_milli(pod, resource)
        else:
            requests[pod.name] = _container_request_milli(pod, resource, container)
    return requests


def _has_pod_level_requests(pod: PodFact) -> bool:
    return any(_is_pod_level_resource(name) for name in pod.pod_requests_milli or ())


def _is_pod_level_resource(name: str) -> bool:
    return name in ("cpu", "memory") or name.startswith("hugepages-")


def _container_request_milli(pod: PodFact, resource: str, container: str) -> int:
    total_milli = 0
    regular = [found for found in pod.containers if found.role == "container"]
    sidecars = [found for found in pod.containers if found.role == "sidecar"]
    for found in (*regular, *sidecars):
        if container in ("", found.name):
            request_milli = found.requests_milli.get(resource)
            if request_milli is None:
                raise CannotCount(
                    f"missing request for {resource} in container {found.name} of Pod {pod.name}"
                )
            total_milli = wrapped64(total_milli + request_milli)
            if container:
                return total_milli
    if container:
        raise CannotCount(f"container {container} not found in Pod {pod.name}")
    return total_milli


def _pod_level_request_milli(pod: PodFact, resource: str) -> int:
    """The pod's own request, or what its containers need at most, and its overhead."""
    own = pod.pod_requests_milli or {}
    if resource in own and _is_pod_level_resource(resource):
        base_milli: int | None = own[resource]
    else:
        base_milli = _largest_need_milli(pod.containers, resource)
    overhead_milli = pod.overhead_milli.get(resource)
    if base_milli is None and overhead_milli is None:
        raise CannotCount(f"missing pod-level request for {resource} in Pod {pod.name}")
    return (base_milli or 0) + (overhead_milli or 0)


def _largest_need_milli(containers: Iterable[ContainerFact], resource: str) -> int | None:
    """The larger of what runs together and what any init container needs beside the sidecars before it.

    None when no container asks for the resource.
    """
    asked = [found for found in containers if resource in found.requests_milli]
    if not asked:
        return None
    together_milli = sum(found.requests_milli[resource] for found in asked if found.role != "init")
    sidecars_milli = starting_milli = 0
    for found in asked:
        if found.role == "sidecar":
            sidecars_milli += found.requests_milli[resource]
            starting_milli = max(starting_milli, sidecars_milli)
        elif found.role == "init":
            starting_milli = max(starting_milli, sidecars_milli + found.requests_milli[resource])
    return max(together_milli, starting_milli)
