"""What the metrics APIs say of pods: windows over counters, and who is silent.

A reading is what one scrape of one pod found. What is told at a time is derived from two readings: the last
one, and the one a window earlier (or the container's start). All values here are in the metric's unit, before
they become the thousandths that the autoscaler reads, rounded up as quantities are.

Source: kubernetes-sigs/metrics-server v0.8 pkg/storage/pod.go (a CPU rate needs two points of one container;
    freshContainerMinMetricsResolution: a container that is 10 s old takes its start as the first one);
    kubernetes-sigs/prometheus-adapter docs/config.md (rate windows); E-adapter in ``tonnage.metrics_api``'s
    terms for our own API.

Deviations:
    * A scrape takes no time and reads all pods at one instant; Prometheus spreads its scrapes.
    * ``in_flight`` is the mean over the window, as ``avg_over_time`` of the gauge is.
    * Prometheus' extrapolation of rates to the window's edges is left out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonnage.twin.metrics_plan import CustomMetric, CustomMetrics, Meaning
from tonnage.twin.requests import SlotTotals
from tonnage.twin.requests.buckets import quantile

FRESH_S: Final = 10.0
"""A younger container has no CPU rate [s]."""
_QUANTILES: Final = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a scrape of a pod found.

    Attributes:
        at_s: When [s].
        container: Which of the pod's containers, from 1; counters of another one start anew.
        started_s: When that container started [s].
        ready: Whether the pod was ready.
        terminating: Whether it had a deletionTimestamp.
        serving_since_s: When it began to serve [s]; counts only with ``totals``.
        totals: The server's counters; None when it does not serve.
        waiting: Requests that wait.
        cpu_s: CPU time since the container's start [s].
        memory_bytes: Memory in use [bytes].
    """

    at_s: float
    container: int
    started_s: float
    ready: bool
    terminating: bool
    serving_since_s: float
    totals: SlotTotals | None
    waiting: int
    cpu_s: float
    memory_bytes: int


def cpu_cores(last: Reading, before: Reading | None, resolution_s: float) -> tuple[float, float] | None:
    """A pod's CPU rate and the window it covers, as metrics-server has them.

    Args:
        last: The last reading.
        before: The one before it; None when there is none.
        resolution_s: Time between two scrapes [s].

    Returns:
        The rate [cores] and its window [s]; None when there is none yet.
    """
    if before is not None and before.container == last.container:
        window_s = last.at_s - before.at_s
        return (last.cpu_s - before.cpu_s) / window_s, window_s
    age_s = last.at_s - last.started_s
    if FRESH_S <= age_s < resolution_s:
        return last.cpu_s / age_s, age_s
    return None


def window_of(last: Reading, before: Reading | None) -> SlotTotals | None:
    """The counters' growth over the window, or since the container's start; None when it does not serve."""
    if last.totals is None:
        return None
    if before is None or before.container != last.container or before.totals is None:
        return dataclasses.replace(last.totals, time_s=last.at_s - last.serving_since_s)
    return last.totals.since(before.totals)


def speaks(reading: Reading, plan: CustomMetrics) -> bool:
    """Whether a pod's values are told at all."""
    if reading.terminating:
        return plan.terminating == "answers"
    return reading.ready or plan.warming == "answers"


def pod_value(
    metric: CustomMetric,
    plan: CustomMetrics,
    sustainable_per_s: float | None,
    last: Reading,
    before: Reading | None,
    told: float | None,
) -> float | None:
    """One pod's value of a metric.

    Args:
        metric: Which.
        plan: What idle pods say.
        sustainable_per_s: What a replica sustains, for a load [requests/s].
        last: The last reading.
        before: The one a window earlier.
        told: What was told of this pod before; None for nothing.

    Returns:
        The value in the metric's unit; None: it is silent.
    """
    window = window_of(last, before)
    value = _value(metric.meaning, window, last.waiting, metric.constant)
    if value is None:
        if plan.idle == "zero":
            return 0.0
        return told if plan.idle == "last" else None
    if metric.meaning == "load":
        value /= sustainable_per_s or math.inf
    return value * metric.scale


def fleet_value(
    metric: CustomMetric,
    sustainable_per_s: float | None,
    pairs: Sequence[tuple[Reading, Reading | None]],
) -> float | None:
    """The fleet's value: percentiles of all requests together, sums of the rest; None when nobody speaks."""
    if not pairs:
        return None
    windows = [window for last, before in pairs if (window := window_of(last, before)) is not None]
    if metric.meaning in _QUANTILES:
        if not windows:
            return None
        merged = np.sum([window.latency for window in windows], axis=0)
        value = quantile(merged, _QUANTILES[metric.meaning])
    elif metric.meaning == "latency_mean":
        answered = sum(window.answered for window in windows)
        value = math.fsum(window.latency_s for window in windows) / answered if answered else None
    elif metric.meaning == "constant":
        value = metric.constant
    else:
        parts = [
            _value(metric.meaning, window_of(last, before), last.waiting, metric.constant)
            for last, before in pairs
        ]
        value = math.fsum(part or 0.0 for part in parts)
    if value is None:
        return None
    if metric.meaning == "load":
        value /= sustainable_per_s or math.inf
    return value * metric.scale


def milli(value: float) -> int:
    """A value in thousandths, rounded up as ``Quantity.MilliValue`` does."""
    return math.ceil(round(value * 1000, 6))


def _value(meaning: Meaning, window: SlotTotals | None, waiting: int, constant: float) -> float | None:
    """A value before its scale; None for a latency without requests."""
    if meaning == "constant":
        return constant
    if meaning == "queue":
        return float(waiting)
    if window is None or window.time_s <= 0:
        return None if meaning in _QUANTILES or meaning == "latency_mean" else 0.0
    if meaning in _QUANTILES:
        return window.quantile_s(_QUANTILES[meaning])
    if meaning == "latency_mean":
        return window.latency_s / window.answered if window.answered else None
    if meaning == "in_flight":
        return window.in_flight_s / window.time_s
    return window.answered / window.time_s
