"""Any type of GPU will do.

What it finds:
    A pod that asks for a GPU without saying which: no node selector, no node affinity and no claim.
Why it matters:
    In a cluster with several types, replicas land on T4s and A100s alike. Their latencies differ several
    times, and a target that was measured on one holds on no other.
    Source: kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus, clusters containing different types of GPUs.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Select the type by the label that the nodes have, such as nvidia.com/gpu.product.
Limits:
    With --nodes that all have one type, nothing is reported. MIG profiles name their size themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule

_LABELS: Final = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "amd.com/gpu.product-name",
    "gpu-type",
    "node.kubernetes.io/instance-type",
)


def _check(workload: Workload) -> Iterator[Hit]:
    whole = [name for name in workload.gpus if "/mig-" not in name and not name.startswith("deviceclass.")]
    chosen = workload.at("nodeSelector") or workload.at("affinity", "nodeAffinity") or workload.at("nodeName")
    if not whole or chosen or workload.claims_devices:
        return
    having = [node for node in workload.context.nodes if set(whole) <= set(dict(node.allocatable.scalars))]
    types = {tuple(node.labels.get(label, "") for label in _LABELS) for node in having}
    if not having or len(types) > 1:
        yield Hit((*workload.path, "nodeSelector"), f"the pod takes {whole[0]} of any type and speed")


RULE = Rule("TNG021", "info", "workload", _check, __doc__)
