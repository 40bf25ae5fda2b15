"""Update that stops all replicas at once.

What it finds:
    A Deployment of several replicas with strategy Recreate, or with a maxUnavailable that is all of them.
Why it matters:
    Nothing serves from the update until new pods have loaded the model.
    Source: kubernetes.io/docs/concepts/workloads/controllers/deployment, strategy.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 4
      strategy: {type: Recreate}
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 4
      strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
How to fix:
    Use RollingUpdate, with maxSurge 0 and maxUnavailable 1 where nothing is spare.
Limits:
    Single replicas are left out: there it is often the only way.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload, share_of
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    replicas = workload.replicas_min
    if workload.item.kind != "Deployment" or replicas < 2 or not workload.serves:
        return
    recreate = workload.item.at("spec", "strategy", "type") == "Recreate"
    rolling = ("spec", "strategy", "rollingUpdate", "maxUnavailable")
    gone = share_of(workload.item.at(*rolling), replicas, up=False)
    if recreate or (gone is not None and gone >= replicas):
        path = ("spec", "strategy", "type") if recreate else rolling
        yield Hit(path, f"an update stops all {replicas} replicas before a new one is ready")


RULE = Rule("TNG045", "warning", "workload", _check, __doc__)
