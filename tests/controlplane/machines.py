"""Kinds of nodes with GPUs, as plain Node, ResourceSlice and DeviceClass objects.

A machine of ``MACHINES`` has what its vendor's device plug-in registers, the labels that feature discovery and
its cloud write, and the taint that its node pool usually carries; or DRA devices instead.

Source of resources and labels: NVIDIA/k8s-device-plugin docs/gpu-feature-discovery/README.md and README.md
(MIG strategies), ROCm/k8s-device-plugin cmd/k8s-node-labeller/README.md,
intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin/README.md and labels.md, docs.habana.ai (device
plug-in), and the clouds' node pages (GKE accelerators and compact placement, EKS and Karpenter, AKS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.api import Plain

RACK, BLOCK = "topology.tonnage.test/rack", "topology.tonnage.test/block"
"""Labels of where a node stands, as an administrator writes them; four nodes make a rack, four racks a block."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of node.

    Attributes:
        kind: Short name, the beginning of its nodes' names.
        type: Value of ``gpu-type`` that an administrator gives it; empty for a machine without GPUs.
        capacity: Beside what every node has.
        labels: As found on it.
        taints: As ``key=value:effect``.
        devices: How many DRA devices it publishes, with driver and attributes in ``dra``.
        dra: Driver, product name and memory of each device.
    """

    kind: str
    type: str = ""
    capacity: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    devices: int = 0
    dra: tuple[str, str, str] = ("", "", "")


def _gfd(product: str, memory_mib: int, count: int, family: str, compute: str, *, mig: str = "false") -> dict[str, str]:
    """What NVIDIA's GPU feature discovery writes."""
    major, _, minor = compute.partition(".")
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory_mib),
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.replicas": "1",
        "nvidia.com/gpu.family": family,
        "nvidia.com/gpu.compute.major": major,
        "nvidia.com/gpu.compute.minor": minor,
        "nvidia.com/gpu.sharing-strategy": "none",
        "nvidia.com/cuda.driver-version.full": "580.95.05",
        "nvidia.com/cuda.runtime-version.full": "13.0",
        "nvidia.com/mig.capable": mig,
    }


def _size(cpu: int, memory_gib: int, **gpus: str) -> dict[str, str]:
    return {"cpu": str(cpu), "memory": f"{memory_gib}Gi", **gpus}


_MIG_COUNTS = {"1g.10gb": 16, "2g.20gb": 8, "3g.40gb": 8}
"""Eight H100 cut as the MIG manager's ``all-balanced`` cuts them, two, one and one slices of each."""
_TAINT = "nvidia.com/gpu=present:NoSchedule"
_KINDS = (
    Machine("cpu", capacity=_size(32, 128), labels={"node.kubernetes.io/instance-type": "m6i.8xlarge"}),
    Machine(
        "a100-8",
        "a100",
        {**_size(96, 1152), "nvidia.com/gpu": "8", "vpc.amazonaws.com/efa": "4"},
        {
            **_gfd("NVIDIA-A100-SXM4-80GB", 81920, 8, "ampere", "8.0", mig="true"),
            "nvidia.com/mig.strategy": "single",
            "node.kubernetes.io/instance-type": "p4de.24xlarge",
            "karpenter.k8s.aws/instance-gpu-name": "a100",
            "karpenter.k8s.aws/instance-gpu-count": "8",
            "karpenter.k8s.aws/instance-gpu-memory": "81920",
        },
        (_TAINT,),
    ),
    Machine(
        "h100-8",
        "h100",
        {**_size(208, 1872), "nvidia.com/gpu": "8"},
        {
            **_gfd("NVIDIA-H100-80GB-HBM3", 81559, 8, "hopper", "9.0", mig="true"),
            "node.kubernetes.io/instance-type": "a3-highgpu-8g",
            "cloud.google.com/gke-accelerator": "nvidia-h100-80gb",
            "cloud.google.com/gke-gpu": "true",
        },
        (_TAINT,),
    ),
    Machine(
        "h100-mig",
        "h100",
        {**_size(96, 1024), "nvidia.com/gpu": "0", **{f"nvidia.com/mig-{one}": str(n) for one, n in _MIG_COUNTS.items()}},
        {
            **_gfd("NVIDIA-H100-80GB-HBM3", 81559, 8, "hopper", "9.0", mig="true"),
            "nvidia.com/mig.strategy": "mixed",
            "nvidia.com/mig.config": "all-balanced",
            "nvidia.com/mig.config.state": "success",
            **{f"nvidia.com/mig-{one}.count": str(n) for one, n in _MIG_COUNTS.items()},
            **{f"nvidia.com/mig-{one}.product": f"NVIDIA-H100-80GB-HBM3-MIG-{one}" for one in _MIG_COUNTS},
        },
        (_TAINT,),
    ),
    Machine(
        "t4-1",
        "t4",
        {**_size(8, 30), "nvidia.com/gpu": "1"},
        {
            **_gfd("Tesla-T4", 15360, 1, "turing", "7.5"),
            "node.kubernetes.io/instance-type": "n1-standard-8",
            "cloud.google.com/gke-accelerator": "nvidia-tesla-t4",
        },
        (_TAINT,),
    ),
    Machine(
        "t4-4",
        "t4",
        {**_size(48, 192), "nvidia.com/gpu": "4"},
        {
            **_gfd("Tesla-T4", 15360, 4, "turing", "7.5"),
            "node.kubernetes.io/instance-type": "g4dn.12xlarge",
            "k8s.amazonaws.com/accelerator": "nvidia-tesla-t4",
        },
        (_TAINT,),
    ),
    Machine(
        "mi300x-8",
        "mi300x",
        {**_size(96, 1850), "amd.com/gpu": "8"},
        {
            "amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM",
            "amd.com/gpu.device-id": "74a1",
            "amd.com/gpu.family": "AI",
            "amd.com/gpu.vram": "192G",
            "amd.com/gpu.cu-count": "304",
            "amd.com/gpu.simd-count": "1216",
            "node.kubernetes.io/instance-type": "Standard_ND96isr_MI300X_v5",
        },
        ("amd.com/gpu=present:NoSchedule",),
    ),
    Machine(
        "i915-2",
        "flex170",
        {**_size(64, 256), "gpu.intel.com/i915": "2"},
        {
            "intel.feature.node.kubernetes.io/gpu": "true",
            "gpu.intel.com/product": "Flex_170",
            "gpu.intel.com/family": "Flex_Series",
            "gpu.intel.com/device-id.0380-56c0.present": "true",
            "gpu.intel.com/device-id.0380-56c0.count": "2",
        },
        ("gpu.intel.com/i915=present:NoSchedule",),
    ),
    Machine(
        "xe-2",
        "b60",
        {**_size(64, 256), "gpu.intel.com/xe": "2"},
        {"intel.feature.node.kubernetes.io/gpu": "true", "gpu.intel.com/device-id.0300-e211.present": "true"},
    ),
    Machine(
        "gaudi-8",
        "gaudi2",
        {**_size(96, 1024), "habana.ai/gaudi": "8", "hugepages-2Mi": "64Gi"},
        {"habana.ai/product.name": "HL-225", "node.kubernetes.io/instance-type": "bm.gpu.gaudi2.8"},
        ("habana.ai/gaudi=present:NoSchedule",),
    ),
    Machine(
        "dra-h100-8",
        "h100",
        _size(208, 1872),
        {"nvidia.com/gpu.present": "true", "node.kubernetes.io/instance-type": "a3-highgpu-8g"},
        (_TAINT,),
        8,
        ("gpu.nvidia.com", "NVIDIA H100 80GB HBM3", "81559Mi"),
    ),
    Machine(
        "dra-mi300x-8",
        "mi300x",
        _size(96, 1850),
        {},
        ("amd.com/gpu=present:NoSchedule",),
        8,
        ("gpu.amd.com", "AMD_Instinct_MI300X_OAM", "196592Mi"),
    ),
)
MACHINES: Mapping[str, Machine] = {one.kind: one for one in _KINDS}
"""Kind to machine."""


