"""The server's spans, from a request over HTTP to the collector."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if importlib.util.find_spec("opentelemetry.proto") is None:
    pytest.skip("needs the otel extra: pip install -e '.[otel]'", allow_module_level=True)

pytestmark = pytest.mark.slow


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


def test_a_sampled_request_is_seen_by_the_collector(serve: Callable[..., Any], tiny: Path) -> None:
    """Of three requests the sampled one becomes a span, its header comes back, and the end sends it."""
    model = {"name": "tiny", "format": "onnx", "path": str(tiny)}
    with Collector() as collector:
        server = serve(model, otlp_endpoint=collector.url)
        header = f"00-{TRACE}-{PARENT}-01"
        server.infer("tiny", [[1, 2, 3, 4]])
        server.infer("tiny", [[1, 2, 3, 4]], {"traceparent": f"00-{TRACE}-{PARENT}-00"})
        status, _, headers = server.infer("tiny", [[1, 2, 3, 4]] * 2, {"traceparent": header})
        assert status == 200
        assert headers["traceparent"] == header
        assert server.stop() == 0
        (one,) = collector.wait(1)
    assert one.span.trace_id.hex() == TRACE
    assert one.span.parent_span_id.hex() == PARENT
    assert one.resource["service.name"] == "tiny"
    assert one.attributes["tonnage.request.items"] == 2
    assert one.attributes["tonnage.compute_s"] > 0


def test_a_model_that_raises_gives_a_span_with_the_error(
    serve: Callable[..., Any], python_model: Callable[..., dict[str, Any]]
) -> None:
    """A sampled request whose model raises becomes a span with error status."""
    with Collector() as collector:
        server = serve(python_model("Steered"), otlp_endpoint=collector.url)
        status, _, _ = server.infer("m", [[13.0]], {"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert status == 500
        assert server.stop() == 0
        (one,) = collector.wait(1)
    assert one.span.status.code == 2
    assert one.attributes["error.type"] == "ValueError"


def test_an_endpoint_that_is_none_ends_the_server(serve: Callable[..., Any], tiny: Path) -> None:
    """A malformed endpoint ends the server at the start with exit code 2 and one line."""
    model = {"name": "tiny", "format": "onnx", "path": str(tiny)}
    server = serve(model, ready=False, otlp_endpoint="collector:4318")
    line = server.event("cannot serve")
    assert line["error"] == "server.otlpEndpoint: must be an http or https URL, got 'collector:4318'"
    assert server.process.wait(30) == 2
