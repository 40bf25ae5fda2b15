"""Spans of inferences: none by default, OpenTelemetry with the ``otel`` extra."""

from __future__ import annotations

from typing import Protocol


class Tracer(Protocol):
    """Is told of each answered call."""

    enabled: bool


class NoTracer:
    """Traces nothing, at no cost."""

    enabled = False