def _device_class(name: str, driver: str, type_: str) -> Plain:
    expression = f"device.driver == '{driver}' && device.attributes['{driver}'].type == '{type_}'"
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": name},
        "spec": {"selectors": [{"cel": {"expression": expression}}]},
    }


CLASSES: tuple[Plain, ...] = (
    _device_class("gpu.nvidia.com", "gpu.nvidia.com", "gpu"),
    _device_class("mig.nvidia.com", "gpu.nvidia.com", "mig"),
    _device_class("gpu.amd.com", "gpu.amd.com", "amdgpu"),
)
"""The DeviceClasses that the drivers of ``MACHINES`` install."""


def node(machine: Machine, number: int, *, typed: bool = True) -> Plain:
    """A Node of a fleet.

    Args:
        machine: Its kind.
        number: From 0; where it stands follows from it.
        typed: Whether an administrator has given it a ``gpu-type``.
    """
    name = f"{machine.kind}-{number:03d}"
    capacity = {"pods": "110", "ephemeral-storage": "500Gi", **machine.capacity}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "type": "kwok",
        "topology.kubernetes.io/region": "region-1",
        "topology.kubernetes.io/zone": f"region-1{'abc'[number // 16 % 3]}",
        BLOCK: f"{machine.kind}-block-{number // 16}",
        RACK: f"{machine.kind}-rack-{number // 4}",
        **({"gpu-type": machine.type} if typed and machine.type else {}),
        **machine.labels,
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"taints": [_taint(one) for one in machine.taints]},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "addresses": [
                {"type": "InternalIP", "address": _address(machine, number)},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {"kubeletVersion": "v1.37.2", "operatingSystem": "linux", "architecture": "amd64"},
        },
    }


def slices(machine: Machine, number: int) -> list[Plain]:
    """The ResourceSlices that a node's DRA driver publishes; none for a device plug-in."""
    if not machine.devices:
        return []
    name = f"{machine.kind}-{number:03d}"
    driver, product, memory = machine.dra
    type_ = "gpu" if driver == "gpu.nvidia.com" else "amdgpu"
    devices = [
        {
            "name": f"gpu-{index}",
            "attributes": {
                "type": {"string": type_},
                "productName": {"string": product},
                "uuid": {"string": f"GPU-{name}-{index}"},
            },
            "capacity": {"memory": {"value": memory}},
        }
        for index in range(machine.devices)
    ]
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    return [
        {
            "apiVersion": "resource.k8s.io/v1",
            "kind": "ResourceSlice",
            "metadata": {"name": f"{name}-{driver}"},
            "spec": {"driver": driver, "nodeName": name, "pool": pool, "devices": devices},
        }
    ]


def _address(machine: Machine, number: int) -> str:
    kind = list(MACHINES).index(machine.kind)
    return f"10.{kind}.{number // 250}.{number % 250 + 1}"


def _taint(text: str) -> dict[str, str]:
    assignment, _, effect = text.rpartition(":")
    key, _, value = assignment.partition("=")
    return {"key": key, "value": value, "effect": effect}
