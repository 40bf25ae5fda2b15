"""GPU by claim and by resource at once.

What it finds:
    A pod that has a resource claim and asks for a GPU as an extended resource too.
Why it matters:
    A claim of dynamic resource allocation and a device plug-in's resource are two counters of the same
    hardware: the pod takes two GPUs, or waits for a node that has both.
    Source: kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      resourceClaims: [{name: gpu, resourceClaimTemplateName: one-gpu}]
      containers:
      - name: server
        resources:
          claims: [{name: gpu}]
          limits: {nvidia.com/gpu: 1}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      resourceClaims: [{name: gpu, resourceClaimTemplateName: one-gpu}]
      containers:
      - name: server
        resources:
          claims: [{name: gpu}]
How to fix:
    Keep one of the two.
Limits:
    A claim may be for something else, such as a network device; excuse it then.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.claims_devices and workload.gpus:
        names = ", ".join(workload.gpus)
        yield Hit((*workload.path, "resourceClaims"), f"the pod has a resource claim beside {names}")


RULE = Rule("TNG011", "warning", "workload", _check, __doc__)
