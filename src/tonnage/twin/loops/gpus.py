"""Which resources are GPUs."""

from __future__ import annotations

from tonnage.scheduling import PodSpec


def is_gpu(resource: str) -> bool:
    """Whether a resource or device class is a GPU or a part of one."""
    return "gpu" in resource or resource.startswith("nvidia.com/mig-")


def gpus_of(spec: PodSpec) -> int:
    """GPUs that a pod holds: extended resources, and claimed devices."""
    scalars = sum(amount for name, amount in spec.requests.scalars if is_gpu(name))
    return scalars + sum(amount for name, amount in spec.devices if is_gpu(name))
