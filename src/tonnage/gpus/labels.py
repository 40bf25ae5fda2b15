"""Which GPU a node has, by what others wrote into its labels, and a short name for it.

A product has as many spellings as there are labellers: ``NVIDIA-A100-SXM4-80GB``, ``nvidia-tesla-a100``,
``A100_NVLINK_80GB``, ``a100``. The short name leaves out vendor, form factor and memory, so that all of these
are ``a100``, which is what people write into ``gpu-type`` labels and what our documents ask for.

Labels are looked at in the order of ``LABELS``: first what software on the node read from the device, then
what a cloud or autoscaler says of the machine, and last the name of the instance type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

TYPE_LABEL: Final = "gpu-type"
"""The label that our documents select by unless they name another one (``spec.resources.gpu.typeLabel``)."""
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"


@dataclass(frozen=True, slots=True)
class Labeller:
    """A label whose value names the GPU.

    Attributes:
        key: The label.
        writer: Who writes it.
        source: Where that is said.
    """

    key: str
    writer: str
    source: str


LABELS: Final = (
    Labeller(
        "nvidia.com/gpu.product",
        "NVIDIA GPU feature discovery",
        "NVIDIA/k8s-device-plugin docs/gpu-feature-discovery/README.md",
    ),
    Labeller(
        "amd.com/gpu.product-name",
        "AMD node labeller",
        "ROCm/k8s-device-plugin cmd/k8s-node-labeller/README.md",
    ),
    Labeller(
        "beta.amd.com/gpu.product-name",
        "AMD node labeller",
        "ROCm/k8s-device-plugin cmd/k8s-node-labeller/main.go",
    ),
    Labeller(
        "gpu.intel.com/product",
        "Intel's rules for node feature discovery",
        "intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin/labels.md",
    ),
    Labeller(
        "habana.ai/product.name",
        "Intel Gaudi feature discovery",
        "llm-d/llm-d-workload-variant-autoscaler internal/discovery (Intel's own pages do not list it)",
    ),
    Labeller(
        "gpu.nvidia.com/model",
        "CoreWeave",
        "docs.coreweave.com, CKS node labels",
    ),
    Labeller(
        "gpu.nvidia.com/class",
        "CoreWeave",
        "skypilot-org/skypilot sky/provision/kubernetes/utils.py, CoreWeaveLabelFormatter",
    ),
    Labeller(
        "cloud.google.com/gke-accelerator",
        "Google Kubernetes Engine",
        "cloud.google.com/kubernetes-engine/docs, Run GPUs in GKE Standard node pools",
    ),
    Labeller(
        "karpenter.k8s.aws/instance-gpu-name",
        "Karpenter on AWS",
        "aws/karpenter-provider-aws website, Scheduling, Well-Known Labels",
    ),
    Labeller(
        "eks.amazonaws.com/instance-gpu-name",
        "EKS Auto Mode",
        "docs.aws.amazon.com/eks, EKS Auto Mode supported labels",
    ),
    Labeller(
        "k8s.amazonaws.com/accelerator",
        "users of EKS, for the cluster autoscaler",
        "kubernetes/autoscaler cluster-autoscaler/cloudprovider/aws (GPULabel)",
    ),
    Labeller(
        "karpenter.azure.com/sku-gpu-name",
        "AKS node auto-provisioning",
        "learn.microsoft.com/azure/aks, node auto-provisioning, SKU selectors",
    ),
    Labeller(
        "doks.digitalocean.com/gpu-model",
        "DigitalOcean Kubernetes",
        "docs.digitalocean.com/products/kubernetes, automatically applied labels",
    ),
    Labeller(
        "aliyun.accelerator/nvidia_name",
        "Alibaba Cloud Container Service",
        "AliyunContainerService/gpushare-device-plugin pkg/gpu/nvidia; alibabacloud.com/help/ack",
    ),
)
"""Labels whose value is a product; ``kubernetes.azure.com/accelerator`` is not here, it says ``nvidia``."""
LABEL_KEYS: Final = frozenset(one.key for one in LABELS)
_INSTANCE: Final = Labeller(INSTANCE_TYPE, "the name of the instance type", "")
_BY_LABEL_NAME: Final = "beta.amd.com/gpu.product-name."
"""The older AMD labels carry the value in the key, with how many GPUs have it as the label's value."""

_MEMORY_MIB: Final = (
    "nvidia.com/gpu.memory", "karpenter.k8s.aws/instance-gpu-memory", "eks.amazonaws.com/instance-gpu-memory",
    "habana.ai/device.memory",
)  # fmt: skip
_MEMORY_TEXT: Final = ("amd.com/gpu.vram", "beta.amd.com/gpu.vram", "aliyun.accelerator/nvidia_mem")
_MEMORY_IN: Final = re.compile(r"(\d+)\s*(M|MB|MiB|G|GB|GiB)", re.IGNORECASE)
_IN_PRODUCT: Final = re.compile(r"(?:^|[-_ ])(\d{2,3})gb(?:$|[-_ ])", re.IGNORECASE)

