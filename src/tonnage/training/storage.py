"""Volumes of a worker: the document's, /tmp, and shared memory."""

from __future__ import annotations

from typing import Any, Final

from tonnage.kube.quantity import Quantity
from tonnage.manifests import security
from tonnage.spec.placement import Resources
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_parts import (
    ClaimVolume,
    ConfigMapVolume,
    EmptyDirVolume,
    HostPathVolume,
    NfsVolume,
    Volume,
)

SHARED_MEMORY: Final = "shared-memory"
SHARED_MEMORY_PATH: Final = "/dev/shm"  # noqa: S108  a volume of the pod's own
_MEBIBYTE: Final = 2**20


def shared_memory(job: TrainingJob, resources: Resources) -> Quantity | None:
    """Size of /dev/shm of a pod; None leaves what the runtime gives (64 MiB).

    What lies in it counts to the memory of the container, which is killed beyond its limit: hence half.
    """
    spec = job.spec
    if spec.shared_memory is not None:
        return spec.shared_memory
    if resources.gpu is None and spec.processes == 1:
        return None
    half = resources.memory_limit.value // 2
    return Quantity.of_bytes(max(_MEBIBYTE, half // _MEBIBYTE * _MEBIBYTE))


def volumes(job: TrainingJob, resources: Resources) -> list[dict[str, Any]]:
    """The pod's volumes."""
    found = [{"name": volume.name, **_source(volume)} for volume in job.spec.volumes]
    found.append(dict(security.tmp_volume().to_dict()))
    size = shared_memory(job, resources)
    if size is not None:
        # A tmpfs without a limit may take the node's memory.
        found.append({"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}})
    return found


def mounts(job: TrainingJob, resources: Resources) -> list[dict[str, Any]]:
    """Where they are."""
    found: list[dict[str, Any]] = [
        {"name": one.name, "mountPath": one.mount_path, **({"readOnly": True} if one.read_only else {})}
        for one in job.spec.volumes
    ]
    found.append(dict(security.tmp_mount().to_dict()))
    if shared_memory(job, resources) is not None:
        found.append({"name": SHARED_MEMORY, "mountPath": SHARED_MEMORY_PATH})
    return found


def _source(volume: Volume) -> dict[str, Any]:
    match volume:
        case ClaimVolume():
            return {"persistentVolumeClaim": {"claimName": volume.claim}}
        case NfsVolume():
            return {"nfs": {"server": volume.server, "path": volume.path}}
        case HostPathVolume():
            return {"hostPath": {"path": volume.path, "type": "Directory"}}
        case ConfigMapVolume():
            return {"configMap": {"name": volume.config_map}}
        case EmptyDirVolume():
            limit = {"sizeLimit": str(volume.size_limit)} if volume.size_limit is not None else {}
            return {"emptyDir": limit}
        case _:
            return {"secret": {"secretName": volume.secret}}
