"""Autoscaler that counts pods of others.

What it finds:
    An HPA whose target selects pods of another workload too.
Why it matters:
    The HPA takes its pods by the target's selector. The others' load, or their idling, is counted in: it
    stays at the maximum below its target, or never scales.
    Source: kubernetes#120875, #78761; k8s.io/kubernetes v1.37.2
    pkg/controller/podautoscaler/replica_calculator.go.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      selector: {matchLabels: {app: ranker}}
      template:
        metadata: {labels: {app: ranker}}
        spec: {containers: [{name: server}]}
    ---
    apiVersion: batch/v1
    kind: Job
    metadata: {name: backfill}
    spec:
      template:
        metadata: {labels: {app: ranker, job: backfill}}
        spec: {containers: [{name: job}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 3, maxReplicas: 50}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      selector: {matchLabels: {app: ranker, role: server}}
      template:
        metadata: {labels: {app: ranker, role: server}}
        spec: {containers: [{name: server}]}
    ---
    apiVersion: batch/v1
    kind: Job
    metadata: {name: backfill}
    spec:
      template:
        metadata: {labels: {app: ranker, role: backfill}}
        spec: {containers: [{name: job}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec: {scaleTargetRef: {kind: Deployment, name: ranker}, minReplicas: 3, maxReplicas: 50}
How to fix:
    Give each workload a label that no other has, and select by it.
Limits:
    Only workloads among the objects are compared.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    target = autoscaler.target
    if target is None or target.selector is None:
        return
    for other in autoscaler.context.workloads:
        if other.item is not target.item and other.is_picked(target.selector, target.item.namespace):
            message = f"the selector of {target.item.reference} picks pods of {other.item.reference} too"
            yield Hit(("spec", "scaleTargetRef"), message)
            return


RULE = Rule("TNG071", "error", "autoscaler", _check, __doc__)
