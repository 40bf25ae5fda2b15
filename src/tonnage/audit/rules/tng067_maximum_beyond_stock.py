"""More replicas than there are GPUs.

What it finds:
    A maximum that the nodes given cannot hold when they are empty, or that a ResourceQuota of the
    namespace does not allow.
Why it matters:
    The last replicas stay Pending when they are needed most, and while they do the autoscaler counts them.
    Source: kubernetes#79158; kubernetes.io/docs/concepts/policy/resource-quotas.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, resources: {limits: {nvidia.com/gpu: 1}}}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
    ---
    apiVersion: v1
    kind: ResourceQuota
    metadata: {name: team}
    spec: {hard: {requests.nvidia.com/gpu: 8}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, resources: {limits: {nvidia.com/gpu: 1}}}]}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 8
    ---
    apiVersion: v1
    kind: ResourceQuota
    metadata: {name: team}
    spec: {hard: {requests.nvidia.com/gpu: 8}}
How to fix:
    Lower maxReplicas to what fits, or add nodes or quota.
Limits:
    Needs nodes or quotas. What other pods take is not counted; of quotas only GPUs are compared. Node pools
    count with their largest size.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    target, wanted = autoscaler.target, autoscaler.replicas_max
    if target is None or wanted is None:
        return
    field = ("spec", "maxReplicas" if autoscaler.is_hpa else "maxReplicaCount")
    for namespace, left in autoscaler.context.quotas:
        for name, each in target.gpus.items():
            bound = left.get(f"requests.{name}")
            if namespace == autoscaler.item.namespace and bound is not None and wanted * each > bound.value:
                yield Hit(field, f"{wanted} replicas take {wanted * each} {name}, the quota leaves {bound}")
                return
    room = target.room(wanted)
    if room is not None and 0 < room < wanted:
        yield Hit(field, f"the nodes can run {room} of {wanted} replicas")


RULE = Rule("TNG067", "error", "autoscaler", _check, __doc__)
