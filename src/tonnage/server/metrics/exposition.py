"""The metrics page: the slots of all workers as one set of Prometheus metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.openmetrics import exposition as _openmetrics
from prometheus_client.registry import Collector, CollectorRegistry

from tonnage.contract import metrics as names
from tonnage.server.metrics import histogram
from tonnage.server.metrics.block import BATCH_BOUNDS, CODES, PROTOCOLS, State
from tonnage.server.metrics.recorder import window_counts


class _Collector(Collector):
    def __init__(self, slots: Any, model: str, now_s: float, window_s: float) -> None:
        self._slots = slots
        self._model = model
        self._now_s = now_s
        self._window_s = window_s

    def collect(self) -> Iterator[Metric]:
        yield self._requests()
        yield self._durations(
            names.REQUEST_SECONDS, "Time from a request's arrival to its answer.", "latency"
        )
        yield self._durations(
            names.QUEUE_SECONDS, "Time from a request's arrival to its batch's start.", "wait"
        )
        yield self._durations(names.COMPUTE_SECONDS, "Time of one batch in the model.", "compute")
        yield self._batch_sizes()
        yield from self._window()
        yield from self._gauges()
        yield from self._workers()

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            names.REQUESTS_TOTAL,
            "Inference requests answered, by status code.",
            labels=("model", "protocol", "code"),
        )
        counts = self._slots["requests"].sum(axis=0)
        for p, protocol in enumerate(PROTOCOLS):
            for c, code in enumerate(CODES):
                if counts[p, c] or code == "200":
                    family.add_metric((self._model, protocol, code), int(counts[p, c]))
        return family

    def _durations(self, name: str, text: str, field: str) -> Metric:
        family = HistogramMetricFamily(name, text, labels=("model",))
        cumulative = histogram.at_octaves(self._slots[field].sum(axis=0))
        bounds = [f"{bound:.9g}" for bound in histogram.OCTAVE_BOUNDS_S] + ["+Inf"]
        family.add_metric(
            (self._model,),
            list(zip(bounds, cumulative, strict=True)),
            float(self._slots[f"{field}_sum_s"].sum()),
        )
        return family

    def _batch_sizes(self) -> Metric:
        family = HistogramMetricFamily(names.BATCH_SIZE, "Items in one batch.", labels=("model",))
        cumulative = np.cumsum(self._slots["batch"].sum(axis=0)).tolist()
        bounds = [str(float(bound)) for bound in BATCH_BOUNDS] + ["+Inf"]
        family.add_metric(
            (self._model,), list(zip(bounds, cumulative, strict=True)), int(self._slots["batch_sum"].sum())
        )
        return family

    def _window(self) -> Iterator[Metric]:
        """Percentiles of the window: absent while it is empty, and never NaN."""
        counts = window_counts(self._slots, self._now_s, self._window_s)
        # a summary, as Prometheus means it: quantiles of a sliding window, count and sum of all time
        family = SummaryMetricFamily(
            names.LATENCY_WINDOW_SECONDS,
            f"Percentiles of request latency over the last {self._window_s:g} s.",
            labels=("model",),
        )
        for q in (0.5, 0.95, 0.99):
            value = histogram.quantile(counts, q)
            if value is not None:
                labels = {"model": self._model, "quantile": f"{q:g}"}
                family.add_sample(names.LATENCY_WINDOW_SECONDS, labels, value)
        count, total_s = int(self._slots["latency"].sum()), float(self._slots["latency_sum_s"].sum())
        family.add_metric((self._model,), count, total_s)
        yield family
        p99 = GaugeMetricFamily(
            names.INFERENCE_LATENCY_P99,
            f"p99 of request latency over the last {self._window_s:g} s, in seconds.",
            labels=("model",),
        )
        value = histogram.quantile(counts, 0.99)
        if value is not None:
            p99.add_metric((self._model,), value)
        yield p99

    def _gauges(self) -> Iterator[Metric]:
        alive = self._slots[self._slots["state"] != State.ABSENT]
        for name, text, field in (
            (names.IN_FLIGHT, "Inference requests accepted and not yet answered.", "in_flight"),
            (names.QUEUE_LENGTH, "Inference requests waiting for a batch.", "queue"),
            (names.CONNECTIONS, "Open HTTP connections.", "connections"),
        ):
            yield self._gauge(name, text, int(alive[field].sum()))
        ready = alive[alive["state"] == State.READY]
        yield self._gauge(
            names.READY, "1 when the model is loaded, warm and not draining.", int(len(ready) > 0)
        )
        if len(ready):
            yield self._gauge(names.LOAD_SECONDS, "Time to load the model.", float(ready["load_s"].max()))
            yield self._gauge(
                names.WARMUP_SECONDS, "Time to warm the model up.", float(ready["warmup_s"].max())
            )

    def _workers(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(names.WORKERS, "Worker processes by state.", labels=("model", "state"))
        for state in State:
            if state is not State.ABSENT:
                count = int((self._slots["state"] == state).sum())
                family.add_metric((self._model, state.name.lower()), count)
        yield family
        for name, text, field in (
            (names.WORKER_RESTARTS_TOTAL, "Worker processes started anew after one had died.", "restarts"),
            (names.LOG_LINES_DROPPED_TOTAL, "Log lines that could not be written.", "log_lines_dropped"),
        ):
            counter = CounterMetricFamily(name, text, labels=("model",))
            counter.add_metric((self._model,), int(self._slots[field].sum()))
            yield counter

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, text, labels=("model",))
        family.add_metric((self._model,), value)
        return family


def expose(slots: Any, *, model: str, now_s: float, window_s: float, accept: str) -> tuple[bytes, str]:
    """Render the metrics of all workers.

    Args:
        slots: Structured array of the block's slots.
        model: Value of the label ``model``.
        now_s: The time, of the clock that filled the window.
        window_s: Length of the sliding window [s].
        accept: The request's Accept header; decides between Prometheus' text and OpenMetrics.

    Returns:
        The page, and its content type.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(slots, model, now_s, window_s))
    if "application/openmetrics-text" in accept:
        page: bytes = _openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
        return page, _openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE_LATEST
