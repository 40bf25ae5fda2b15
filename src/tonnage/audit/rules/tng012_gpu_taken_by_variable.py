"""GPUs taken by an environment variable.

What it finds:
    NVIDIA_VISIBLE_DEVICES or CUDA_VISIBLE_DEVICES with a fixed value that names devices.
Why it matters:
    NVIDIA_VISIBLE_DEVICES=all gives a container every GPU of its node, those of other pods included, and the
    scheduler does not count it. CUDA_VISIBLE_DEVICES names devices by numbers that differ from node to node.
    Source: NVIDIA/k8s-device-plugin README; kyverno/policies check-nvidia-gpu.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        env: [{name: NVIDIA_VISIBLE_DEVICES, value: all}]
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        env: [{name: NVIDIA_VISIBLE_DEVICES, value: void}]
How to fix:
    Remove the variable and ask for nvidia.com/gpu in limits; the device plug-in sets it.
Limits:
    Variables that come from a ConfigMap or a Secret are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule

_NONE: Final = frozenset({"", "void", "none", "-1"})


def _check(container: Container) -> Iterator[Hit]:
    if container.workload.item.kind == "DaemonSet":
        return
    for path, name, value in container.env:
        if name in ("NVIDIA_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES") and str(value) not in _NONE:
            whole = name == "NVIDIA_VISIBLE_DEVICES"
            if whole or not container.gpus:
                yield Hit(path, f"{name}={value} takes GPUs that the scheduler does not count")


RULE = Rule("TNG012", "warning", "container", _check, __doc__)
