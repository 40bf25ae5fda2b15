"""``/dev/shm`` of a replica with several GPUs: a bounded part of its memory instead of the runtime's 64 MiB.

What several GPUs of one process exchange (NCCL's buffers, tensors between workers) goes through there, and
ends in a bus error when it is full. What lies in it counts against the container's memory limit, so it is
never given more than half of that.

Source: NVIDIA NCCL, troubleshooting, shared memory.
Source: kubernetes v1.37.2 pkg/volume/emptydir/empty_dir.go (setupTmpfs: the volume is as large as sizeLimit);
    concepts/storage/volumes, emptyDir (files in it count against the memory limit of who wrote them).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from lightkube.models import core_v1

from tonnage.kube.quantity import Quantity
from tonnage.spec.service import ModelService

VOLUME: Final = "shared-memory"
PATH: Final = "/dev/shm"  # noqa: S108  the path itself is meant
BYTES_PER_GPU: Final = 1024**3
"""More than NCCL's buffers between the GPUs of a node need."""
SHARE_MAX: Final = Fraction(1, 2)
"""Of the memory limit."""
_MEBIBYTE: Final = 1024**2
_RUNTIME_BYTES: Final = 64 * _MEBIBYTE
"""What there is without a volume; a smaller one would take something away."""


def shared_memory_volume(service: ModelService) -> core_v1.Volume | None:
    """The volume; None for at most one GPU, and for slices of GPUs, which exchange nothing."""
    gpu = service.spec.resources.gpu
    if gpu is None or gpu.count < 2 or gpu.mig_profile is not None:
        return None
    half = int(service.spec.resources.memory_limit.value * SHARE_MAX) // _MEBIBYTE * _MEBIBYTE
    size = min(gpu.count * BYTES_PER_GPU, half)
    if size <= _RUNTIME_BYTES:
        return None
    source = core_v1.EmptyDirVolumeSource(medium="Memory", sizeLimit=str(Quantity.of_bytes(size)))
    return core_v1.Volume(name=VOLUME, emptyDir=source)


def shared_memory_mount() -> core_v1.VolumeMount:
    """Where it is."""
    return core_v1.VolumeMount(name=VOLUME, mountPath=PATH)
