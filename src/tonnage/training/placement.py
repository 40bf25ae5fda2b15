"""Which nodes the pods of a job prefer, and how near to each other they run."""

from __future__ import annotations

from typing import Any, Final

from tonnage.manifests.placement import node_affinity
from tonnage.spec.placement import Gpu
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_parts import Topology
from tonnage.training.names import JOB_LABEL

_USUAL_LABELS: Final = {"node": "kubernetes.io/hostname", "zone": "topology.kubernetes.io/zone"}
_WEIGHT: Final = 100


def topology_label(topology: Topology) -> str:
    """The node label whose values are the domains to share."""
    return topology.label or _USUAL_LABELS[topology.pack]


def affinity(job: TrainingJob, gpu: Gpu | None) -> dict[str, Any]:
    """Which GPU types come first, and how near workers are to each other."""
    found = {}
    node = node_affinity(gpu)
    if node is not None:
        found["nodeAffinity"] = node.to_dict()
    if job.spec.topology is not None:
        found["podAffinity"] = _pod_affinity(job, job.spec.topology)
    return found


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
