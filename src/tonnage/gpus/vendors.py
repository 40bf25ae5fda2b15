"""Which resources and device drivers of a node are GPUs, and whose.

Source: the vendor table of ``tonnage.manifests.gpu``, which names each vendor's device plug-in; beside it
NVIDIA/k8s-device-plugin README (``nvidia.com/gpu.shared``, ``nvidia.com/mig-<profile>``),
ROCm/k8s-device-plugin docs (``amd.com/<compute>_<memory>`` of partitioned GPUs with the mixed strategy),
intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin/README.md (``i915``, ``xe``; their ``_monitoring``
twins give no GPU), HabanaAI's device plugin (``habana.ai/gaudi``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from tonnage.manifests.gpu import MIG_DEVICE_CLASS, VENDORS

Kind = Literal["gpu", "mig", "partition", "shared"]

_MIG: Final = re.compile(r"nvidia\.com/mig-(.+)")
_AMD_PARTITION: Final = re.compile(r"amd\.com/((?:spx|dpx|tpx|qpx|cpx)_nps[1-8])")
_WHOLE: Final = {
    **{vendor.resource: name for name, vendor in VENDORS.items()},
    "gpu.intel.com/xe": "intel",
    "habana.ai/gaudi": "intel",
}
_SHARED: Final = {"nvidia.com/gpu.shared": "nvidia"}
_DRIVERS: Final = {vendor.device_class: name for name, vendor in VENDORS.items()}
_DOMAINS: Final = {"nvidia.com": "nvidia", "amd.com": "amd", "intel.com": "intel", "habana.ai": "intel"}


@dataclass(frozen=True, slots=True)
class GpuResource:
    """An extended resource that counts GPUs.

    Attributes:
        name: The resource, such as ``nvidia.com/gpu``.
        vendor: ``nvidia``, ``amd`` or ``intel``.
        kind: Whole GPUs, MIG slices, AMD's partitions, or shares of GPUs.
        profile: The slice's profile, as ``1g.10gb``; empty for whole and shared GPUs.
    """

    name: str
    vendor: str
    kind: Kind = "gpu"
    profile: str = ""


def gpu_resource(name: str) -> GpuResource | None:
    """What a resource of this name counts; None when it counts no GPUs."""
    if name in _WHOLE:
        return GpuResource(name, _WHOLE[name])
    if name in _SHARED:
        return GpuResource(name, _SHARED[name], "shared")
    mig = _MIG.fullmatch(name)
    if mig is not None:
        return GpuResource(name, "nvidia", "mig", mig[1])
    part = _AMD_PARTITION.fullmatch(name)
    return GpuResource(name, "amd", "partition", part[1]) if part is not None else None


def vendor_of_driver(driver: str) -> str:
    """Whose a DRA driver or DeviceClass is, by its name; empty when it is nobody's of the vendors we know."""
    if driver in _DRIVERS:
        return _DRIVERS[driver]
    if driver == MIG_DEVICE_CLASS:
        return "nvidia"
    parts = driver.split(".")
    return _DOMAINS.get(".".join(parts[-2:]), "") if "gpu" in parts or "mig" in parts else ""
