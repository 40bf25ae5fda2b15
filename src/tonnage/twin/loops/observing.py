"""Levels over time, and the result at the end."""

from __future__ import annotations

import math

import numpy as np

from tonnage.twin.events import Priority
from tonnage.twin.levels import Level
from tonnage.twin.loops.gpus import gpus_of
from tonnage.twin.loops.rollout import Rollouts
from tonnage.twin.loops.routing import Routing
from tonnage.twin.loops.scraping import Scraping
from tonnage.twin.records import PodRecord, ScalingDecision
from tonnage.twin.requests import CAUSES, QUANTILES, Cause, RequestWorld
from tonnage.twin.requests import Series as RequestSeries
from tonnage.twin.requests.buckets import UPPER_S
from tonnage.twin.requests.results import IntArray
from tonnage.twin.result import FloatArray, Histogram, Series, Totals
from tonnage.twin.state import NodeState, PodState, Run, Topic

_LEVELS = (
    "replicas_wanted",
    "replicas_created",
    "replicas_ready",
    "pods_pending",
    "pods_terminating",
    "endpoints",
    "nodes",
    "gpus_total",
    "gpus_used",
    "price_per_h",
    "queue",
)
_HOUR_S = 3600.0


class Observing:
    """What the series are made of.

    Args:
        run: The run.
        rollouts: Replicas.
        routing: Endpoints.
        scraping: Requests that wait.
    """

    def __init__(self, run: Run, rollouts: Rollouts, routing: Routing, scraping: Scraping) -> None:
        self._run, self._rollouts, self._routing, self._scraping = run, rollouts, routing, scraping
        self._levels = {name: Level(math.nan if name == "queue" else 0.0) for name in _LEVELS}
        self._metrics: dict[str, Level] = {}
        self._planned = False
        self._booting: dict[str, NodeState] = {}
        routing.on_change = self.plan
        run.watch(self._changed, *Topic)

    def booting(self, node: NodeState, *, there: bool) -> None:
        """A node is paid for from when it was asked for until it joins or is given up."""
        if there:
            self._booting[node.name] = node
        else:
            self._booting.pop(node.name, None)
        self.plan()

    def decided(self, decision: ScalingDecision) -> None:
        """The autoscaler has looked."""
        for metric in decision.metrics:
            level = self._metrics.setdefault(metric.name, Level(math.nan))
            level.set(self._run.now_s, math.nan if metric.current is None else metric.current)
        self.plan()

    def plan(self) -> None:
        """Take the levels at the end of this instant."""
        if not self._planned:
            self._planned = True
            self._run.engine.after(0.0, Priority.OBSERVE, self._take)

    def _changed(self, subject: PodState | NodeState) -> None:  # noqa: ARG002 - all levels are taken anew
        self.plan()

    def _take(self) -> None:
        self._planned = False
        run = self._run
        own = list(run.own_pods())
        active = [pod for pod in own if pod.active]
        nodes = [*run.nodes.values(), *self._booting.values()]
        values = {
            "replicas_wanted": self._rollouts.replicas,
            "replicas_created": len(active),
            "replicas_ready": sum(bool(pod.ready) for pod in active),
            "pods_pending": sum(pod.node is None for pod in active),
            "pods_terminating": sum(pod.deleted_s is not None for pod in own),
            "endpoints": self._routing.count,
            "nodes": len(nodes),
            "gpus_total": sum(node.plan.gpus for node in nodes),
            "gpus_used": sum(gpus_of(pod.pod.spec) for pod in own if pod.node is not None),
            "price_per_h": math.fsum(node.plan.price_per_h for node in nodes),
            "queue": self._scraping.waiting,
        }
        for name, value in values.items():
            self._levels[name].set(run.now_s, float(value))

    def series(self, world: RequestWorld) -> Series:
        """The series, when the run is over."""
        told = world.series()
        scenario = self._run.scenario
        count = math.ceil(scenario.duration_s / scenario.interval_s - 1e-9)
        starts = np.arange(count, dtype=np.float64) * scenario.interval_s
        ends = np.minimum(starts + scenario.interval_s, scenario.duration_s)
        levels = {name: level.at(ends - 1e-6) for name, level in self._levels.items()}
        price = self._levels["price_per_h"].integral(ends) / _HOUR_S
        del levels["price_per_h"]
        return Series(
            time_s=starts,
            **_requests(told, count),
            **levels,
            cost=price,
            metrics={name: level.at(ends - 1e-6) for name, level in sorted(self._metrics.items())},
        )

    def totals(self, world: RequestWorld) -> Totals:
        """The sums, when the run is over."""
        told, balance = world.series(), world.balance()
        records = self._run.records
        end = np.array([self._run.scenario.duration_s])
        hours = {name: float(level.integral(end)[0]) / _HOUR_S for name, level in self._levels.items()}
        dropped = {cause.value: int(n) for cause, n in zip(CAUSES, balance.dropped, strict=True)}
        failed = {cause.value: int(n) for cause, n in zip(CAUSES, told.failed.sum(axis=0), strict=True)}
        drops = sum(dropped.values())
        judged = self._run.scenario.objective is not None
        misses = int(told.slow.sum()) + drops if judged else 0
        ended = balance.answered + drops
        quantiles = {q: told.quantile_s(q) for q in QUANTILES}
        at = {q: math.nan if value is None else value for q, value in quantiles.items()}
        return Totals(
            offered=balance.arrived,
            answered=balance.answered,
            dropped=dropped,
            unfinished=balance.in_flight,
            attempts_failed=failed,
            retried=int(told.retried.sum()),
            p50_s=at[0.5],
            p90_s=at[0.9],
            p95_s=at[0.95],
            p99_s=at[0.99],
            p999_s=at[0.999],
            slo_misses=misses,
            slo_miss_ratio=misses / ended if ended else math.nan,
            cost=hours["price_per_h"],
            gpu_hours=hours["gpus_total"],
            gpu_hours_used=hours["gpus_used"],
            replicas_peak=int(self._levels["replicas_ready"].max),
            nodes_peak=int(self._levels["nodes"].max),
            gpus_peak=int(self._levels["gpus_used"].max),
            restarts=sum(isinstance(r, PodRecord) and r.what == "restarted" for r in records),
            rescales=sum(isinstance(r, ScalingDecision) and r.rescaled for r in records),
        )


