"""Killed before the model is loaded.

What it finds:
    A startup probe, or without one a liveness probe, that gives up before the slowest
    start that was measured.
Why it matters:
    The kubelet kills the container and the load begins anew, for ever. One hiccup of a disk is enough when
    budget and load are close: a liveness probe that gave 50 s met a load of 49 s.
    Source: kube-agents#712, #796; kserve#4840; k8s.io/kubernetes v1.37.2 pkg/kubelet/prober/worker.go.
Given:
    ready_s_max=120
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        startupProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 10, failureThreshold: 6}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        startupProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 10, failureThreshold: 36}
How to fix:
    Make initialDelaySeconds plus failureThreshold times periodSeconds about three times the measured start.
Limits:
    Needs --profile. The first container of a pod with such a probe is taken for the one that was measured.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    ready_s = container.workload.context.measured.ready_s_max
    probe = container.probe("startup") or container.probe("liveness")
    probed = [one for one in container.workload.containers if one.probe("startup") or one.probe("liveness")]
    if ready_s is None or probe is None or probed[0].path != container.path or probe.budget_s >= ready_s:
        return
    change = Change((*probe.path, "failureThreshold"), -(-3 * int(ready_s + 1) // probe.period_s))
    started = (change,) if container.probe("startup") else ()
    yield Hit(
        probe.path, f"the container is killed after {probe.budget_s} s, a start took {ready_s:g} s", started
    )


RULE = Rule("TNG033", "error", "container", _check, __doc__)
