"""The metrics pipelines in time: when pods are read, and what the APIs answer the autoscaler.

Reading a pod costs a call into the kernel and a copy of its counters, so a scrape that nobody will ever use
is not made: of all the instants at which the pipeline scrapes, only those are played that are the last before
a look of the autoscaler, or lie a window before one of those.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.hpa import (
    Answer,
    ExternalValues,
    Hpa,
    MetricError,
    MetricQuery,
    MetricsSnapshot,
    ObjectValue,
    PodSamples,
    Sample,
)
from tonnage.twin.events import Priority
from tonnage.twin.happenings import HpaEdited, MetricsOutage
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.loops.replica import Replica
from tonnage.twin.metrics_plan import CustomMetric
from tonnage.twin.models import metrics_pipeline as pipeline
from tonnage.twin.models.metrics_pipeline import Reading
from tonnage.twin.serving import Serving
from tonnage.twin.state import PodState, Run, Topic

_NEAR_S: Final = 1e-6
_FLEET: Final = ""
_RESOURCE: Final = frozenset({"Resource", "ContainerResource"})
_UNAVAILABLE: Final = "the server is currently unable to handle the request"
Readings = dict[str, Reading]


@dataclass(frozen=True, slots=True)
class Gone:
    """What is still told of a pod that is gone."""

    values: Mapping[str, float]
    until_s: float


class Scraping:
    """metrics-server and the custom metrics API.

    Args:
        run: The run.
        serving: The requests.
        kubelets: The replicas.

    Attributes:
        waiting: Requests that waited in all servers at the last reading; nan before.
    """

    def __init__(self, run: Run, serving: Serving, kubelets: Kubelets) -> None:
        self.waiting = math.nan
        self._run, self._serving, self._kubelets = run, serving, kubelets
        self._plan = run.scenario.metrics
        self._resource: deque[tuple[float, Readings]] = deque(maxlen=2)
        self._custom: deque[tuple[float, Readings]] = deque()
        self._told: dict[tuple[str, str], float] = {}
        self._gone: dict[str, Gone] = {}
        self._outages = [h for h in run.scenario.happenings if isinstance(h, MetricsOutage)]
        self._wanted: Callable[[float, float], bool] = lambda _from_s, _until_s: False
        run.watch(self._pod_gone, Topic.POD_GONE)

    def begin(self, looks_between: Callable[[float, float], bool], autoscaler: Hpa | None) -> None:
        """Start the pipelines.

        Args:
            looks_between: Whether the autoscaler looks in [from, until) [s].
            autoscaler: The HPA; what neither it nor a later edit of it asks for is not scraped.
        """
        self._wanted = looks_between
        edits = [h.autoscaler for h in self._run.scenario.happenings if isinstance(h, HpaEdited)]
        hpas = [hpa for hpa in (autoscaler, *edits) if hpa is not None]
        kinds = {metric.query.type for hpa in hpas for metric in hpa.metrics}
        if self._plan.resource is not None and kinds & _RESOURCE:
            self._run.engine.at(self._plan.resource.phase_s, Priority.SCRAPE, self._scrape_resource)
        if self._plan.custom is not None and kinds - _RESOURCE:
            self._run.engine.at(self._plan.custom.phase_s, Priority.SCRAPE, self._scrape_custom)

    def snapshot(self, autoscaler: Hpa) -> MetricsSnapshot:
        """What the APIs answer now."""
        answers: dict[MetricQuery, Answer] = {}
        for spec in autoscaler.metrics:
            answer = self._answer(spec.query)
            if answer is not None:
                answers[spec.query] = answer
        return MetricsSnapshot(answers)

    def _answer(self, query: MetricQuery) -> Answer | None:
        if query.type in _RESOURCE:
            if self._down("resource"):
                return MetricError(f"{_UNAVAILABLE} (get pods.metrics.k8s.io)")
            return self._resource_answer(query)
        if self._down("custom"):
            group = "external" if query.type == "External" else "custom"
            return MetricError(f"{_UNAVAILABLE} (get {query.name}.{group}.metrics.k8s.io)")
        scope = "pod" if query.type == "Pods" else "fleet"
        found = (m for m in self._plan.metrics if m.name == query.name and m.scope == scope)
        metric = next(found, None)
        if metric is None or self._plan.custom is None or not self._custom:
            return None
        if scope == "pod":
            return self._pod_answer(metric)
        value = pipeline.fleet_value(metric, self._plan.sustainable_per_s, self._pairs())
        if value is None and self._plan.custom.idle != "absent":
            value = self._told.get((_FLEET, metric.name)) if self._plan.custom.idle == "last" else 0.0
        if value is None:
            return None
        self._told[_FLEET, metric.name] = value
        at_s = self._custom[-1][0]
        if query.type == "External":
            return ExternalValues((pipeline.milli(value),), at_s)
        return ObjectValue(pipeline.milli(value), at_s)

    def _resource_answer(self, query: MetricQuery) -> Answer | None:
        plan = self._plan.resource
        if plan is None or not self._resource:
            return None
        usable = [kept for kept in self._resource if kept[0] + plan.scrape_s <= self._run.now_s + _NEAR_S]
        if not usable or (query.container and query.container != self._run.scenario.workload.container):
            return None
        at_s, last = usable[-1]
        before = usable[-2][1] if len(usable) > 1 else {}
        samples = {}
        for name, reading in last.items():
            rate = pipeline.cpu_cores(reading, before.get(name), plan.resolution_s)
            if rate is None:
                continue
            value = rate[0] if query.name == "cpu" else float(reading.memory_bytes)
            samples[name] = Sample(pipeline.milli(value), at_s, rate[1])
        return PodSamples(samples, at_s) if samples else None

    def _pod_answer(self, metric: CustomMetric) -> Answer | None:
        custom = self._plan.custom
        assert custom is not None
        at_s = self._custom[-1][0]
        samples = {}
        for last, before, name in self._named_pairs():
            told = self._told.get((name, metric.name))
            value = pipeline.pod_value(metric, custom, self._plan.sustainable_per_s, last, before, told)
            if value is None:
                self._told.pop((name, metric.name), None)
                continue
            self._told[name, metric.name] = value
            samples[name] = Sample(pipeline.milli(value), at_s, custom.window_s)
        for name, gone in self._gone.items():
            if gone.until_s >= self._run.now_s and metric.name in gone.values:
                samples[name] = Sample(pipeline.milli(gone.values[metric.name]), at_s, custom.window_s)
        return PodSamples(samples, at_s) if samples else None

    def _named_pairs(self) -> list[tuple[Reading, Reading | None, str]]:
        custom = self._plan.custom
        assert custom is not None
        at_s, last = self._custom[-1]
        before: Readings = {}
        for kept_s, readings in self._custom:
            if kept_s <= at_s - custom.window_s + _NEAR_S:
                before = readings
        alive = self._run.pods
        return [
            (reading, before.get(name), name)
            for name, reading in last.items()
            if name in alive and pipeline.speaks(self._now(reading, alive[name]), custom)
        ]

    def _pairs(self) -> list[tuple[Reading, Reading | None]]:
        return [(last, before) for last, before, _ in self._named_pairs()]

    def _now(self, reading: Reading, pod: PodState) -> Reading:
        """Our API watches pods, and knows at once that one is being deleted; a scraper does not."""
        custom = self._plan.custom
        if custom is not None and custom.kind == "metrics-api" and pod.deleted_s is not None:
            return dataclasses.replace(reading, terminating=True)
        return reading

    def _down(self, which: str) -> bool:
        now_s = self._run.now_s
        return any(o.which in (which, "all") and o.at_s <= now_s < o.until_s for o in self._outages)

    # -- scrapes

    def _scrape_resource(self) -> None:
        plan = self._plan.resource
        assert plan is not None
        now_s = self._run.now_s
        self._resource.append((now_s, self._read_all()))
        self._run.engine.after(plan.resolution_s, Priority.SCRAPE, self._scrape_resource)

    def _scrape_custom(self) -> None:
        plan = self._plan.custom
        assert plan is not None
        now_s, period_s = self._run.now_s, plan.scrape_period_s
        used = self._wanted(now_s, now_s + period_s)
        windows = math.ceil(plan.window_s / period_s - _NEAR_S) * period_s
        if used or self._wanted(now_s + windows, now_s + windows + period_s):
            self._custom.append((now_s, self._read_all()))
            while len(self._custom) > 1 and self._custom[1][0] <= now_s - windows + _NEAR_S:
                self._custom.popleft()
        self._run.engine.after(period_s, Priority.SCRAPE, self._scrape_custom)

    def _read_all(self) -> Readings:
        readings = {}
        self.waiting = 0.0
        for name, replica in self._kubelets.replicas.items():
            reading = self._read(replica)
            if reading is not None:
                readings[name] = reading
                self.waiting += reading.waiting
        return readings

    def _read(self, replica: Replica) -> Reading | None:
        container, pod = replica.container, replica.pod
        if container is None or container.stage == "ended" or not replica.node.alive:
            return None
        serves = container.stage in ("serving", "draining")
        window = self._serving.read(replica.slot) if serves else None
        cpu_s = container.cpu_s() + (window.total.cpu_s if window else 0.0)
        return Reading(
            self._run.now_s,
            container.number,
            container.started_s,
            bool(pod.ready),
            pod.deleted_s is not None,
            container.serving_since_s,
            window.total if window else None,
            window.waiting if window else 0,
            cpu_s,
            container.memory_bytes,
        )

    def _pod_gone(self, pod: PodState) -> None:
        told = {metric: value for (name, metric), value in self._told.items() if name == pod.name}
        for metric in told:
            del self._told[pod.name, metric]
        stale_s = self._plan.custom.stale_s if self._plan.custom else 0.0
        self._gone = {name: gone for name, gone in self._gone.items() if gone.until_s > self._run.now_s}
        if told and stale_s > 0:
            self._gone[pod.name] = Gone(told, self._run.now_s + stale_s)

