"""More replicas than the nodes hold.

What it finds:
    A fixed number of replicas of which the nodes given, when empty, can run only some.
Why it matters:
    The others stay Pending, and the load comes to the ones that run.
    Source: k8s.io/kubernetes v1.37.2 pkg/scheduler.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 10
      template:
        spec:
          containers:
          - name: server
            resources: {limits: {nvidia.com/gpu: 1}}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1}
    status: {allocatable: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 4}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 4
      template:
        spec:
          containers:
          - name: server
            resources: {limits: {nvidia.com/gpu: 1}}
    ---
    apiVersion: v1
    kind: Node
    metadata: {name: n1}
    status: {allocatable: {cpu: 16, memory: 64Gi, nvidia.com/gpu: 4}}
How to fix:
    Lower the replicas, or add nodes; tonnage plan says how many of which type.
Limits:
    Needs nodes. An autoscaler's maximum is TNG067's; up to 500 replicas are placed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if not workload.is_replicated or workload.autoscaler is not None or workload.replicas_min < 2:
        return
    wanted = workload.replicas_min
    room = workload.room(wanted)
    if room is not None and 0 < room < wanted:
        yield Hit(("spec", "replicas"), f"the nodes can run {room} of {wanted} replicas")


RULE = Rule("TNG024", "error", "workload", _check, __doc__)
