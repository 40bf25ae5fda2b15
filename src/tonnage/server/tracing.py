"""Spans of inferences: none by default, OpenTelemetry with the ``otel`` extra.

One server span is made for each call whose caller samples its trace, and none for any other: at tens
of thousands of requests a second the caller's choice is the only one that can be afforded. A span
holds what a caller cannot see from outside: how long the call waited, with how many it shared a
batch, and how long the model took.

Spans are made after the answers have gone out and are put into a bounded queue; the exporter's own
thread sends them. When the collector does not keep up, the oldest are dropped.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import tonnage
from tonnage.errors import EnvironmentFault, SpecError
from tonnage.server.call import Call
from tonnage.server.metrics.block import PROTOCOLS

QUEUE_SPANS_MAX: Final = 4096
"""Spans that may wait for the exporter; beyond it the oldest is dropped."""
EXPORT_SPANS_MAX: Final = 512
"""Spans of one export."""
EXPORT_PERIOD_S: Final = 1.0
EXPORT_S_MAX: Final = 5.0
"""One export, with its tries; then its spans are dropped."""
CLOSE_S_MAX: Final = 2.0
"""For the spans that are left when the server ends."""

TRACES_PATH: Final = "/v1/traces"

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The caller's place in a trace.

    Attributes:
        version: Version of the header's format [0 to 254].
        trace_id: The trace: 32 lower-case hexadecimal digits, not all zero.
        parent_id: The caller's span: 16 lower-case hexadecimal digits, not all zero.
        flags: Trace flags [0 to 255].
    """

    version: int
    trace_id: str
    parent_id: str
    flags: int

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded its span."""
        return bool(self.flags & _SAMPLED)

    def __str__(self) -> str:
        return f"{self.version:02x}-{self.trace_id}-{self.parent_id}-{self.flags:02x}"


def parse_traceparent(text: str) -> TraceContext | None:
    """Read a ``traceparent`` header.

    Args:
        text: The header's value, without the white space around it.

    Returns:
        What it says; None when it is invalid, which is to be treated as if there were none. Of a
        version above 00 only the part that version 00 knows is read.

    Source: W3C Trace Context, section 3.2, "Traceparent Header".
    """
    match = _TRACEPARENT.fullmatch(text)
    if match is None:
        return None
    version, trace_id, parent_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not trace_id.strip("0") or not parent_id.strip("0"):
        return None
    return TraceContext(int(version, 16), trace_id, parent_id, int(flags, 16))


class Tracer(Protocol):
    """Is told of each batch, after its calls have been answered."""

    @property
    def enabled(self) -> bool:
        """Whether ``record`` does anything; when not, it need not be called."""

    def record(
        self,
        calls: Sequence[Call],
        started_s: float,
        ended_s: float,
        answered_s: float,
        error: BaseException | None = None,
    ) -> None:
        """Note one batch; never waits.

        Args:
            calls: The batch.
            started_s: When the model got it [s, monotonic].
            ended_s: When the model was done [s, monotonic].
            answered_s: When the answers had been handed to the connections [s, monotonic].
            error: What the model raised; None when it gave an answer.
        """

    def close(self) -> None:
        """Send what is left, for at most ``CLOSE_S_MAX``; waits."""


class NoTracer:
    """Traces nothing, at no cost."""

    enabled = False

    def record(
        self,
        calls: Sequence[Call],
        started_s: float,
        ended_s: float,
        answered_s: float,
        error: BaseException | None = None,
    ) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class OtlpTracer:
    """Exports spans with the OpenTelemetry SDK over OTLP/HTTP.

    Args:
        api: The module ``opentelemetry.trace``.
        provider: The SDK's ``TracerProvider``.
        model: Name of the model, for the spans.
    """

    enabled = True

    def __init__(self, api: Any, provider: Any, model: str) -> None:
        self._api = api
        self._provider = provider
        self._tracer = provider.get_tracer("tonnage.server", tonnage.__version__)
        self._model = model
        self._name = f"infer {model}"
        # taken once: a step of the wall clock must not tear a trace apart or turn a span around
        self._wall_ns = time.time_ns() - time.monotonic_ns()

    def record(
        self,
        calls: Sequence[Call],
        started_s: float,
        ended_s: float,
        answered_s: float,
        error: BaseException | None = None,
    ) -> None:
        """Put a span for each sampled call into the exporter's queue."""
        items = 0
        for call in calls:
            if call.traceparent is None:
                continue
            context = parse_traceparent(call.traceparent)
            if context is None or not context.sampled:
                continue
            items = items or sum(one.items for one in calls)
            attributes = {
                "tonnage.model.name": self._model,
                "tonnage.protocol": PROTOCOLS[call.protocol],
                "tonnage.request.items": call.items,
                "tonnage.batch.items": items,
                "tonnage.batch.requests": len(calls),
                "tonnage.queue_wait_s": started_s - call.arrived_s,
                "tonnage.compute_s": ended_s - started_s,
            }
            if call.request.id is not None:
                attributes["tonnage.request.id"] = call.request.id
            self._export(context, attributes, call.arrived_s, answered_s, error)

    def _export(
        self,
        context: TraceContext,
        attributes: dict[str, str | int | float],
        arrived_s: float,
        answered_s: float,
        error: BaseException | None,
    ) -> None:
        api = self._api
        caller = api.SpanContext(
            trace_id=int(context.trace_id, 16),
            span_id=int(context.parent_id, 16),
            is_remote=True,
            trace_flags=api.TraceFlags(context.flags),
        )
        span = self._tracer.start_span(
            self._name,
            context=api.set_span_in_context(api.NonRecordingSpan(caller)),
            kind=api.SpanKind.SERVER,
            attributes=attributes,
            start_time=self._unix_ns(arrived_s),
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(api.StatusCode.ERROR, str(error)[:1000])
        span.end(end_time=self._unix_ns(answered_s))

    def _unix_ns(self, monotonic_s: float) -> int:
        """Nanoseconds since 1970; what ``time.monotonic`` gives has them only to about 100."""
        return self._wall_ns + round(monotonic_s * 1e9)

    def close(self) -> None:
        """Send what is left, as long as it may take."""
        # the SDK's own shutdown waits for 30 s, and longer for a collector that does not answer
        closing = threading.Thread(target=self._provider.shutdown, name="tracer-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S_MAX)


def make_tracer(otlp_endpoint: str | None, service_name: str, *, model: str) -> Tracer:
    """Make what traces the calls of one server.

    Args:
        otlp_endpoint: Base URL of an OTLP/HTTP collector, such as ``http://collector:4318``; with or
            without the path ``/v1/traces``. None traces nothing.
        service_name: The ``service.name`` of the spans; the variable ``OTEL_SERVICE_NAME`` wins.
        model: Name of the model.

    Returns:
        A tracer; ``close`` it at the end.

    Raises:
        SpecError: The endpoint is no such URL.
        EnvironmentFault: The ``otel`` extra is not installed.
    """
    if otlp_endpoint is None:
        return NoTracer()
    url = _traces_url(otlp_endpoint)
    try:
        # half a second of importing, for who wants it
        from opentelemetry import trace as api
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
    except ImportError as error:
        raise EnvironmentFault(
            f"server.otlpEndpoint: needs the OpenTelemetry packages, got {error}; pip install 'tonnage[otel]'"
        ) from None
    resource = Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or service_name,
            "service.version": tonnage.__version__,
            "process.pid": os.getpid(),
        }
    )
    # ParentBased(ALWAYS_OFF): the caller's choice, and without a caller none
    provider = TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    processor = BatchSpanProcessor(
        OTLPSpanExporter(endpoint=url, timeout=EXPORT_S_MAX),
        max_queue_size=QUEUE_SPANS_MAX,
        max_export_batch_size=EXPORT_SPANS_MAX,
        schedule_delay_millis=EXPORT_PERIOD_S * 1e3,
    )
    provider.add_span_processor(processor)
    return OtlpTracer(api, provider, model)


def _traces_url(endpoint: str) -> str:
    """The full URL for traces.

    Source: OpenTelemetry Protocol Exporter, "Endpoint URLs for OTLP/HTTP".
    """
    try:
        parts = urlsplit(endpoint)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or a broken IPv6 address
        valid = False
    if not valid:
        raise SpecError(f"server.otlpEndpoint: must be an http or https URL, got {endpoint!r}")
    base = endpoint.rstrip("/")
    return base if base.endswith(TRACES_PATH) else base + TRACES_PATH


__all__ = ["NoTracer", "TraceContext", "Tracer", "make_tracer", "parse_traceparent"]
