"""Fixed replicas beside an autoscaler.

What it finds:
    A Deployment or StatefulSet with spec.replicas whose replicas an autoscaler sets.
Why it matters:
    Every apply of the manifest throws the service back to that number, in the middle of a load that needed
    more, and the autoscaler begins anew.
    Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, migrating Deployments.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 10
      template:
        spec: {containers: [{name: server}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
How to fix:
    Remove spec.replicas.
Limits:
    The first apply after the removal sets 1 replica unless the field's owner is given up first; the page of
    the source says how.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    path = ("spec", "replicas")
    hpa, said = workload.autoscaler, workload.item.at(*path)
    if workload.is_replicated and hpa is not None and isinstance(said, int) and said > 0:
        message = f"every apply sets replicas to {said}, whatever {hpa.item.reference} has decided"
        yield Hit(path, message, (Change(path, remove=True),))


RULE = Rule("TNG060", "warning", "workload", _check, __doc__)
