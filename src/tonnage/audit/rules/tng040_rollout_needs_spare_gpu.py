"""Rolling update that needs a spare GPU.

What it finds:
    A Deployment with GPUs whose rolling update may take no replica away before its successor is ready. With
    25% (the default) that is so up to three replicas.
Why it matters:
    The new pod waits for a GPU that only the old one could give, and the old one waits for the new pod to be
    ready: the rollout stands still until somebody deletes a pod.
    Source: kserve#4188, #4855; LLMKube#192; seldon-operator#74; k8s.io/kubernetes v1.37.2
    pkg/controller/deployment/util/deployment_util.go, ResolveFenceposts.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      template:
        spec:
          containers:
          - name: server
            resources: {limits: {nvidia.com/gpu: 1}}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 2
      strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}
      template:
        spec:
          containers:
          - name: server
            resources: {limits: {nvidia.com/gpu: 1}}
How to fix:
    Keep a spare GPU, or let one replica go first with maxSurge 0 and maxUnavailable 1.
Limits:
    Without --nodes nobody knows whether a GPU is spare, and the finding is for information; with them it is
    made only where replicas and surge do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Workload, share_of
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind != "Deployment" or not workload.gpus:
        return
    strategy = workload.item.at("spec", "strategy", "type") or "RollingUpdate"
    rolling = workload.item.at("spec", "strategy", "rollingUpdate")
    said = rolling if isinstance(rolling, Mapping) else {}
    replicas = workload.replicas_max
    gone = share_of(said.get("maxUnavailable", "25%"), workload.replicas_min, up=False)
    more = share_of(said.get("maxSurge", "25%"), replicas, up=True)
    if strategy != "RollingUpdate" or gone != 0 or not more:
        return
    room = workload.room(replicas + more)
    if room is None:
        message = f"a rollout stands still unless {more} more replica{'s' if more > 1 else ''} would fit"
        yield Hit(("spec", "strategy"), message, severity="info")
    elif room < replicas + more:
        message = f"a rollout stands still: the nodes can run {room} replicas, it needs {replicas + more}"
        yield Hit(("spec", "strategy"), message)


RULE = Rule("TNG040", "warning", "workload", _check, __doc__)
