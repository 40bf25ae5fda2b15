"""Killed before the longest request is done.

What it finds:
    A terminationGracePeriodSeconds that is shorter than the preStop hook and the longest measured request.
Why it matters:
    Whatever is still in flight is cut off, at every scale-down and rollout.
    Source: kthena#1589, gpustack#6059, dstack#2656; kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle.
Given:
    request_s_max=45
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 30
          containers:
          - name: server
            ports: [{containerPort: 8080}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          terminationGracePeriodSeconds: 60
          containers:
          - name: server
            ports: [{containerPort: 8080}]
How to fix:
    Give preStop, the longest request and a few seconds more.
Limits:
    Needs --profile. A preStop hook that is no sleep counts nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    longest_s = workload.context.measured.request_s_max
    if longest_s is None or not workload.serves:
        return
    sleep_s = max((one.pre_stop_sleep_s for one in workload.containers), default=0.0)
    needed_s = sleep_s + longest_s
    if workload.grace_s < needed_s:
        path = (*workload.path, "terminationGracePeriodSeconds")
        message = f"pods are killed after {workload.grace_s} s, and need {needed_s:g} s to end their requests"
        yield Hit(path, message, (Change(path, int(needed_s) + 10),))


RULE = Rule("TNG041", "error", "workload", _check, __doc__)
