"""Scales down sooner than a replica starts.

What it finds:
    A scale-down stabilization window that is shorter than the slowest measured start, or that is 0.
Why it matters:
    A short dip takes replicas away, and the load is back before their successors have loaded the model: the
    service swings between too many and too few.
    Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, stabilization window.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      behavior: {scaleDown: {stabilizationWindowSeconds: 300}}
How to fix:
    Make the window several times the start of a replica, its node included; 300 s is the default.
Limits:
    Without --profile only a window of 0 is reported. The time for a node to come is not known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    window_s = autoscaler.window_s("scaleDown")
    start_s = autoscaler.context.measured.ready_s_max or 0.0
    if autoscaler.is_hpa and (window_s == 0 or window_s < start_s):
        path = ("spec", "behavior", "scaleDown", "stabilizationWindowSeconds")
        start = f", and a start took {start_s:g} s" if start_s else ", sooner than any model loads"
        yield Hit(path, f"replicas go after {window_s} s of less load{start}")


RULE = Rule("TNG065", "warning", "autoscaler", _check, __doc__)
