"""Reads Node, Pod and the objects that select pods from Kubernetes JSON.

What is read is what the scheduler would see: with the API server's defaults (requests from limits, ports of
the host network, ``matchLabelKeys`` merged into selectors). Fields that play no part in scheduling are
passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tonnage.scheduling.node import EFFECTS, Node, Taint
from tonnage.scheduling.pod import Budget, Owner, Pod
from tonnage.scheduling.podspec import read_pod_spec
from tonnage.scheduling.reading import Reader, read_label_selector
from tonnage.scheduling.resources import PODS, Amounts
from tonnage.scheduling.selectors import Selector

SYSTEM_PRIORITIES: Final[Mapping[str, int]] = {
    "system-cluster-critical": 2_000_000_000,
    "system-node-critical": 2_000_001_000,
}
"""The priority classes that every cluster has."""


def node_from_object(value: Mapping[str, Any]) -> Node:
    """Reads a Node.

    Args:
        value: The object; ``status.allocatable`` says what fits, or ``status.capacity`` where it is missing.

    Raises:
        SpecError: Something is wrong with it; carries every problem.
    """
    root = Reader(value)
    node = _read_node(root)
    root.raise_problems()
    return node


def _read_node(root: Reader) -> Node:
    spec, status = root["spec"], root["status"]
    stated = status["allocatable"] if status["allocatable"].is_there else status["capacity"]
    allocatable = stated.quantities()
    images = {
        name: image["sizeBytes"].whole()
        for image in status["images"].items()
        for name in image["names"].texts()
    }
    taints = tuple(
        Taint(place["key"].text(), place["value"].text(), place["effect"].one_of(EFFECTS, "NoSchedule"))
        for place in spec["taints"].items()
    )
    return Node(
        name=root["metadata"]["name"].text(),
        labels=root["metadata"]["labels"].labels(),
        taints=taints,
        unschedulable=spec["unschedulable"].flag(),
        allocatable=Amounts.of(allocatable),
        pods_max=allocatable[PODS].value if PODS in allocatable else 0,
        images=images,
    )


def pod_from_object(
    value: Mapping[str, Any],
    *,
    priorities: Mapping[str, int] = SYSTEM_PRIORITIES,
    claims: Mapping[str, Mapping[str, int]] | None = None,
    path: str = "",
) -> Pod:
    """Reads a Pod, or a pod template.

    Args:
        value: The object. Without ``metadata.uid`` its namespace and name tell it apart.
        priorities: Priority classes, where ``spec.priority`` is not set.
        claims: What a ResourceClaim or ResourceClaimTemplate of a name claims, as
            ``devices_from_claim`` reads it.
        path: Where in a larger document it stands, for the problems' paths.

    Raises:
        SpecError: Something is wrong with it; carries every problem.
    """
    root = Reader(value, path)
    pod = _read_pod(root, priorities, claims or {})
    root.raise_problems()
    return pod


def _read_pod(
    root: Reader, priorities: Mapping[str, int], claims: Mapping[str, Mapping[str, int]]
) -> Pod:
    metadata, status = root["metadata"], root["status"]
    namespace = metadata["namespace"].text("default") or "default"
    name = metadata["name"].text() or metadata["generateName"].text()
    labels = metadata["labels"].labels()
    preempted = any(
        (place["type"].text(), place["status"].text(), place["reason"].text())
        == ("DisruptionTarget", "True", "PreemptionByScheduler")
        for place in status["conditions"].items()
    )
    terminating = metadata["deletionTimestamp"].is_there
    return Pod(
        namespace=namespace,
        name=name,
        uid=metadata["uid"].text() or f"{namespace}/{name}",
        labels=labels,
        spec=read_pod_spec(root["spec"], namespace, labels, priorities, claims),
        owner=_read_owner(metadata["ownerReferences"]),
        node=root["spec"]["nodeName"].text() or None,
        nominated=status["nominatedNodeName"].text() or None,
        started_s=_read_time(status["startTime"]),
        terminating=terminating,
        preempted=terminating and preempted,
    )


def _read_owner(place: Reader) -> Owner | None:
    for reference in place.items():
        if reference["controller"].flag():
            return Owner(reference["kind"].text(), reference["name"].text())
    return None


def _read_time(place: Reader) -> float | None:
    text = place.text()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        place.wrong(f'must be a time such as 2026-11-24T12:00:00Z, got "{text}"')
        return None


def selector_from_object(value: Mapping[str, Any]) -> Selector:
    """Reads the selector of a ReplicaSet, StatefulSet or PodDisruptionBudget (``spec.selector``).

    Raises:
        SpecError: Something is wrong with it; carries every problem.
    """
    root = Reader(value)
    selector = read_label_selector(root["spec"]["selector"])
    root.raise_problems()
    return selector


def budget_from_object(value: Mapping[str, Any]) -> Budget:
    """Reads a PodDisruptionBudget with its status, which says how many disruptions are allowed now.

    Raises:
        SpecError: Something is wrong with it; carries every problem.
    """
    root = Reader(value)
    budget = Budget(
        root["metadata"]["namespace"].text("default"),
        root["metadata"]["name"].text(),
        read_label_selector(root["spec"]["selector"]),
        root["status"]["disruptionsAllowed"].whole(),
        frozenset(root["status"]["disruptedPods"].mapping()),
    )
    root.raise_problems()
    return budget


def devices_from_claim(value: Mapping[str, Any]) -> dict[str, int]:
    """Reads how many devices a ResourceClaim or ResourceClaimTemplate claims of each device class.

    Raises:
        SpecError: It claims in another way than by a count per class, or something is wrong with it.
    """
    root = Reader(value)
    spec = root["spec"]["spec"] if root["spec"]["spec"].is_there else root["spec"]
    devices: dict[str, int] = {}
    for request in spec["devices"]["requests"].items():
        exactly = request["exactly"]
        if not exactly.is_there:
            request.wrong("must have exactly, as only counts of one device class are modelled")
        if exactly["allocationMode"].text("ExactCount") != "ExactCount":
            exactly["allocationMode"].wrong("must be ExactCount, as only counts are modelled")
        name = exactly["deviceClassName"].text()
        devices[name] = devices.get(name, 0) + exactly["count"].whole(1)
    root.raise_problems()
    return devices
