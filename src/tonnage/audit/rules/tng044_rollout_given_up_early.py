"""Rollout given up while models still load.

What it finds:
    A Deployment whose progressDeadlineSeconds (600 by default) is not longer than a start may take: the
    startup probe's budget, or the slowest start that was measured.
Why it matters:
    The rollout is reported as failed, and tools that wait for it roll back a version that was about to serve.
    Source: kubernetes.io/docs/concepts/workloads/controllers/deployment, failed deployment.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - name: server
            startupProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 10, failureThreshold: 120}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      progressDeadlineSeconds: 1500
      template:
        spec:
          containers:
          - name: server
            startupProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 10, failureThreshold: 120}
How to fix:
    Set progressDeadlineSeconds to the startup budget and some minutes for the node and the image.
Limits:
    Pulling the image and waiting for a node come on top and are not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind != "Deployment":
        return
    said = workload.item.at("spec", "progressDeadlineSeconds")
    deadline_s = said if isinstance(said, int) else 600
    starts = [one.probe("startup") for one in workload.containers]
    budget_s = max([probe.budget_s for probe in starts if probe is not None], default=0)
    start_s = max(float(budget_s), workload.context.measured.ready_s_max or 0.0)
    if deadline_s <= start_s:
        path = ("spec", "progressDeadlineSeconds")
        message = f"a rollout counts as failed after {deadline_s} s, and a start may take {start_s:g} s"
        yield Hit(path, message, (Change(path, int(start_s) + 300),))


RULE = Rule("TNG044", "warning", "workload", _check, __doc__)
