"""A view of autoscalers: HorizontalPodAutoscaler of every version, and KEDA's ScaledObject in part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.views import quantity_or_none
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.quantity import Quantity

HPA: Final = "HorizontalPodAutoscaler"
KEDA: Final = "ScaledObject"
AUTOSCALERS: Final = (HPA, KEDA)
"""The kinds of objects that set replicas."""
_SOURCES: Final[Mapping[str, str]] = {
    "Resource": "resource",
    "ContainerResource": "containerResource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
}
_LATENCY: Final = re.compile(
    r"latenc|duration|response_time|(^|_)(p50|p9[0-9]+|ttft|itl|tpot)(_|$)", re.ASCII
)
_PERCENTILE: Final = re.compile(r"(?:^|_)p(?P<share>[0-9]+)(?:_|$)", re.ASCII)
_MEANINGS: Final[Mapping[str, re.Pattern[str]]] = {
    "inFlight": re.compile(r"in_?flight|running|concurren|ongoing|active_requests", re.ASCII),
    "queue": re.compile(r"queue|waiting|pending|backlog", re.ASCII),
    "requestsPerSecond": re.compile(r"(^|_)(rps|qps)(_|$)|requests?_per_s|request_rate", re.ASCII),
    "load": re.compile(r"(^|_)(load|utili[sz]ation)(_|$)", re.ASCII),
}
"""What metrics mean, by their names; the first that fits."""
_IN_MILLISECONDS: Final = re.compile(r"(^|_)(ms|millis|milliseconds)(_|$)", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class MetricView:
    """One metric of an HPA.

    Attributes:
        path: Where it stands.
        type: ``Resource``, ``ContainerResource``, ``Pods``, ``Object`` or ``External``.
        name: The metric's or the resource's name.
        target_path: Where its target stands.
        target: The target, as written.
    """

    path: Path
    type: str
    name: str
    target_path: Path
    target: Mapping[str, Any]

    @property
    def is_resource(self) -> bool:
        """Whether it is CPU or memory."""
        return self.type in ("Resource", "ContainerResource")

    @property
    def is_latency(self) -> bool:
        """Whether its name is that of a latency."""
        return not self.is_resource and bool(_LATENCY.search(self.name.casefold()))

    @property
    def is_milliseconds(self) -> bool:
        """Whether it is a latency in milliseconds."""
        return self.is_latency and bool(_IN_MILLISECONDS.search(self.name.casefold()))

    @property
    def meaning(self) -> str | None:
        """What the twin calls what it measures, as far as its name tells; None where it does not."""
        name = self.name.casefold()
        if self.is_latency:
            share = _PERCENTILE.search(name)
            known = f"p{share['share']}" if share else "mean"
            return known if known in ("p50", "p95", "p99", "mean") else None
        return next((meaning for meaning, words in _MEANINGS.items() if words.search(name)), None)

    def amount(self, form: str) -> Quantity | None:
        """The target as ``averageValue`` or ``value``; None where it has another form."""
        return quantity_or_none(self.target.get(form))

    @property
    def seconds(self) -> float | None:
        """The target of a latency [s], by the unit that its name ends with; None where it is no such."""
        amount = self.amount("averageValue") or self.amount("value")
        if amount is None or not self.is_latency:
            return None
        return float(amount) / (1000.0 if self.is_milliseconds else 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class AutoscalerView:
    """What sets a workload's replicas.

    Attributes:
        item: The object.
    """

    item: KubeObject

    @property
    def is_hpa(self) -> bool:
        """Whether it is Kubernetes' own."""
        return self.item.kind == HPA

    @property
    def target_name(self) -> tuple[str, str]:
        """Kind and name of what it scales."""
        kind = self.item.at("spec", "scaleTargetRef", "kind") or "Deployment"
        return str(kind), str(self.item.at("spec", "scaleTargetRef", "name") or "")

    def targets(self, item: KubeObject) -> bool:
        """Whether it scales an object."""
        return (item.kind, item.name) == self.target_name and item.namespace == self.item.namespace

    def _count(self, name: str, default: int | None) -> int | None:
        value = self.item.at("spec", name)
        return value if isinstance(value, int) and not isinstance(value, bool) else default

    @property
    def replicas_min(self) -> int:
        """Replicas at least; 1 where it does not say, and 0 for KEDA."""
        return (self._count("minReplicas", 1) if self.is_hpa else self._count("minReplicaCount", 0)) or 0

    @property
    def replicas_max(self) -> int | None:
        """Replicas at most; 100 where KEDA does not say."""
        return self._count("maxReplicas", None) if self.is_hpa else self._count("maxReplicaCount", 100)

    @property
    def metrics(self) -> Iterator[MetricView]:
        """Its metrics; of version 1 the one that it can have."""
        listed = self.item.at("spec", "metrics") if self.is_hpa else None
        for index, one in enumerate(listed if isinstance(listed, list) else []):
            kind = str(one.get("type")) if isinstance(one, Mapping) else ""
            field = _SOURCES.get(kind)
            path: Path = ("spec", "metrics", index)
            source = self.item.at(*path, field) if field else None
            if field and isinstance(source, Mapping):
                metric = source.get("metric")
                name = metric.get("name") if isinstance(metric, Mapping) else source.get("name")
                target = source.get("target")
                found = target if isinstance(target, Mapping) else {}
                yield MetricView(path, kind, str(name or ""), (*path, field, "target"), found)
        utilization = self.item.at("spec", "targetCPUUtilizationPercentage") if self.is_hpa else None
        if utilization is not None:
            path = ("spec", "targetCPUUtilizationPercentage")
            yield MetricView(path, "Resource", "cpu", path, {"averageUtilization": utilization})

    def rules(self, direction: str) -> Mapping[str, Any]:
        """``scaleUp`` or ``scaleDown`` of its behavior; empty where it has none."""
        value = self.item.at("spec", "behavior", direction)
        return value if isinstance(value, Mapping) else {}

    def window_s(self, direction: str) -> int:
        """The stabilization window of a direction [s].

        Source: k8s.io/kubernetes v1.37.2 pkg/apis/autoscaling/v2/defaults.go, scaleUpRules, scaleDownRules;
            the 300 s are kube-controller-manager's --horizontal-pod-autoscaler-downscale-stabilization.
        """
        value = self.rules(direction).get("stabilizationWindowSeconds")
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return 300 if direction == "scaleDown" else 0