_SUFFIX: Final = re.compile(r"[-_ ](shared|mig[-_].*)$", re.IGNORECASE)
_NOISE: Final = re.compile(
    r"nvidia|tesla|amd|instinct|intel|geforce|radeon|gpu|graphics|generation|ampere|hopper|volta|turing|pascal"
    r"|sxm\d?|pcie?|nvlink|nvl|oam|hbm\d\w?|\d+gi?b?|hl|series|habana"
)
_INSTANCE_TYPES: Final = (
    # Source: aws.amazon.com/ec2/instance-types, accelerated computing
    (r"p3(dn)?\.", "v100"), (r"p4de?\.", "a100"), (r"p5\.", "h100"), (r"p5en?\.", "h200"),
    (r"p6-b200\.", "b200"), (r"p6-b300\.", "b300"), (r"g4dn\.", "t4"), (r"g5\.", "a10g"), (r"gr?6\.", "l4"),
    (r"g6e\.", "l40s"), (r"dl1\.", "gaudi"),
    # Source: cloud.google.com/compute/docs/gpus, GPU machine types
    (r"a2-", "a100"), (r"a3-(high|mega|edge)gpu-", "h100"), (r"a3-ultragpu-", "h200"),
    (r"a4-", "b200"), (r"g2-standard-", "l4"),
    # Source: learn.microsoft.com/azure/virtual-machines/sizes, GPU accelerated
    (r"Standard_N[A-Z]*\d+\w*_(A100|H100|H200|A10|T4|MI300X)_v\d", ""), (r"Standard_ND\d+asr_v4", "a100"),
    (r"Standard_NC\d+r?s_v3", "v100"),
)  # fmt: skip
"""Beginnings of instance types that have one type of GPU; empty takes the first group of the match."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which GPU a node has.

    Attributes:
        product: As the label says it; empty when none does.
        short: The short name; empty when it is not known.
        memory_mib: Memory of one GPU, or of one slice where all are sliced alike [MiB]; None when not known.
        key: The label that says it.
        writer: Who writes that label.
    """

    product: str = ""
    short: str = ""
    memory_mib: int | None = None
    key: str = ""
    writer: str = ""


def identify(labels: Mapping[str, str]) -> Identity:
    """Which GPU the labels of a node name."""
    for one in LABELS:
        if labels.get(one.key):
            return _identity(labels[one.key], labels, one)
    for key in sorted(labels):
        if key.startswith(_BY_LABEL_NAME):
            return _identity(key.removeprefix(_BY_LABEL_NAME), labels, Labeller(key, "AMD node labeller", ""))
    found = _of_instance_type(labels.get(INSTANCE_TYPE, ""))
    if not found:
        return Identity()
    return Identity(found, found, _memory_mib(labels), _INSTANCE.key, _INSTANCE.writer)


def _identity(product: str, labels: Mapping[str, str], by: Labeller) -> Identity:
    memory_mib = _memory_mib(labels)
    in_product = _IN_PRODUCT.search(product)
    if memory_mib is None and in_product is not None:
        memory_mib = int(in_product[1]) * 1024
    return Identity(product, short_name(product), memory_mib, by.key, by.writer)


def short_name(product: str) -> str:
    """A product without vendor, form factor and memory, in lower case, as ``a100`` or ``rtx-6000-ada``.

    Args:
        product: As a label names it, such as ``NVIDIA-A100-SXM4-80GB-SHARED``.
    """
    bare = _SUFFIX.sub("", product)
    words = [word for word in re.split(r"[^a-z0-9.]+", bare.lower()) if word]
    kept = [word for word in words if not _NOISE.fullmatch(word)]
    return "-".join(kept or words)


def _memory_mib(labels: Mapping[str, str]) -> int | None:
    for key in _MEMORY_MIB:
        if labels.get(key, "").isdecimal():
            return int(labels[key])
    for key in _MEMORY_TEXT:
        found = _MEMORY_IN.fullmatch(labels.get(key, ""))
        if found is not None:
            return int(found[1]) * (1024 if found[2].lower().startswith("g") else 1)
    return None


def _of_instance_type(name: str) -> str:
    for pattern, short in _INSTANCE_TYPES:
        found = re.match(pattern, name)
        if found is not None:
            return short or found[1].lower()
    return ""


def mig_profiles(labels: Mapping[str, str]) -> dict[str, int]:
    """The MIG slices that a node's labels name, with how many there are of each.

    Source: NVIDIA/k8s-device-plugin docs/gpu-feature-discovery/README.md, MIG strategies single and mixed.
    """
    found: dict[str, int] = {}
    for key, value in labels.items():
        mixed = re.fullmatch(r"nvidia\.com/mig-([0-9a-z.]+)\.count", key)
        if mixed is not None and value.isdecimal():
            found[mixed[1]] = int(value)
    single = re.search(r"-MIG-([0-9a-z.]+)", labels.get("nvidia.com/gpu.product", ""))
    if single is not None and labels.get("nvidia.com/gpu.count", "").isdecimal():
        found[single[1]] = int(labels["nvidia.com/gpu.count"])
    return found
