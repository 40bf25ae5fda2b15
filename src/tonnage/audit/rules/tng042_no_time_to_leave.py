"""Stops before it has left the endpoints.

What it finds:
    A Deployment or StatefulSet that a Service selects, none of whose containers has a preStop hook.
Why it matters:
    SIGTERM and the removal from endpoints happen at once and know nothing of each other. For a second or more
    requests still come to a server that has closed its port, at every scale-down and rollout.
    Source: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle, termination; knative/serving#3759.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        metadata: {labels: {app: ranker}}
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            lifecycle: {preStop: {sleep: {seconds: 5}}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}}
How to fix:
    Sleep some seconds in preStop, or use a server that serves on after SIGTERM, and excuse the finding.
Limits:
    What a server does at SIGTERM cannot be seen; Tonnage's own is known to serve on and is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule
from tonnage.contract.autoscaling import MANAGED_BY, MANAGED_BY_LABEL


def _check(workload: Workload) -> Iterator[Hit]:
    ours = workload.pod_labels.get(MANAGED_BY_LABEL) == MANAGED_BY
    if ours or workload.item.kind not in ("Deployment", "StatefulSet") or not workload.services:
        return
    if workload.replicas_max > 1 and all(not one.at("lifecycle", "preStop") for one in workload.containers):
        path = (*workload.path, "containers", 0, "lifecycle")
        yield Hit(path, "requests still come for a moment after SIGTERM, and nothing waits for that")


RULE = Rule("TNG042", "warning", "workload", _check, __doc__)
