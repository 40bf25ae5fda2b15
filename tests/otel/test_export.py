"""Spans as a collector receives them."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tonnage.errors import EnvironmentFault, SpecError
from tonnage.server.call import Call
from tonnage.server.oip.decode import InferRequest
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import InferenceError
from tonnage.server.tracing import QUEUE_SPANS_MAX, NoTracer, make_tracer

if importlib.util.find_spec("opentelemetry") is None:
    pytest.skip("needs the otel extra: pip install -e '.[otel]'", allow_module_level=True)


def _beside(name: str) -> ModuleType:
    """A module of this folder; pytest's importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location(f"otel_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


Collector: Any = _beside("collector").Collector

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
SERVER_KIND = 2
ERROR_STATUS = 2


class _Call(Call):
    protocol = 0

    def answer(self, answers: BatchAnswers, at: int) -> None:
        raise AssertionError

    def fail(self, error: InferenceError) -> None:
        raise AssertionError


def call(traceparent: str | None, arrived_s: float, *, items: int = 1, id: str | None = None) -> _Call:  # noqa: A002
    one = _Call()
    one.request = InferRequest(id, [], items, None, None, False, None)
    one.items = items
    one.arrived_s = arrived_s
    one.traceparent = traceparent
    return one


def test_each_sampled_call_becomes_a_server_span_under_its_caller() -> None:
    """A batch of calls gives one span per sampled call, with parent, kind, times and attributes."""
    with Collector() as collector:
        tracer = make_tracer(collector.url, "shop", model="digits")
        assert tracer.enabled
        before_ns = time.time_ns()
        now_s = time.monotonic()
        calls = [
            call(SAMPLED, now_s - 0.5, items=3, id="a"),
            call(None, now_s - 0.4),
            call(f"00-{TRACE}-{PARENT}-00", now_s - 0.3),
            call("nonsense", now_s - 0.3),
            call(f"00-{'ab' * 16}-{'cd' * 8}-01", now_s - 0.25, items=2),
        ]
        tracer.record(calls, now_s - 0.2, now_s - 0.05, now_s)
        tracer.close()
        first, second = collector.wait(2)
    assert len(collector.spans) == 2
    assert first.span.trace_id.hex() == TRACE
    assert first.span.parent_span_id.hex() == PARENT
    assert first.span.span_id.hex() not in (PARENT, "0" * 16)
    assert second.span.trace_id.hex() == "ab" * 16
    assert first.span.kind == SERVER_KIND
    assert first.span.name == "infer digits"
    assert first.scope == "tonnage.server"
    assert first.resource["service.name"] == "shop"
    assert first.attributes["tonnage.queue_wait_s"] == pytest.approx(0.3)
    assert first.attributes["tonnage.compute_s"] == pytest.approx(0.15)
    assert second.attributes["tonnage.queue_wait_s"] == pytest.approx(0.05)
    exact = {key: value for key, value in first.attributes.items() if not key.endswith("_s")}
    assert exact == {
        "tonnage.model.name": "digits",
        "tonnage.protocol": "http",
        "tonnage.request.id": "a",
        "tonnage.request.items": 3,
        "tonnage.batch.items": 8,
        "tonnage.batch.requests": 5,
    }
    assert "tonnage.request.id" not in second.attributes
    taken_s = (first.span.end_time_unix_nano - first.span.start_time_unix_nano) / 1e9
    assert taken_s == pytest.approx(0.5, abs=1e-6)
    assert abs(first.span.end_time_unix_nano - before_ns) < 60e9
    assert first.span.status.code == 0
    assert collector.paths == ["/v1/traces"]


def test_what_the_model_raised_is_told() -> None:
    """A call whose model raised gives a span with error status, type and message."""
    with Collector() as collector:
        tracer = make_tracer(collector.url + "/v1/traces", "shop", model="digits")
        now_s = time.monotonic()
        tracer.record([call(SAMPLED, now_s)], now_s, now_s, now_s, ValueError("no such digit"))
        tracer.close()
        (one,) = collector.wait(1)
    assert collector.paths == ["/v1/traces"]
    assert one.span.status.code == ERROR_STATUS
    assert one.span.status.message == "no such digit"
    assert one.attributes["error.type"] == "ValueError"


def test_spans_leave_without_being_asked_for() -> None:
    """The exporter sends by itself, while the server goes on."""
    with Collector() as collector:
        tracer = make_tracer(collector.url, "shop", model="digits")
        now_s = time.monotonic()
        tracer.record([call(SAMPLED, now_s)], now_s, now_s, now_s)
        collector.wait(1)
        tracer.close()


def test_a_collector_that_hangs_stops_neither_recording_nor_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a hanging collector more spans than the queue holds are taken, and the oldest are dropped."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with Collector(held=True) as collector:
        tracer = make_tracer(collector.url, "shop", model="digits")
        now_s = time.monotonic()
        tracer.record([call(SAMPLED, now_s, id="first")], now_s, now_s, now_s)
        assert collector.asked.wait(30)
        for i in range(QUEUE_SPANS_MAX + 10):
            tracer.record([call(SAMPLED, now_s, id=str(i))], now_s, now_s, now_s)
        collector.release()
        spans = collector.wait(1 + QUEUE_SPANS_MAX)
        tracer.close()
    ids = [one.attributes["tonnage.request.id"] for one in spans]
    assert ids == ["first", *map(str, range(10, QUEUE_SPANS_MAX + 10))]


def test_nobody_at_the_endpoint_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Spans for an address where nobody listens are dropped, and closing comes to an end."""
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with Collector() as collector:
        url = collector.url
    tracer = make_tracer(url, "shop", model="digits")
    now_s = time.monotonic()
    tracer.record([call(SAMPLED, now_s)], now_s, now_s, now_s)
    tracer.close()


def test_without_an_endpoint_nothing_is_traced() -> None:
    """No endpoint gives the tracer that does nothing."""
    tracer = make_tracer(None, "shop", model="digits")
    assert isinstance(tracer, NoTracer)
    assert not tracer.enabled
    tracer.record([call(SAMPLED, 0.0)], 0.0, 0.0, 0.0)
    tracer.close()


@pytest.mark.parametrize("endpoint", ["", "collector:4318", "grpc://collector:4317", "http://", "http://a:b"])
def test_an_endpoint_must_be_a_url(endpoint: str) -> None:
    """An endpoint that is no http URL is refused at the start, with what was found."""
    with pytest.raises(SpecError) as caught:
        make_tracer(endpoint, "shop", model="digits")
    assert str(caught.value) == f"server.otlpEndpoint: must be an http or https URL, got {endpoint!r}"


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry an endpoint is an error that says what to install."""
    for name in [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'tonnage\[otel\]'$"):
        make_tracer("http://127.0.0.1:4318", "shop", model="digits")


def test_without_an_endpoint_opentelemetry_is_not_imported() -> None:
    """Who does not trace does not pay for the import."""
    code = (
        "import sys; from tonnage.server.tracing import make_tracer; make_tracer(None, 's', model='m');"
        "sys.exit('opentelemetry' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
