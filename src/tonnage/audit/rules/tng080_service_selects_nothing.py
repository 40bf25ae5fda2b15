"""Service that selects no pod.

What it finds:
    A Service whose selector picks no pod of the workloads given, while it agrees with one of them in some
    label.
Why it matters:
    It has no endpoints, so every request fails. It is usually a label that was renamed on one side.
    Source: kubernetes.io/docs/tasks/debug/debug-application/debug-service.
Bad:
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker, tier: serving}}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker, tier: server}}
        spec: {containers: [{name: server}]}
Good:
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {selector: {app: ranker}}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker, tier: server}}
        spec: {containers: [{name: server}]}
How to fix:
    Select by labels that the pod template has.
Limits:
    Pods that a controller outside of these objects makes are not known, so a disagreement about a label that
    the workload does not have at all, or about its name, is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import KubeService
from tonnage.audit.rule import Hit, Rule


def _check(service: KubeService) -> Iterator[Hit]:
    if not service.labels or service.targets:
        return
    for workload in service.context.workloads:
        labels = workload.pod_labels
        if workload.item.namespace != service.item.namespace or not set(service.labels) <= set(labels):
            continue
        wrong = [key for key, value in service.labels.items() if labels[key] != value]
        if len(wrong) < len(service.labels) and not wrong[0].endswith(("/name", "/component", "/instance")):
            message = f"it picks no pod; {workload.item.reference} has another {wrong[0]}: {labels[wrong[0]]}"
            yield Hit(("spec", "selector"), message)
            return


RULE = Rule("TNG080", "warning", "service", _check, __doc__)
