"""GPU nodes tolerated without asking for a GPU.

What it finds:
    A pod that tolerates a GPU taint and asks for no GPU.
Why it matters:
    The taint keeps GPU nodes free for pods that need them. This one may fill their CPU and memory, and then
    GPUs stay idle because nothing fits beside it.
    Source: volcano#3948, koordinator#2769 (fragments of GPU nodes).
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: gateway}
    spec:
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      containers: [{name: proxy}]
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: gateway}
    spec:
      containers: [{name: proxy}]
How to fix:
    Remove the toleration, or ask for the GPU in limits.
Limits:
    DaemonSets are left out, as device plug-ins and exporters belong on every GPU node.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload, is_gpu
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind == "DaemonSet" or workload.gpus or workload.claims_devices or workload.is_kserve:
        return
    for path, toleration in workload.listed("tolerations"):
        key = toleration.get("key")
        if isinstance(key, str) and is_gpu(key):
            yield Hit(path, f"the pod may fill GPU nodes ({key}) and asks for no GPU")


RULE = Rule("TNG022", "warning", "workload", _check, __doc__)
