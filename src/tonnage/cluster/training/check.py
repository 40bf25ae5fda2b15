"""Whether a cluster could ever run a training, before anything is made. Decides only.

Each kind of worker, and then all of them together, are placed in the cluster as if nothing ran there: what
does not fit even then will wait for ever, unless somebody adds nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tonnage.cluster.snapshot import Snapshot
from tonnage.errors import Problem
from tonnage.gpus import Fit, Inventory, fit, inventory
from tonnage.spec.placement import Gpu
from tonnage.spec.training import TrainingJob
from tonnage.training import PlannedPod

PODS_MAX: Final = 512
"""Of more pods only each kind by itself is tried."""
_CHANGES_SHOWN: Final = 3
_NODES_SHOWN: Final = 5
_FORCE: Final = "--force submits all the same, such as where an autoscaler brings the nodes"


def obstacles(
    job: TrainingJob,
    planned: Sequence[PlannedPod],
    snapshot: Snapshot,
    objects: Iterable[Mapping[str, Any]] = (),
) -> list[Problem]:
    """Why no cluster of these nodes could run a training.

    Args:
        job: The document.
        planned: Its pods.
        snapshot: The cluster.
        objects: Objects that come with the training.
    """
    if not snapshot.nodes:
        return [Problem("", "the cluster must have a node, and has none", hint=_FORCE)]
    others = [*(one for one in snapshot.others if one.get("kind") != "ResourceClaim"), *objects]
    gpu = job.spec.resources.gpu
    if gpu is not None:
        found = _gpu_problems(gpu, _stock(snapshot, gpu))
        if found:
            return found
    for role in dict.fromkeys(one.role for one in planned):
        one = next(each for each in planned if each.role == role)
        answer = fit([one.pod], snapshot.nodes, objects=others)
        if not answer.fits:
            return [_unfit(f"a {role.replace('-', ' ')}", "on an empty node", answer)]
    if 1 < len(planned) <= PODS_MAX:
        least = [one for one in planned if one.role != "worker" or one.index < job.spec.workers_min]
        answer = fit(
            [one.pod for one in least],
            snapshot.nodes,
            objects=others,
            gang=True,
            least=job.spec.workers_min,
        )
        if not answer.fits:
            placed = f"{len(answer.partial)} of {len(answer.pods)} pods"
            return [_unfit("all pods together", f"in an empty cluster, which takes {placed}", answer)]
    return []


def missing_for(planned: Sequence[Mapping[str, Any]], snapshot: Snapshot, *, gang: bool) -> Fit | None:
    """What is missing for pods that wait now; None where they fit, or nodes cannot be read.

    Args:
        planned: Pod objects that have no node.
        snapshot: The cluster.
        gang: Whether they are placed together or not at all.
    """
    if not snapshot.nodes or not planned or "pods" in snapshot.unread:
        return None
    answer = fit(planned, snapshot.nodes, snapshot.pods, objects=snapshot.others, gang=gang)
    return None if answer.fits else answer


def help_lines(answer: Fit) -> list[str]:
    """What stands in the way and what would help, a line each."""
    rejected = list(answer.rejected.items())
    lines = [f"{node}: {', '.join(reasons)}" for node, reasons in rejected[:_NODES_SHOWN]]
    if len(answer.rejected) > _NODES_SHOWN:
        lines.append(f"... and {len(answer.rejected) - _NODES_SHOWN} more nodes")
    for change in answer.changes[:_CHANGES_SHOWN]:
        lines.append(f"would help: {change.text}")
        lines += [f"    {line}" for line in change.how]
    return lines


def _stock(snapshot: Snapshot, gpu: Gpu) -> Inventory:
    def of(kind: str) -> list[Mapping[str, Any]]:
        return [one for one in snapshot.others if one.get("kind") == kind]

    return inventory(
        snapshot.nodes, (), of("ResourceSlice"), of("DeviceClass"), type_label=gpu.type_label
    )


def _gpu_problems(gpu: Gpu, stock: Inventory) -> list[Problem]:
    """Types that no node has, and more GPUs than any node has; the commonest mistakes, in plain words."""
    types = gpu.types_in_order
    labelled = {node.type for node in stock.nodes if node.labelled}
    if types and not labelled & set(types):
        have = ", ".join(sorted(labelled)) or f"no node has the label {gpu.type_label}"
        text = f"must be one that a node has, got {', '.join(types)}; nodes have: {have}"
        return [Problem("spec.resources.gpu.type", text, hint=_FORCE)]
    holders = [node for node in stock.nodes if not types or node.type in types]
    counts = [
        holding.allocatable
        for node in holders
        for holding in node.holdings
        if holding.vendor == gpu.vendor and holding.allocation == gpu.allocation
    ]
    plain = gpu.resource_name is None and gpu.device_class is None and gpu.mig_profile is None
    if plain and counts and gpu.count > max(counts):
        text = f"must be <= {max(counts)}, the most that one node has, got {gpu.count}"
        return [Problem("spec.resources.gpu.count", text, hint=f"use more workers, or {_FORCE}")]
    return []


def _unfit(what: str, where: str, answer: Fit) -> Problem:
    lines = "".join(f"\n  {line}" for line in help_lines(answer))
    return Problem("", f"{what} must fit {where}: {answer.message}; {_FORCE}{lines}")
