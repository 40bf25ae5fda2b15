"""GPUs: by which name each vendor's device plug-in or driver hands them out, and which taint it comes with.

Source: NVIDIA/k8s-device-plugin README (nvidia.com/gpu; with the mixed MIG strategy nvidia.com/mig-<profile>,
    "+" written as "."), ROCm/k8s-device-plugin README (amd.com/gpu),
    intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin/README.md (gpu.intel.com/i915 and xe). A taint
    with the resource's name is what the admission plug-in ExtendedResourceToleration expects.
    HabanaAI's device plug-in (habana.ai/gaudi).
Source: kubernetes/enhancements KEP-5004 (``deviceclass.resource.kubernetes.io/<class>``), for DRA.
Source: the DRA drivers' own DeviceClasses: gpu.nvidia.com and mig.nvidia.com, gpu.amd.com, gpu.intel.com.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

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
"""The vendor table. What else plug-ins register, ``resourceName`` can name: ``gpu.intel.com/xe`` of Intel's
newer driver, ``habana.ai/gaudi`` of its accelerators, NVIDIA's ``nvidia.com/gpu.shared``."""
MIG_DEVICE_CLASS: Final = "mig.nvidia.com"
"""The DeviceClass of MIG slices."""


def device_class(gpu: Gpu) -> str:
    """The DeviceClass to claim devices of (allocation ``dra``)."""
    if gpu.device_class is not None:
        return gpu.device_class
    return MIG_DEVICE_CLASS if gpu.mig_profile is not None else VENDORS[gpu.vendor].device_class


def resource_name(gpu: Gpu) -> str:
    """The extended resource to ask for, which with allocation ``dra`` stands for devices of a class."""
    if gpu.allocation == "dra":
        return DEVICE_CLASS_PREFIX + device_class(gpu)
    if gpu.resource_name is not None:
        return gpu.resource_name
    if gpu.mig_profile is not None:
        return f"nvidia.com/mig-{gpu.mig_profile.replace('+', '.')}"
    return VENDORS[gpu.vendor].resource


def taint_keys(gpu: Gpu) -> tuple[str, ...]:
    """Keys of the taints to tolerate: the vendor's, and the resource's own where that is another.

    A resource of another domain (``habana.ai/gaudi`` of vendor ``intel``) is on nodes of its own, which do
    not carry the taint of the vendor's other devices.
    """
    usual = VENDORS[gpu.vendor].taint_key
    if gpu.allocation == "dra" or resource_name(gpu) == usual:
        return (usual,)
    name = resource_name(gpu)
    return (usual, name) if _domain(name) == _domain(usual) else (name,)


def _domain(name: str) -> str:
    return name.partition("/")[0]
