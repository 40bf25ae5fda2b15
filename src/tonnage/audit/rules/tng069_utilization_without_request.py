"""Utilization of a resource that is not requested.

What it finds:
    An HPA on utilization of CPU or memory, where a container of its target requests none.
Why it matters:
    Utilization is a share of the request. With one container without a request the HPA reports
    FailedGetResourceMetric and does not scale.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/replica_calculator.go,
    calculatePodRequests.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - {name: server, resources: {requests: {cpu: 2}}}
          - {name: proxy}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - {name: server, resources: {requests: {cpu: 2}}}
          - {name: proxy, resources: {requests: {cpu: 100m}}}
    ---
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}]
How to fix:
    Request the resource in every container, or use a ContainerResource metric of the one that serves.
Limits:
    A LimitRange of the namespace may fill it in; that is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    target = autoscaler.target
    for metric in autoscaler.metrics if target is not None else ():
        if metric.type != "Resource" or metric.target.get("averageUtilization") is None or target is None:
            continue
        without = [one.name for one in target.containers if one.requested(metric.name) is None]
        if without and target.at("resources", "requests", metric.name) is None:
            yield Hit(metric.path, f"container {without[0]} requests no {metric.name}, so there is no number")


RULE = Rule("TNG069", "error", "autoscaler", _check, __doc__)
