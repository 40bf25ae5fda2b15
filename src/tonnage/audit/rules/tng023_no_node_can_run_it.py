"""No node can run it.

What it finds:
    A pod that fits on none of the nodes given, even if they were empty.
Why it matters:
    It stays Pending for ever. The scheduler's own words say why; they are computed by its own rules.
    Source: k8s.io/kubernetes v1.37.2 pkg/scheduler (NodeResourcesFit, TaintToleration, NodeAffinity).
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      nodeSelector: {gpu-type: a100}
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 8}}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1, labels: {gpu-type: a100}}
    status: {allocatable: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 4}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      nodeSelector: {gpu-type: a100}
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 4}}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1, labels: {gpu-type: a100}}
    status: {allocatable: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 4}}
How to fix:
    Make requests, selectors and tolerations match a node, or add such nodes.
Limits:
    Needs nodes. Pods that run already are not counted; volumes and device claims are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    refusal = None if workload.claims_devices or workload.is_kserve else workload.refusal()
    if refusal is not None:
        yield Hit(workload.path, f"no node can run the pod: {refusal}")


RULE = Rule("TNG023", "error", "workload", _check, __doc__)
