"""Small Kubernetes objects for the tests of this room."""

from __future__ import annotations

from typing import Any

from tonnage.scheduling import Cluster, Node, Pod, node_from_object, pod_from_object

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"


def node(name: str, zone: str | None = "a", *, taints: Any = (), labels: Any = None, **allocatable: str) -> Node:
    """A node of 4 cores and 16Gi; dashes in the names of resources are written as underscores."""
    amounts = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    amounts.update({key.replace("_", "-"): value for key, value in allocatable.items() if key != "gpu"})
    if "gpu" in allocatable:
        amounts["nvidia.com/gpu"] = allocatable["gpu"]
    named = {HOST: name, **({ZONE: zone} if zone else {}), **(labels or {})}
    return node_from_object(
        {
            "metadata": {"name": name, "labels": named},
            "spec": {"taints": list(taints)},
            "status": {"allocatable": amounts},
        }
    )


def pod(name: str, cpu: str = "1", *, labels: Any = None, status: Any = None, **spec: Any) -> Pod:
    """A pod with one container that requests CPU."""
    limits = spec.pop("limits", {})
    container = {"name": "main", "image": "i", "resources": {"requests": {"cpu": cpu}, "limits": limits}}
    return pod_from_object(
        {
            "metadata": {"name": name, "uid": name, "labels": {"app": "a"} if labels is None else labels},
            "spec": {"containers": [container], **spec},
            "status": status or {},
        }
    )


def started(second: int) -> dict[str, str]:
    """The status of a pod that started at a second."""
    return {"startTime": f"2026-11-24T12:00:{second:02}Z"}


def cluster(*nodes: Node) -> Cluster:
    """A cluster of nodes without pods."""
    made = Cluster()
    for one in nodes:
        made.add_node(one)
    return made


def spread(key: str = ZONE, skew: int = 1, **more: Any) -> list[dict[str, Any]]:
    """One required spread constraint over the pods of app a."""
    return [
        {
            "topologyKey": key,
            "maxSkew": skew,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "a"}},
            **more,
        }
    ]


def term(key: str = HOST, app: str = "a", **more: Any) -> dict[str, Any]:
    """One pod affinity term about an app."""
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}, **more}


def required(kind: str, *terms: Any) -> dict[str, Any]:
    """An affinity with required terms."""
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}


def preferred(kind: str, *weighted: tuple[int, Any]) -> dict[str, Any]:
    """An affinity with preferred terms."""
    terms = [{"weight": weight, "podAffinityTerm": one} for weight, one in weighted]
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": terms}}
