"""GPU resource that no device plug-in registers.

What it finds:
    Names such as intel.com/gpu, nvidia.com/gpus or plain gpu.
Why it matters:
    No node has such a resource, so the pod stays Pending for ever and nothing says that the name is wrong.
    Source: intel/intel-device-plugins-for-kubernetes cmd/gpu_plugin (gpu.intel.com/i915, gpu.intel.com/xe),
    NVIDIA/k8s-device-plugin, ROCm/k8s-device-plugin.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          limits:
            intel.com/gpu: 1
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          limits:
            gpu.intel.com/i915: 1
How to fix:
    Use the name that the vendor's plug-in registers: nvidia.com/gpu, amd.com/gpu, gpu.intel.com/i915 or xe.
Limits:
    A plug-in may be set up to register other names; with --nodes, a name that a node has is never reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule

_MEANT: Final[Mapping[str, str]] = {
    "alpha.kubernetes.io/nvidia-gpu": "nvidia.com/gpu",
    "amd.com/gpus": "amd.com/gpu",
    "amd/gpu": "amd.com/gpu",
    "gpu": "nvidia.com/gpu",
    "gpu.amd.com/gpu": "amd.com/gpu",
    "gpu.nvidia.com/gpu": "nvidia.com/gpu",
    "gpus": "nvidia.com/gpu",
    "intel.com/gpu": "gpu.intel.com/i915",
    "intel.com/i915": "gpu.intel.com/i915",
    "intel.com/xe": "gpu.intel.com/xe",
    "nvidia.com/gpus": "nvidia.com/gpu",
    "nvidia.com/GPU": "nvidia.com/gpu",
    "nvidia/gpu": "nvidia.com/gpu",
}


def _check(container: Container) -> Iterator[Hit]:
    known = {name for node in container.workload.context.nodes for name, _ in node.allocatable.scalars}
    told: set[str] = set()
    for which in ("limits", "requests"):
        for name in container.amounts(which):
            meant = _MEANT.get(name)
            if meant is not None and name not in known | told:
                told.add(name)
                path = (*container.path, "resources", which, name)
                yield Hit(path, f"{name} is registered by no device plug-in; {meant} is meant")


RULE = Rule("TNG004", "error", "container", _check, __doc__)
