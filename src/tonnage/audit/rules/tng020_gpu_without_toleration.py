"""GPU asked for, GPU nodes not tolerated.

What it finds:
    A pod that asks for a GPU and does not tolerate the taint that keeps other pods off GPU nodes.
Why it matters:
    GPU nodes usually carry a taint with the resource's name. Without the toleration the pod stays Pending,
    beside free GPUs, unless an admission plug-in adds it.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration, nodes with special hardware;
    plugin/pkg/admission/extendedresourcetoleration.
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
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Add a toleration whose key is the resource's name, with operator Exists and effect NoSchedule.
Limits:
    Without --nodes the usual taint is assumed; with them only taints that the nodes have are reported. A
    cluster with the admission plug-in ExtendedResourceToleration needs no toleration; a pod whose node
    selector is GKE's is passed, because GKE is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    for resource in workload.gpus:
        key = "nvidia.com/gpu" if resource.startswith("nvidia.com/mig-") else resource
        if key.startswith("deviceclass.") or workload.is_kserve or _on_gke(workload):
            continue
        having = [node for node in workload.context.nodes if resource in dict(node.allocatable.scalars)]
        keys = {taint.key for node in having for taint in node.taints if taint.effect == "NoSchedule"}
        if (having and key not in keys) or _tolerated(workload, key):
            continue
        toleration = {"key": key, "operator": "Exists", "effect": "NoSchedule"}
        index = len(list(workload.listed("tolerations")))
        change = Change((*workload.path, "tolerations", index), toleration)
        yield Hit(
            (*workload.path, "tolerations"),
            f"the pod asks for {resource} and does not tolerate the taint {key} of nodes that have it",
            (change,),
            None if having else "info",
        )


def _on_gke(workload: Workload) -> bool:
    selector = workload.at("nodeSelector")
    names = selector if isinstance(selector, Mapping) else {}
    return any(str(name).startswith("cloud.google.com/gke") for name in names)


def _tolerated(workload: Workload, key: str) -> bool:
    return any(one.get("key") in (key, None, "") for _, one in workload.listed("tolerations"))


RULE = Rule("TNG020", "warning", "workload", _check, __doc__)
