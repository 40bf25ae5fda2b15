"""A collector for tests: OTLP over HTTP, decoded with the protocol's own messages."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass
class ReceivedSpan:
    """A span with what surrounds it in the message, all as Python values."""

    span: Any
    resource: dict[str, Any]
    scope: str
    attributes: dict[str, Any] = field(default_factory=dict)


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


class Collector:
    """Listens on a port of the kernel's choice; ``wait`` for spans.

    Args:
        held: Answer no export before ``release`` is called, as a collector that hangs.
    """

    def __init__(self, *, held: bool = False) -> None:
        self.spans: list[ReceivedSpan] = []
        self.paths: list[str] = []
        self.problems: list[str] = []
        self.asked = threading.Event()
        self._gate = threading.Event()
        self._arrived = threading.Condition()
        if not held:
            self._gate.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.asked.set()
                body = self.rfile.read(int(self.headers["content-length"]))
                collector._gate.wait()
                try:
                    collector._take(self.path, self.headers, body)
                except Exception as error:
                    collector.problems.append(repr(error))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        self._gate.set()

    def _take(self, path: str, headers: Any, body: bytes) -> None:
        assert headers["content-type"] == "application/x-protobuf", headers["content-type"]
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message = ExportTraceServiceRequest.FromString(body)
        with self._arrived:
            self.paths.append(path)
            for resource in message.resource_spans:
                about = _values(resource.resource.attributes)
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans.append(
                            ReceivedSpan(span, about, scope.scope.name, _values(span.attributes))
                        )
            self._arrived.notify_all()

    def wait(self, count: int, timeout_s: float = 30.0) -> list[ReceivedSpan]:
        """Wait until ``count`` spans have arrived."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.spans) >= count, timeout_s), (
                f"{len(self.spans)} of {count} spans; {self.problems}"
            )
            assert not self.problems
            return list(self.spans)
