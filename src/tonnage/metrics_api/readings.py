"""One page of a pod, as what its preset says of it. Pure.

Of our own server it is its window with fine buckets, where the server tells it, else its Prometheus page.
Several models on one page count as one: their requests are added, and of quantiles that a server made itself
the largest counts, since quantiles cannot be added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import numpy as np

from tonnage.contract import latency_buckets as layout
from tonnage.metrics_api.page import BadPage, Series, bound_of, read_page
from tonnage.metrics_api.presets import LatencySource, Preset
from tonnage.metrics_api.windows import FINE_BOUNDS_S, Histogram, Reading

LATENCY: Final = "latency"
REQUESTS: Final = "requests"
IN_FLIGHT: Final = "in_flight"
QUEUE: Final = "queue"


class _Document(msgspec.Struct, rename="camel"):
    """A server's window as it travels; ``contract.latency_buckets`` describes it."""

    layout: str
    window_seconds: float
    buckets: dict[str, int]
    answered: int
    in_flight: int
    queue: int


def read(preset: Preset, body: bytes, content_type: str, at_s: float) -> Reading:
    """Read a page.

    Args:
        preset: How the pod's server words it.
        body: The page.
        content_type: As the server named it.
        at_s: When it was read [s, monotonic].

    Raises:
        BadPage: It is not what it should be.
    """
    if content_type.startswith(layout.WINDOW_TYPE):
        return _read_window(body, at_s)
    page = read_page(body, preset.wanted)
    gauges: dict[str, float] = {}
    counters: dict[str, float] = {}
    histograms: dict[str, Histogram] = {}
    in_flight = [one for name in preset.in_flight for one in page.get(name, ())]
    if in_flight:
        gauges[IN_FLIGHT] = _sum(in_flight)
    if preset.queue is not None and preset.queue in page:
        gauges[QUEUE] = _sum(page[preset.queue])
    if preset.requests is not None and preset.requests in page:
        counters[REQUESTS] = _sum(page[preset.requests])
    if preset.latency is not None:
        source = preset.latency
        series = _labelled(page.get(source.line, ()), source)
        if series and source.form == "histogram":
            histograms[LATENCY] = _histogram(series, source)
            if preset.requests is None:
                counters[REQUESTS] = histograms[LATENCY].total
        elif series:
            gauges |= _quantiles(series, source)
    return Reading(at_s, gauges, counters, histograms)


def quantile_name(q: float) -> str:
    """Under which name a reading has a quantile that the server made itself."""
    return f"{LATENCY}:{q:g}"


def _read_window(body: bytes, at_s: float) -> Reading:
    try:
        document = msgspec.json.decode(body, type=_Document)
        filled = {int(bucket): count for bucket, count in document.buckets.items()}
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadPage(f"window: {error}") from None
    if document.layout != layout.LAYOUT:
        raise BadPage(f'window: must have the layout "{layout.LAYOUT}", got "{document.layout[:80]}"')
    if any(not 0 <= bucket < layout.BUCKETS or count < 0 for bucket, count in filled.items()):
        raise BadPage(f"window: must have counts >= 0 in buckets 0 to {layout.BUCKETS - 1}")
    if not 0 < document.window_seconds < math.inf:
        raise BadPage(f"window: must be > 0 s long, got {document.window_seconds:g}")
    counts = np.zeros(layout.BUCKETS)
    counts[list(filled)] = list(filled.values())
    return Reading(
        at_s,
        gauges={IN_FLIGHT: float(document.in_flight), QUEUE: float(document.queue)},
        counters={REQUESTS: float(document.answered)},
        windows={LATENCY: Histogram(FINE_BOUNDS_S, counts)},
        window_s=document.window_seconds,
    )


def _sum(series: Iterable[Series]) -> float:
    return sum(one.value for one in series if math.isfinite(one.value))


def _labelled(series: Iterable[Series], source: LatencySource) -> list[Series]:
    name, barred = source.without
    return [
        one
        for one in series
        if one.labels.get(name) not in barred
        and all(one.labels.get(label) == value for label, value in source.labels)
    ]


def _histogram(series: Iterable[Series], source: LatencySource) -> Histogram:
    buckets: dict[float, float] = {}
    for one in series:
        if "le" not in one.labels:
            raise BadPage(f"{source.metric}: a bucket must have the label le")
        if not math.isfinite(one.value) or one.value < 0:
            raise BadPage(f"{source.metric}: a bucket must hold a count >= 0, got {one.value:g}")
        bound = bound_of(one.labels["le"]) * source.to_seconds
        buckets[bound] = buckets.get(bound, 0.0) + one.value
    return Histogram.cumulative(buckets)


def _quantiles(series: Iterable[Series], source: LatencySource) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in series:
        q: Any = one.labels.get("quantile")
        try:
            name = quantile_name(float(q))
        except (TypeError, ValueError):
            raise BadPage(f'{source.metric}: must have a number as label quantile, got "{q}"') from None
        if math.isfinite(one.value):
            found[name] = max(found.get(name, 0.0), one.value * source.to_seconds)
    return found