def histogram_of(world: RequestWorld) -> Histogram:
    """Latencies of the whole run, without the empty buckets at both ends."""
    counts = world.series().latency
    used = np.flatnonzero(counts)
    if used.size == 0:
        return Histogram(np.zeros(0), np.zeros(0, dtype=np.int64))
    part = slice(int(used[0]), int(used[-1]) + 1)
    return Histogram(UPPER_S[part].copy(), counts[part].astype(np.int64))


def _requests(told: RequestSeries, count: int) -> dict[str, FloatArray]:
    """The request columns, padded to the number of intervals."""

    def column(values: IntArray | FloatArray, fill: float = 0.0) -> FloatArray:
        result = np.full(count, fill)
        there = min(count, values.size)
        result[:there] = values[:there]
        return result

    def drops(*causes: Cause) -> IntArray:
        counts: IntArray = told.dropped[:, [CAUSES.index(cause) for cause in causes]].sum(axis=1)
        return counts

    ends = told.arrived.cumsum() - told.answered.cumsum() - told.dropped.sum(axis=1).cumsum()
    return {
        "offered": column(told.arrived),
        "answered": column(told.answered),
        "refused_queue": column(drops(Cause.QUEUE_FULL)),
        "refused_deadline": column(drops(Cause.DEADLINE, Cause.LATE)),
        "failed": column(drops(Cause.REFUSED, Cause.LOST, Cause.NO_ENDPOINT)),
        "timed_out": column(drops(Cause.TIMEOUT)),
        "retried": column(told.retried),
        "p50_s": column(told.quantiles_s[:, QUANTILES.index(0.5)], math.nan),
        "p95_s": column(told.quantiles_s[:, QUANTILES.index(0.95)], math.nan),
        "p99_s": column(told.quantiles_s[:, QUANTILES.index(0.99)], math.nan),
        "slo_misses": column(told.slow + told.dropped.sum(axis=1)),
        "in_flight": column(ends, float(ends[-1]) if len(ends) else 0.0),
    }

