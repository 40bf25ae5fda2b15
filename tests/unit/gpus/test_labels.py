"""What others write into labels is read, whoever wrote it."""

from __future__ import annotations

import pytest

from tonnage.gpus.labels import LABELS, identify, mig_profiles, short_name
from tonnage.gpus.vendors import gpu_resource, vendor_of_driver


@pytest.mark.parametrize(
    ("product", "short"),
    [
        ("NVIDIA-A100-SXM4-80GB", "a100"),
        ("NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "a100"),
        ("A100_NVLINK_80GB", "a100"),
        ("nvidia-tesla-a100", "a100"),
        ("Tesla-T4", "t4"),
        ("Tesla-T4-SHARED", "t4"),
        ("Tesla-V100-SXM2-16GB", "v100"),
        ("NVIDIA-H100-80GB-HBM3", "h100"),
        ("NVIDIA-H200-NVL", "h200"),
        ("nvidia-l4", "l4"),
        ("NVIDIA-L40S", "l40s"),
        ("NVIDIA-RTX-6000-Ada-Generation", "rtx-6000-ada"),
        ("NVIDIA-GeForce-RTX-4090", "rtx-4090"),
        ("AMD_Instinct_MI300X_OAM", "mi300x"),
        ("Max_1550", "max-1550"),
        ("Intel-Gaudi-2-96GB", "gaudi-2"),
        ("A100", "a100"),
        ("NVIDIA", "nvidia"),
    ],
)
def test_one_gpu_has_one_short_name(product: str, short: str) -> None:
    """Vendor, form factor and memory are left out, unless nothing else is there."""
    assert short_name(product) == short


@pytest.mark.parametrize("one", LABELS, ids=lambda one: one.key)
def test_each_label_of_the_table_is_read(one) -> None:
    """The product, its short name, and who wrote it come out of each label alone."""
    found = identify({one.key: "NVIDIA-A100-SXM4-80GB", "other": "x"})
    assert (found.product, found.short, found.key, found.writer) == (
        "NVIDIA-A100-SXM4-80GB", "a100", one.key, one.writer,
    )  # fmt: skip
    assert found.memory_mib == 80 * 1024
    assert one.source


@pytest.mark.parametrize(
    ("labels", "short", "memory_mib"),
    [
        ({"nvidia.com/gpu.product": "Tesla-T4", "nvidia.com/gpu.memory": "15360"}, "t4", 15360),
        ({"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "amd.com/gpu.vram": "192G"}, "mi300x", 196608),
        ({"beta.amd.com/gpu.product-name.AMD_Instinct_MI250": "4"}, "mi250", None),
        ({"karpenter.k8s.aws/instance-gpu-name": "t4", "karpenter.k8s.aws/instance-gpu-memory": "16384"}, "t4", 16384),
        ({"node.kubernetes.io/instance-type": "p4d.24xlarge"}, "a100", None),
        ({"node.kubernetes.io/instance-type": "g6e.xlarge"}, "l40s", None),
        ({"node.kubernetes.io/instance-type": "p5en.48xlarge"}, "h200", None),
        ({"node.kubernetes.io/instance-type": "p5.48xlarge"}, "h100", None),
        ({"node.kubernetes.io/instance-type": "a3-megagpu-8g"}, "h100", None),
        ({"node.kubernetes.io/instance-type": "Standard_ND96isr_H100_v5"}, "h100", None),
        ({"node.kubernetes.io/instance-type": "Standard_NC4as_T4_v3"}, "t4", None),
        ({"node.kubernetes.io/instance-type": "m5.large"}, "", None),
        ({}, "", None),
    ],
)
def test_type_and_memory_come_from_whoever_says_them(labels, short, memory_mib) -> None:
    """Memory has a label of its own with some; with others it stands in the product."""
    found = identify(labels)
    assert (found.short, found.memory_mib) == (short, memory_mib)


def test_what_the_device_says_goes_before_what_the_cloud_says() -> None:
    """Feature discovery read the device; a label of the machine comes second."""
    labels = {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4", "nvidia.com/gpu.product": "Tesla-V100-SXM2-16GB"}
    assert identify(labels).short == "v100"


def test_mig_slices_of_both_strategies() -> None:
    """With mixed strategy each profile has a count; with single all GPUs are cut alike."""
    assert mig_profiles({"nvidia.com/mig-1g.10gb.count": "7", "nvidia.com/mig-3g.40gb.count": "2"}) == {
        "1g.10gb": 7, "3g.40gb": 2,
    }  # fmt: skip
    single = {"nvidia.com/gpu.product": "A100-SXM4-40GB-MIG-1g.5gb", "nvidia.com/gpu.count": "56"}
    assert mig_profiles(single) == {"1g.5gb": 56}
    assert mig_profiles({"nvidia.com/gpu.product": "A100-SXM4-40GB", "nvidia.com/gpu.count": "8"}) == {}


@pytest.mark.parametrize(
    ("name", "vendor", "kind", "profile"),
    [
        ("nvidia.com/gpu", "nvidia", "gpu", ""),
        ("nvidia.com/gpu.shared", "nvidia", "shared", ""),
        ("nvidia.com/mig-1g.10gb", "nvidia", "mig", "1g.10gb"),
        ("amd.com/gpu", "amd", "gpu", ""),
        ("amd.com/cpx_nps4", "amd", "partition", "cpx_nps4"),
        ("gpu.intel.com/i915", "intel", "gpu", ""),
        ("gpu.intel.com/xe", "intel", "gpu", ""),
        ("habana.ai/gaudi", "intel", "gpu", ""),
    ],
)
def test_resources_that_count_gpus(name, vendor, kind, profile) -> None:
    """Each vendor's resource is known, whole or sliced."""
    found = gpu_resource(name)
    assert found is not None
    assert (found.vendor, found.kind, found.profile) == (vendor, kind, profile)


@pytest.mark.parametrize("name", ["cpu", "example.com/nic", "gpu.intel.com/xe_monitoring", "nvidia.com/gpumem"])
def test_other_resources_count_none(name) -> None:
    """What a vendor registers beside GPUs is none."""
    assert gpu_resource(name) is None


def test_drivers_are_known_by_name() -> None:
    """The vendors' DRA drivers and classes, and nobody else's."""
    names = ("gpu.nvidia.com", "mig.nvidia.com", "gpu.amd.com", "gpu.intel.com", "dra.example.com")
    assert [vendor_of_driver(name) for name in names] == ["nvidia", "nvidia", "amd", "intel", ""]
