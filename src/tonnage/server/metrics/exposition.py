"""The metrics page: the slots of all workers as one set of metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal

import numpy as np
import orjson

from tonnage.contract import latency_buckets as layout
from tonnage.contract import metrics as names
from tonnage.server.metrics import histogram
from tonnage.server.metrics.block import BATCH_BOUNDS, CODES, PROTOCOLS, State
from tonnage.server.metrics.page import OPENMETRICS_TYPE, TEXT_TYPE, Family, Sample, labels, render
from tonnage.server.metrics.recorder import window_counts

PERCENTILES: Final = {
    0.5: names.INFERENCE_LATENCY_P50,
    0.95: names.INFERENCE_LATENCY_P95,
    0.99: names.INFERENCE_LATENCY_P99,
}
"""Share of the requests to the gauge of the latency below which it lies."""
_SECONDS_BOUNDS = [*(f"{bound:.9g}" for bound in histogram.OCTAVE_BOUNDS_S), "+Inf"]
_ITEMS_BOUNDS = [*(str(float(bound)) for bound in BATCH_BOUNDS), "+Inf"]


def expose(slots: Any, *, model: str, now_s: float, window_s: float, accept: str) -> tuple[bytes, str]:
    """Render the metrics of all workers.

    Args:
        slots: Structured array of the block's slots.
        model: Value of the label ``model``.
        now_s: The time, of the clock that filled the window.
        window_s: Length of the sliding window [s].
        accept: The request's Accept header; decides between Prometheus' text, OpenMetrics and the window of
            ``contract.latency_buckets``.

    Returns:
        The page, and its content type.
    """
    if layout.WINDOW_TYPE in accept:
        return _window_document(slots, now_s, window_s), layout.WINDOW_TYPE
    openmetrics = "application/openmetrics-text" in accept
    page = render(_Families(slots, model, now_s, window_s).all(), openmetrics=openmetrics)
    return page, OPENMETRICS_TYPE if openmetrics else TEXT_TYPE


def _window_document(slots: Any, now_s: float, window_s: float) -> bytes:
    """The window's fine buckets, so that percentiles of many servers can be made of one sum."""
    counts = window_counts(slots, now_s, window_s)
    filled = np.flatnonzero(counts)
    alive = slots[slots["state"] != State.ABSENT]
    return orjson.dumps(
        {
            "layout": layout.LAYOUT,
            "windowSeconds": window_s,
            "buckets": dict(zip(map(str, filled.tolist()), counts[filled].tolist(), strict=True)),
            "answered": int(slots["latency"].sum()),
            "inFlight": int(alive["in_flight"].sum()),
            "queue": int(alive["queue"].sum()),
        }
    )


