"""Metric that nothing serves.

What it finds:
    A Pods, Object or External metric that no object given names, and no metrics API among them serves.
Why it matters:
    The autoscaler reports FailedGetPodsMetric and does not scale on it, and not down on the others either.
    Source: k8s.io/kubernetes v1.37.2 pkg/controller/podautoscaler/horizontal.go, computeReplicasForMetrics;
    prometheus-adapter#118, #209.
Bad:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: Pods
        pods:
          metric: {name: queue_depth}
          target: {type: AverageValue, averageValue: 4}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: adapter-config}
    data: {config.yaml: "rules: [{seriesQuery: server_queue, name: {as: queue_length}}]"}
Good:
    apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: ranker}
    spec:
      scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: ranker}
      minReplicas: 3
      maxReplicas: 50
      metrics:
      - type: Pods
        pods:
          metric: {name: queue_depth}
          target: {type: AverageValue, averageValue: 4}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: adapter-config}
    data: {config.yaml: "rules: [{seriesQuery: server_queue, name: {as: queue_depth}}]"}
How to fix:
    Run a metrics API that serves it (tonnage metrics-api, or an adapter with a rule for it), and audit both
    together.
Limits:
    An adapter that was installed elsewhere is not seen, so that this is a warning only where an adapter's
    rules are among the objects, and for information otherwise. The names that Tonnage's own metrics API
    serves are known for its own workloads and for those that it is told to read, and names that say whose
    adapter they are of are passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import Autoscaler
from tonnage.audit.rule import Hit, Rule
from tonnage.contract.autoscaling import (
    LOAD_UTILIZATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    PRESET_ANNOTATION,
    REQUESTS_IN_FLIGHT,
    REQUESTS_PER_SECOND,
)
from tonnage.contract.metrics import INFERENCE_LATENCY_P99

_APIS: Final = {
    "Pods": "custom.metrics.k8s.io",
    "Object": "custom.metrics.k8s.io",
    "External": "external.metrics.k8s.io",
}
_OWN: Final = (
    INFERENCE_LATENCY_P99.removesuffix("p99"),
    "tonnage_",
    LOAD_UTILIZATION,
    REQUESTS_IN_FLIGHT,
    REQUESTS_PER_SECOND,
)


def _check(autoscaler: Autoscaler) -> Iterator[Hit]:
    context = autoscaler.context
    apis = {str(item.at("spec", "group")) for item in context.of_kind("APIService")}
    texts = context.namings
    has_rules = any("seriesQuery" in text for text in texts)
    labels = autoscaler.item.at("metadata", "labels")
    ours = isinstance(labels, Mapping) and labels.get(MANAGED_BY_LABEL) == MANAGED_BY
    target = autoscaler.target
    ours = ours or (target is not None and target.pod_annotations.get(PRESET_ANNOTATION, "off") != "off")
    for metric in autoscaler.metrics:
        api = _APIS.get(metric.type)
        own = (ours and metric.name.startswith(_OWN)) or "googleapis.com|" in metric.name
        if api is None or (api in apis and not has_rules) or own:
            continue
        if not any(metric.name in text for text in texts):
            message = f"nothing here serves {metric.name} in {api}"
            yield Hit(metric.path, message, severity=None if has_rules else "info")


RULE = Rule("TNG063", "warning", "autoscaler", _check, __doc__)
