"""Bound to one node by name.

What it finds:
    spec.nodeName in a pod or a pod template.
Why it matters:
    The scheduler is not asked: the pod is put there even if nothing is free, is failed by the kubelet then,
    and has nowhere to go when that node is gone.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node, nodeName.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          nodeName: gpu-1
          containers: [{name: server}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          nodeSelector: {gpu-type: a100}
          containers: [{name: server}]
How to fix:
    Select nodes by a label.
Limits:
    Bare pods are left out: a running pod has a node.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind != "Pod" and workload.at("nodeName"):
        yield Hit(
            (*workload.path, "nodeName"), "the pods can run on one node only, and nobody asks if it is free"
        )


RULE = Rule("TNG025", "warning", "workload", _check, __doc__)