class _Families:
    """What the slots say at one time."""

    def __init__(self, slots: Any, model: str, now_s: float, window_s: float) -> None:
        self._slots = slots
        self._model = model
        self._tags = labels(model=model)
        self._now_s = now_s
        self._window_s = window_s

    def all(self) -> Iterator[Family]:
        yield self._requests()
        yield self._durations(
            names.REQUEST_SECONDS, "Time from a request's arrival to its answer.", "latency"
        )
        yield self._durations(
            names.QUEUE_SECONDS, "Time from a request's arrival to its batch's start.", "wait"
        )
        yield self._durations(names.COMPUTE_SECONDS, "Time of one batch in the model.", "compute")
        yield self._histogram(
            names.BATCH_SIZE,
            "Items in one batch.",
            _ITEMS_BOUNDS,
            np.cumsum(self._slots["batch"].sum(axis=0)).tolist(),
            int(self._slots["batch_sum"].sum()),
        )
        yield from self._window()
        yield from self._gauges()
        yield from self._workers()

    def _requests(self) -> Family:
        counts = self._slots["requests"].sum(axis=0).tolist()
        samples = [
            ("", labels(model=self._model, protocol=protocol, code=code), counts[p][c])
            for p, protocol in enumerate(PROTOCOLS)
            for c, code in enumerate(CODES)
            if counts[p][c] or code == "200"
        ]
        return Family(
            names.REQUESTS_TOTAL, "counter", "Inference requests answered, by status code.", samples
        )

    def _durations(self, name: str, text: str, field: str) -> Family:
        cumulative = histogram.at_octaves(self._slots[field].sum(axis=0))
        total_s = float(self._slots[f"{field}_sum_s"].sum())
        return self._histogram(name, text, _SECONDS_BOUNDS, cumulative, total_s)

    def _histogram(
        self, name: str, text: str, bounds: list[str], cumulative: list[int], total: float
    ) -> Family:
        start = self._tags[:-1] + ',le="'
        samples: list[Sample] = [
            ("_bucket", f'{start}{bound}"}}', count) for bound, count in zip(bounds, cumulative, strict=True)
        ]
        samples += [("_count", self._tags, cumulative[-1]), ("_sum", self._tags, total)]
        return Family(name, "histogram", text, samples)

    def _window(self) -> Iterator[Family]:
        """Percentiles of the window: absent while it is empty, and never NaN."""
        counts = window_counts(self._slots, self._now_s, self._window_s)
        # a summary, as Prometheus means it: quantiles of a sliding window, count and sum of all time
        samples: list[Sample] = []
        gauges: dict[float, list[Sample]] = {q: [] for q in PERCENTILES}
        for q, gauge in gauges.items():
            value = histogram.quantile(counts, q)
            if value is not None:
                samples.append(("", labels(model=self._model, quantile=f"{q:g}"), value))
                gauge.append(("", self._tags, value))
        samples += [
            ("_count", self._tags, int(self._slots["latency"].sum())),
            ("_sum", self._tags, float(self._slots["latency_sum_s"].sum())),
        ]
        over = f"over the last {self._window_s:g} s"
        yield Family(
            names.LATENCY_WINDOW_SECONDS, "summary", f"Percentiles of request latency {over}.", samples
        )
        for q, gauge in gauges.items():
            text = f"p{q * 100:g} of request latency {over}, in seconds."
            yield Family(PERCENTILES[q], "gauge", text, gauge)

    def _gauges(self) -> Iterator[Family]:
        alive = self._slots[self._slots["state"] != State.ABSENT]
        for name, text, field in (
            (names.IN_FLIGHT, "Inference requests accepted and not yet answered.", "in_flight"),
            (names.QUEUE_LENGTH, "Inference requests waiting for a batch.", "queue"),
            (names.CONNECTIONS, "Open HTTP connections.", "connections"),
        ):
            yield self._one(name, "gauge", text, int(alive[field].sum()))
        ready = alive[alive["state"] == State.READY]
        yield self._one(
            names.READY, "gauge", "1 when the model is loaded, warm and not draining.", int(len(ready) > 0)
        )
        if len(ready):
            load_s, warmup_s = float(ready["load_s"].max()), float(ready["warmup_s"].max())
            yield self._one(names.LOAD_SECONDS, "gauge", "Time to load the model.", load_s)
            yield self._one(names.WARMUP_SECONDS, "gauge", "Time to warm the model up.", warmup_s)

    def _workers(self) -> Iterator[Family]:
        states = self._slots["state"].tolist()
        samples = [
            ("", labels(model=self._model, state=state.name.lower()), states.count(state))
            for state in State
            if state is not State.ABSENT
        ]
        yield Family(names.WORKERS, "gauge", "Worker processes by state.", samples)
        for name, text, field in (
            (names.WORKER_RESTARTS_TOTAL, "Worker processes started anew after one had died.", "restarts"),
            (names.LOG_LINES_DROPPED_TOTAL, "Log lines that could not be written.", "log_lines_dropped"),
        ):
            yield self._one(name, "counter", text, int(self._slots[field].sum()))

    def _one(self, name: str, kind: Literal["counter", "gauge"], text: str, value: float) -> Family:
        return Family(name, kind, text, [("", self._tags, value)])
