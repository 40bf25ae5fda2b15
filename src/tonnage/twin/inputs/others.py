"""Other people's pods, disruption budgets, and how the Deployment is rolled out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, plain
from tonnage.scheduling import Pod, Selector
from tonnage.scheduling.objects import pod_from_object
from tonnage.twin.cluster_plan import DisruptionBudget, OtherPod
from tonnage.twin.inputs.workload import pod_labels, selector_of
from tonnage.twin.workload import RolloutPlan

_OWNERS: Final = ("Deployment", "ReplicaSet", "StatefulSet")
_ENDED: Final = ("Succeeded", "Failed")


def other_pods(
    objects: Sequence[KubeObject],
    workload: KubeObject,
    priorities: Mapping[str, int],
    nodes: Sequence[str] | None,
) -> tuple[list[OtherPod], list[str], list[Problem]]:
    """Pods that are not the workload's: those of other workloads, and Pod objects.

    Args:
        objects: Kubernetes objects.
        workload: The Deployment that is simulated.
        priorities: Priority classes by name.
        nodes: Names of the nodes that were given; None when nodes were not.

    Returns:
        The pods, what was assumed of them, and what is wrong.
    """
    mine = selector_of(workload)
    found: list[OtherPod] = []
    problems: list[Problem] = []
    for item in objects:
        if _is_mine(item, workload, mine):
            continue
        for value, node in _pods(item):
            try:
                pod = pod_from_object(value, priorities=priorities)
            except SpecError as error:
                inner = "" if item.kind == "Pod" else "spec.template."
                problems += [
                    item.placed(Problem(f"{inner}{one.path}", one.message, hint=one.hint))
                    for one in error.problems
                ]
                break
            found.append(_other(pod, value, node if nodes is None or node in nodes else None))
    assumed = []
    if found:
        who = "1 other pod uses" if len(found) == 1 else f"{len(found)} other pods use"
        assumed.append(f"{who} as much CPU and memory as requested, all the time")
    return found, assumed, problems


def _is_mine(item: KubeObject, workload: KubeObject, selector: Any) -> bool:
    """Whether an object is the workload, or is made by it or by another object of the input."""
    if item is workload or item.kind not in (*_OWNERS, "Pod"):
        return True
    if item.kind == "ReplicaSet" and item.at("metadata", "ownerReferences"):
        return True  # Its Deployment's pods are counted there.
    labels = pod_labels(item) or {}
    same = isinstance(selector, Selector) and item.namespace == workload.namespace
    return item.kind == "Pod" and bool(same) and selector.matches(labels)


def _pods(item: KubeObject) -> Iterator[tuple[dict[str, Any], str | None]]:
    if item.kind == "Pod":
        if item.at("status", "phase") not in _ENDED:
            yield item.plain(), item.at("spec", "nodeName")
        return
    replicas = item.at("spec", "replicas")
    for number in range(1 if replicas is None else int(replicas)):
        value = plain(item.at("spec", "template") or {})
        value["metadata"] = {
            **(value.get("metadata") or {}),
            "name": f"{item.name}-{number}",
            "namespace": item.namespace,
        }
        yield value, None


def _other(pod: Pod, value: Mapping[str, Any], node: str | None) -> OtherPod:
    requests = pod.spec.requests
    cores = requests.cpu_millicores / 1000
    return OtherPod(
        pod=pod,
        node=node,
        cpu_cores=cores,
        cpu_request_cores=cores or None,
        memory_bytes=requests.memory_bytes,
        memory_request_bytes=requests.memory_bytes,
        returns=bool((value.get("metadata") or {}).get("ownerReferences")) or node is None,
    )


def budget_of(
    objects: Sequence[KubeObject], workload: KubeObject
) -> tuple[DisruptionBudget | None, list[Problem]]:
    """The disruption budget over the workload's pods; None for none."""
    labels = pod_labels(workload) or {}
    problems: list[Problem] = []
    found: list[DisruptionBudget] = []
    for item in objects:
        if item.kind != "PodDisruptionBudget" or item.namespace != workload.namespace:
            continue
        selector = selector_of(item)
        if not isinstance(selector, Selector) or not selector.matches(labels):
            continue
        at_least, away = item.at("spec", "minAvailable"), item.at("spec", "maxUnavailable")
        if (at_least is None) == (away is None):
            message = "must have either minAvailable or maxUnavailable"
            problems.append(item.problem(("spec",), message))
        elif found:
            message = f"must be the only budget of {workload.reference}"
            problems.append(item.problem(("spec", "selector"), message, "with two, none is evicted"))
        else:
            found.append(DisruptionBudget(at_least, away))
    return (found[0] if found else None), problems


def rollout_plan(deployment: KubeObject) -> RolloutPlan:
    """The Deployment's strategy.

    Raises:
        ValueError: It has a value that Kubernetes would refuse.
    """
    strategy = deployment.at("spec", "strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    deadline_s = deployment.at("spec", "progressDeadlineSeconds")
    kind = strategy.get("type") or "RollingUpdate"
    if kind not in ("RollingUpdate", "Recreate"):
        raise ValueError(f"strategy.type: must be RollingUpdate or Recreate, got {kind}")
    return RolloutPlan(
        strategy="Recreate" if kind == "Recreate" else "RollingUpdate",
        max_surge=rolling.get("maxSurge", "25%"),
        max_unavailable=rolling.get("maxUnavailable", "25%"),
        min_ready_s=float(deployment.at("spec", "minReadySeconds") or 0),
        progress_deadline_s=float(600 if deadline_s is None else deadline_s),
    )


def surge_of(plan: RolloutPlan, replicas: int) -> int:
    """Pods that a rolling update may add to so many replicas."""
    if plan.strategy == "Recreate":
        return 0
    if isinstance(plan.max_surge, str):
        return math.ceil(replicas * int(plan.max_surge.rstrip("%")) / 100)
    return plan.max_surge
