"""preStop uses up the grace period.

What it finds:
    A preStop hook that sleeps as long as terminationGracePeriodSeconds, or longer.
Why it matters:
    The grace period runs during the hook. The container gets SIGTERM and two seconds later SIGKILL, with
    everything in flight.
    Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/kuberuntime/kuberuntime_container.go, killContainer.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        lifecycle: {preStop: {exec: {command: [sleep, "30"]}}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      terminationGracePeriodSeconds: 60
      containers:
      - name: server
        lifecycle: {preStop: {exec: {command: [sleep, "30"]}}}
How to fix:
    Make the grace period as long as the hook and the longest request together.
Limits:
    Only sleeps are understood.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    grace_s = container.workload.grace_s
    if 0 < grace_s <= container.pre_stop_sleep_s:
        message = f"preStop takes {container.pre_stop_sleep_s:g} s of a grace period of {grace_s} s"
        yield Hit((*container.path, "lifecycle", "preStop"), message)


RULE = Rule("TNG043", "error", "container", _check, __doc__)
