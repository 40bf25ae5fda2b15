"""Which of the autoscaler's metrics are served, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tonnage.contract import metrics as names
from tonnage.errors import Problem
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.shape import near
from tonnage.profile import ModelProfile
from tonnage.spec.experiment import CustomPipeline, MetricMeaning, Metrics
from tonnage.twin.inputs.options import MEANINGS
from tonnage.twin.metrics_plan import CustomMetric, CustomMetrics, Meaning, MetricsPlan, ResourceMetrics

OURS: Final[Mapping[str, Meaning]] = {
    names.INFERENCE_LATENCY_P99.replace("p99", "p50"): "latency_p50",
    names.INFERENCE_LATENCY_P99.replace("p99", "p95"): "latency_p95",
    names.INFERENCE_LATENCY_P99: "latency_p99",
    names.IN_FLIGHT: "in_flight",
    names.QUEUE_LENGTH: "queue",
}
"""Metrics of our server, by the names under which the HPA asks for them."""

WINDOW_S_DEFAULT: Final = 30.0
"""Span of our server's percentiles [s], unless a ModelService says another."""
_SOURCES: Final = {"Pods": "pods", "Object": "object", "External": "external"}
Scope = Literal["pod", "fleet"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A metric that an HPA asks for by name.

    Attributes:
        name: Its name.
        scope: Whether each pod has it or the fleet.
        path: Where in the HPA its name stands.
    """

    name: str
    scope: Scope
    path: Path


def wanted_metrics(hpa: Mapping[str, Any]) -> list[Wanted]:
    """The custom and external metrics of an ``autoscaling/v2`` HPA, of a sound shape."""
    found = []
    for index, metric in enumerate((hpa.get("spec") or {}).get("metrics") or []):
        source = _SOURCES.get(str(metric.get("type")))
        holder = metric.get(source) if source is not None else None
        name = ((holder or {}).get("metric") or {}).get("name")
        if source is not None and isinstance(name, str):
            path = ("spec", "metrics", index, source, "metric", "name")
            found.append(Wanted(name, "pod" if source == "pods" else "fleet", path))
    return found


def metrics_plan(
    said: Metrics,
    meanings: Mapping[str, str],
    hpas: Iterable[KubeObject],
    profile: ModelProfile | None,
    *,
    lenient: bool,
    window_s: float = WINDOW_S_DEFAULT,
) -> tuple[MetricsPlan, list[Problem]]:
    """The pipelines, serving what the HPA asks for.

    Args:
        said: What the Simulation says.
        meanings: What the command line says of a metric; it goes before that.
        hpas: The workload's HPA in every form that it takes during the run.
        profile: What was measured, for the sustainable rate.
        lenient: Whether an unknown metric is an error of the metrics API instead of a problem.
        window_s: Span of our server's percentiles [s], where the Simulation says none.

    Returns:
        The plan, and a problem for each metric that nothing serves.
    """
    sustainable_per_s = _sustainable_per_s(said, profile)
    served: dict[tuple[str, Scope], CustomMetric] = {}
    problems: list[Problem] = []
    for hpa in hpas:
        for wanted in wanted_metrics(hpa.value):
            metric = _metric(wanted, said, meanings)
            if metric is None:
                problem = hpa.problem(wanted.path, *_unserved(wanted.name))
                if not lenient and problem not in problems:
                    problems.append(problem)
            elif metric.meaning == "load" and sustainable_per_s is None:
                message = "must have a sustainable rate, which a metric of load is a share of"
                problems.append(hpa.problem(wanted.path, message, "give a profile that has one"))
            else:
                served[wanted.name, wanted.scope] = metric
    plan = MetricsPlan(
        resource=ResourceMetrics(said.resource.resolution.seconds) if said.resource is not None else None,
        custom=_custom(said.custom, window_s) if said.custom is not None else None,
        metrics=tuple(served.values()),
        sustainable_per_s=sustainable_per_s,
    )
    return plan, problems


def _sustainable_per_s(said: Metrics, profile: ModelProfile | None) -> float | None:
    if said.sustainable is not None:
        return said.sustainable.per_second
    capacity = profile.capacity if profile is not None else None
    return capacity.sustainable_per_s or None if capacity is not None else None


def _metric(wanted: Wanted, said: Metrics, meanings: Mapping[str, str]) -> CustomMetric | None:
    if wanted.name in meanings:
        return CustomMetric(wanted.name, MEANINGS[meanings[wanted.name]], wanted.scope)
    known: MetricMeaning | None = said.meanings.get(wanted.name)
    if known is not None:
        meaning = MEANINGS[known.meaning]
        return CustomMetric(wanted.name, meaning, wanted.scope, known.scale or 1.0, known.value)
    if wanted.name in OURS:
        return CustomMetric(wanted.name, OURS[wanted.name], wanted.scope)
    return None


def _unserved(name: str) -> tuple[str, str]:
    meant = near(name, OURS)
    choices = "p50, p95, p99, mean, rps, inFlight, queue or load"
    hint = f"say what it is with --metric {name}=MEANING, one of {choices}"
    message = f'must be a metric that something serves, got "{name}"'
    return message, f'did you mean "{meant}"? Else {hint}' if meant else hint


def _custom(said: CustomPipeline, window_of_ours_s: float) -> CustomMetrics:
    """The pipeline; what is not said is our metrics API's way, or Prometheus' usual one.

    Source: kubernetes-sigs/prometheus-adapter docs/config.md (rules with ``[2m]``); Prometheus'
        ``query.lookback-delta`` of 5m.
    """
    ours = said.type == "metricsApi"
    scrape_s = said.scrape_period.seconds if said.scrape_period is not None else 5.0 if ours else 30.0
    window_s = said.window.seconds if said.window is not None else window_of_ours_s if ours else 120.0
    stale_s = said.stale.seconds if said.stale is not None else 0.0 if ours else 300.0
    return CustomMetrics(
        kind="metrics-api" if ours else "prometheus-adapter",
        scrape_period_s=scrape_s,
        window_s=window_s,
        warming=said.warming or ("silent" if ours else "answers"),
        idle=said.idle or ("zero" if ours else "absent"),
        terminating=said.terminating or ("dropped" if ours else "answers"),
        stale_s=stale_s,
    )
