"""Which nodes the pods of a job may run on, and how near to each other."""

from __future__ import annotations

from typing import Any, Final

from tonnage.manifests.gpu import taint_keys
from tonnage.spec.placement import Gpu
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_parts import Topology
from tonnage.training.names import JOB_LABEL

_USUAL_LABELS: Final = {"node": "kubernetes.io/hostname", "zone": "topology.kubernetes.io/zone"}
_WEIGHT: Final = 100


def topology_label(topology: Topology) -> str:
    """The node label whose values are the domains to share."""
    return topology.label or _USUAL_LABELS[topology.pack]


def node_selector(job: TrainingJob, gpu: Gpu | None) -> dict[str, str]:
    """Labels that a node must have: the document's, and the GPU's one type."""
    wanted = dict(job.spec.scheduling.node_selector)
    if gpu is not None and len(gpu.types_in_order) == 1:
        wanted.setdefault(gpu.type_label, gpu.types_in_order[0])
    return wanted


def tolerations(job: TrainingJob, gpu: Gpu | None) -> list[dict[str, Any]]:
    """The GPU vendor's taints, then the document's own tolerations."""
    found: list[dict[str, Any]] = [
        {"key": key, "operator": "Exists", "effect": "NoSchedule"}
        for key in (taint_keys(gpu) if gpu is not None else ())
    ]
    for one in job.spec.scheduling.tolerations:
        toleration = {
            "key": one.key,
            "operator": one.operator,
            "value": one.value,
            "effect": one.effect,
            "tolerationSeconds": one.toleration_seconds,
        }
        toleration = {key: value for key, value in toleration.items() if value is not None}
        if toleration not in found:
            found.append(toleration)
    return found


def affinity(job: TrainingJob, gpu: Gpu | None) -> dict[str, Any]:
    """Which GPU types come first, and how near workers are to each other."""
    found = {}
    node = _node_affinity(gpu)
    if node:
        found["nodeAffinity"] = node
    if job.spec.topology is not None:
        found["podAffinity"] = _pod_affinity(job, job.spec.topology)
    return found


def _node_affinity(gpu: Gpu | None) -> dict[str, Any]:
    """Several GPU types: one of them is required, and the earlier ones are preferred, by even steps."""
    types = gpu.types_in_order if gpu is not None else ()
    if gpu is None or len(types) < 2:
        return {}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [_is_in(gpu.type_label, list(types))]}]
        },
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {
                "weight": max(1, 100 - index * 100 // (len(types) - 1)),
                "preference": {"matchExpressions": [_is_in(gpu.type_label, [name])]},
            }
            for index, name in enumerate(types[:-1])
        ],
    }


def _is_in(key: str, values: list[str]) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": values}


def _pod_affinity(job: TrainingJob, topology: Topology) -> dict[str, Any]:
    """To the job's own pods: the first one goes anywhere, because a pod's own labels count for it.

    Source: kubernetes v1.37.2 pkg/scheduler/framework/plugins/interpodaffinity/filtering.go
        (satisfyPodAffinity).
    """
    term = {
        "topologyKey": topology_label(topology),
        "labelSelector": {"matchLabels": {JOB_LABEL: job.name}},
    }
    if topology.required:
        return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
    return {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": _WEIGHT, "podAffinityTerm": term}]
    }
