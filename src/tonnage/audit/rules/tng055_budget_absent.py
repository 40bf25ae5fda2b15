"""Several replicas and no disruption budget.

What it finds:
    A workload that serves, with two or more replicas, none of whose pods a PodDisruptionBudget selects.
Why it matters:
    A drain or the cluster autoscaler may evict all replicas at once, and models take long to load.
    Source: kubernetes.io/docs/concepts/workloads/pods/disruptions.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 3
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 3
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
    ---
    apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: ranker}
    spec:
      maxUnavailable: 1
      unhealthyPodEvictionPolicy: AlwaysAllow
      selector: {matchLabels: {app: ranker}}
How to fix:
    Add a PodDisruptionBudget with maxUnavailable 1.
Limits:
    A budget in another file that was not given is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.replicas_min >= 2 and workload.serves and not workload.budgets:
        yield Hit(("spec",), f"a drain may evict all {workload.replicas_min} replicas at once")


RULE = Rule("TNG055", "info", "workload", _check, __doc__)
