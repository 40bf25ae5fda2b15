"""A pod of any other server: which of its metrics hold latency, requests and work, from annotations.

    tonnage.dev/metrics: custom
    tonnage.dev/metrics-latency: http_request_duration_seconds{handler="/predict"}

The latency is a histogram in seconds unless other annotations say otherwise; all else may be left out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tonnage.metrics_api.presets import LatencySource, Preset

NAME: Final = "custom"
LATENCY_ANNOTATION: Final = "tonnage.dev/metrics-latency"
"""Name of a family, with the labels that its series must have, if any."""
FORM_ANNOTATION: Final = "tonnage.dev/metrics-latency-form"
UNIT_ANNOTATION: Final = "tonnage.dev/metrics-latency-unit"
REQUESTS_ANNOTATION: Final = "tonnage.dev/metrics-requests"
"""Name of a counter."""
IN_FLIGHT_ANNOTATION: Final = "tonnage.dev/metrics-in-flight"
"""Names of gauges, which are added."""
QUEUE_ANNOTATION: Final = "tonnage.dev/metrics-queue"
"""Name of a gauge."""
_UNITS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_FORMS: Final = ("histogram", "summary")
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
_SOURCE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]{0,199})(?:\{(?P<labels>[^{}]{1,1000})\})?"
)
_LABEL: Final = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"([^"\\]*)"\s*(?:,|$)')


def custom_preset(annotations: Mapping[str, str]) -> Preset:
    """What the annotations describe.

    Args:
        annotations: Of the pod.

    Raises:
        ValueError: One of them cannot be read, or they name no metric at all; the message says which.
    """
    latency = _latency(annotations)
    requests = _metric(REQUESTS_ANNOTATION, annotations.get(REQUESTS_ANNOTATION))
    queue = _metric(QUEUE_ANNOTATION, annotations.get(QUEUE_ANNOTATION))
    names = [one.strip() for one in annotations.get(IN_FLIGHT_ANNOTATION, "").split(",")]
    in_flight = tuple(_metric(IN_FLIGHT_ANNOTATION, one) or "" for one in names if one)
    if latency is None and requests is None and not in_flight:
        raise ValueError(f"{LATENCY_ANNOTATION}: must be given with tonnage.dev/metrics: {NAME}")
    return Preset(NAME, 8080, "/metrics", latency, requests, in_flight, "the pod's annotations", queue)


def _latency(annotations: Mapping[str, str]) -> LatencySource | None:
    text = annotations.get(LATENCY_ANNOTATION)
    if text is None:
        return None
    match = _SOURCE.fullmatch(text.strip())
    labels = _labels(match["labels"] or "") if match is not None else None
    if match is None or labels is None:
        example = 'request_seconds or request_seconds{path="/predict"}'
        raise ValueError(f'{LATENCY_ANNOTATION}: must be like {example}, got "{text[:80]}"')
    form: Any = annotations.get(FORM_ANNOTATION, _FORMS[0])
    if form not in _FORMS:
        raise ValueError(f'{FORM_ANNOTATION}: must be one of {", ".join(_FORMS)}, got "{form[:40]}"')
    unit = annotations.get(UNIT_ANNOTATION, "s")
    if unit not in _UNITS:
        raise ValueError(f'{UNIT_ANNOTATION}: must be one of {", ".join(_UNITS)}, got "{unit[:40]}"')
    return LatencySource(match["name"], form, _UNITS[unit], labels)


def _labels(text: str) -> tuple[tuple[str, str], ...] | None:
    """The labels in braces; None where they are not such."""
    found, at = [], 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            return None
        found.append((match[1], match[2]))
        at = match.end()
    return tuple(found)


def _metric(annotation: str, text: str | None) -> str | None:
    if text is not None and _METRIC.fullmatch(text) is None:
        raise ValueError(f'{annotation}: must be the name of a metric, got "{text[:80]}"')
    return text
