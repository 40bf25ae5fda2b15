"""Strict spread that counts the old revision too.

What it finds:
    A topology spread constraint with DoNotSchedule on a Deployment, without matchLabelKeys
    [pod-template-hash].
Why it matters:
    During a rolling update pods of both revisions are counted. New pods are placed around the old ones, and
    when those go the rest is uneven, or a new pod finds no place at all.
    Source: kubernetes/enhancements KEP-3243.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec:
          topologySpreadConstraints:
          - maxSkew: 1
            topologyKey: topology.kubernetes.io/zone
            whenUnsatisfiable: DoNotSchedule
            labelSelector: {matchLabels: {app: ranker}}
          containers: [{name: server}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        metadata: {labels: {app: ranker}}
        spec:
          topologySpreadConstraints:
          - maxSkew: 1
            topologyKey: topology.kubernetes.io/zone
            whenUnsatisfiable: DoNotSchedule
            labelSelector: {matchLabels: {app: ranker}}
            matchLabelKeys: [pod-template-hash]
          containers: [{name: server}]
How to fix:
    Add matchLabelKeys with pod-template-hash.
Limits:
    Needs Kubernetes 1.27 or newer.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind != "Deployment":
        return
    for path, constraint in workload.listed("topologySpreadConstraints"):
        if constraint.get("whenUnsatisfiable") != "ScheduleAnyway" and not constraint.get("matchLabelKeys"):
            change = Change((*path, "matchLabelKeys"), ["pod-template-hash"])
            yield Hit(path, "pods of the old revision are counted in a rolling update", (change,))


RULE = Rule("TNG053", "info", "workload", _check, __doc__)
