"""GPUs: by which name each vendor's device plug-in or driver hands them out, and which taint it comes with.

Source: NVIDIA/k8s-device-plugin README (nvidia.com/gpu; with the mixed MIG strategy nvidia.com/mig-<profile>,
    "+" written as "."), ROCm/k8s-device-plugin README (amd.com/gpu),
    intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin/README.md (gpu.intel.com/i915 and xe). A taint
    with the resource's name is what the admission plug-in ExtendedResourceToleration expects.
Source: kubernetes/enhancements KEP-5004 (``deviceclass.resource.kubernetes.io/<class>``), for DRA.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.errors import Problem
from tonnage.spec.placement import Gpu

DEVICE_CLASS_PREFIX: Final = "deviceclass.resource.kubernetes.io/"
"""A container may ask for devices of a DeviceClass as an extended resource of this name (Kubernetes 1.37)."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """What a vendor's software registers.

    Attributes:
        resource: The extended resource of a whole GPU.
        taint_key: Key of the taint that its nodes usually carry.
        device_class: The DeviceClass that its DRA driver installs.
    """

    resource: str
    taint_key: str
    device_class: str


VENDORS: Final[Mapping[str, Vendor]] = {
    "nvidia": Vendor("nvidia.com/gpu", "nvidia.com/gpu", "gpu.nvidia.com"),
    "amd": Vendor("amd.com/gpu", "amd.com/gpu", "gpu.amd.com"),
    "intel": Vendor("gpu.intel.com/i915", "gpu.intel.com/i915", "gpu.intel.com"),
}
"""The vendor table. Intel's newer driver registers ``gpu.intel.com/xe``, which ``resourceName`` can name."""


def resource_name(gpu: Gpu) -> str:
    """The extended resource to ask for."""
    if gpu.allocation == "dra":
        return DEVICE_CLASS_PREFIX + (gpu.device_class or VENDORS[gpu.vendor].device_class)
    if gpu.resource_name is not None:
        return gpu.resource_name
    if gpu.mig_profile is not None:
        return f"nvidia.com/mig-{gpu.mig_profile.replace('+', '.')}"
    return VENDORS[gpu.vendor].resource


def taint_keys(gpu: Gpu) -> tuple[str, ...]:
    """Keys of the taints to tolerate: the vendor's, and the resource's own where that is another."""
    keys = [VENDORS[gpu.vendor].taint_key]
    if gpu.allocation == "plugin" and resource_name(gpu) not in keys:
        keys.append(resource_name(gpu))
    return tuple(keys)


def gpu_problems(gpu: Gpu | None) -> Iterator[Problem]:
    """What cannot be said in a manifest yet."""
    if gpu is None or gpu.allocation != "dra":
        return
    if gpu.mig_profile is not None and gpu.device_class is None:
        yield Problem(
            "spec.resources.gpu.deviceClass",
            "must be given with allocation dra and migProfile",
            hint="name a DeviceClass that selects the profile",
        )
