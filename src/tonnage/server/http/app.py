"""The server's HTTP interface: health, metrics and the Open Inference Protocol over REST."""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import orjson

import tonnage
from tonnage.contract import endpoints
from tonnage.contract.server_config import ServerConfig
from tonnage.server.call import Call
from tonnage.server.engine import Engine
from tonnage.server.http.connection import Connection
from tonnage.server.http.head import Head, HeadTable, HttpError
from tonnage.server.http.response import BINARY, JSON, response
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip.decode import InferRequest, RequestDecoder
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import Fault, InferenceError, bad_request
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.state import ServerState, Verdict

_HTTP = 0  # index in metrics.block.PROTOCOLS
_BINARY_HEADER = endpoints.BINARY_HEADER.encode()
_ECHOED = (endpoints.REQUEST_ID_HEADER.encode(), endpoints.TRACEPARENT_HEADER.encode(), b"tracestate")

Handler = Callable[["HttpApp", "SimpleExchange", Head, bytes], None]


class SimpleExchange:
    """A request that is answered at once."""

    __slots__ = ("keep_alive", "response")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response: bytes | None = None

    def abandon(self) -> None:
        """Nothing is under way for it."""


class HttpCall(Call):
    """An inference over HTTP."""

    __slots__ = ("app", "connection", "head", "keep_alive", "response")
    protocol = _HTTP

    app: HttpApp
    connection: Connection
    head: Head
    keep_alive: bool
    response: bytes | None

    def abandon(self) -> None:
        """The client has gone: never start this one."""
        self.deadline_s = -math.inf

    def answer(self, answers: BatchAnswers, at: int) -> None:
        """Send the outputs as JSON, or in the form asked for."""
        app = self.app
        request = self.request
        if request.wanted is None and not request.binary and self.head.plain and self.keep_alive:
            body = answers.json(at, self.items, request.id)
            self.connection.finish(self, b"%b%d\r\n\r\n%b" % (app.ok_start, len(body), body))
            return
        body, json_length = answers.body(at, self.items, request.id, request.wanted, request.binary)
        headers = app.headers_for(self.head)
        if json_length is not None:
            headers.append((_BINARY_HEADER, b"%d" % json_length))
        kind = JSON if json_length is None else BINARY
        self._send(response(200, kind, body, headers, close=not self.keep_alive))

    def fail(self, error: InferenceError) -> None:
        """Send an error body of the protocol."""
        app = self.app
        status = error.fault.http_status
        app.recorder.count(_HTTP, status)
        headers = app.headers_for(self.head)
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
        body = orjson.dumps({"error": error.message})
        self._send(response(status, JSON, body, headers, close=not self.keep_alive))

    def _send(self, data: bytes) -> None:
        self.connection.finish(self, data)


class HttpApp:
    """Routes requests; shared by all connections of a worker.

    Args:
        config: The server's settings.
        state: Whether it is ready.
        recorder: Where measurements go.
        metrics_page: Makes the metrics page from an Accept header: (body, content type).

    Attributes:
        connections: The open ones.
        heads: Request heads seen before.
        limits: What clients may send.
        ok_start: An answer's head up to the value of content-length; renewed each second.
        engine: The loaded model; None before.
    """

    def __init__(
        self,
        *,
        config: ServerConfig,
        state: ServerState,
        recorder: Recorder,
        metrics_page: Callable[[str], tuple[bytes, str]],
    ) -> None:
        self.connections: set[Connection] = set()
        self.limits = config.limits
        self.recorder = recorder
        self.engine: Engine | None = None
        self._decoder: RequestDecoder | None = None
        self._config = config
        self._state = state
        self._metrics_page = metrics_page
        self._deadline_s = config.deadline_s_default or math.inf
        self._date = b""
        self.ok_start = b""
        self.renew_date()
        self._model_paths = _model_paths(config.model.name, config.model.version)
        self._infer_paths = frozenset(path + b"/infer" for path in self._model_paths)
        self.heads = HeadTable(self._infer_paths)
        self._routes = _routes(config.model.name, config.model.version)

    def attach(self, engine: Engine, decoder: RequestDecoder, signature: Signature) -> None:
        """Begin to answer for a model that is loaded and warm."""
        self.engine = engine
        self._decoder = decoder
        model = self._config.model
        metadata = _model_metadata(model.name, model.version, signature)
        for path in self._model_paths:
            self._routes[path] = _constant(metadata)

    def new_connection(self) -> Connection:
        """A protocol object for a connection that the loop has accepted."""
        return Connection(self)

    def renew_date(self) -> None:
        """Write the time of now into the heads of answers; called each second."""
        self._date = formatdate(usegmt=True).encode()
        self.ok_start = (
            b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: " % self._date
        )

    def headers_for(self, head: Head) -> list[tuple[bytes, bytes]]:
        """Headers of an answer: the date, and the ids that came with the request."""
        headers = [(b"date", self._date)]
        if not head.plain:
            headers += [(name, head.headers[name]) for name in _ECHOED if name in head.headers]
        return headers

    def handle(self, connection: Connection, head: Head, body: bytes, now_s: float) -> None:
        """Answer one request."""
        if head.infer and not connection.crowded:
            self._infer(connection, head, body, now_s)
            return
        exchange = SimpleExchange(head.keep_alive and not self._state.closing)
        connection.begin(exchange)
        connection.finish(exchange, self._simple(connection, head, exchange))

    def refuse(self, connection: Connection, error: HttpError) -> None:
        """Answer what could not be read, and end the connection."""
        self.recorder.count(_HTTP, error.status)
        exchange = SimpleExchange(keep_alive=False)
        connection.begin(exchange)
        body = orjson.dumps({"error": error.message})
        connection.finish(exchange, response(error.status, JSON, body, [(b"date", self._date)], close=True))

    def _infer(self, connection: Connection, head: Head, body: bytes, now_s: float) -> None:
        call = HttpCall()
        call.app = self
        call.connection = connection
        call.head = head
        call.keep_alive = head.keep_alive and not self._state.closing
        call.response = None
        call.stream = connection
        call.arrived_s = now_s
        call.deadline_s = now_s + self._deadline_s
        call.traceparent = None
        connection.begin(call)
        engine = self.engine
        try:
            if engine is None or self._decoder is None or not self._state.accepting:
                raise InferenceError(Fault.NOT_READY, f"server: {self._state.readiness().reason}", 1.0)
            if head.plain:
                if engine.queue_length and call.deadline_s < math.inf:
                    self._refuse_early(engine, call, now_s)
                request = self._decoder.decode_json(body)
            else:
                request = self._decode_special(head, body, call)
        except InferenceError as error:
            call.fail(error)
            return
        except Exception as error:
            call.fail(InferenceError(Fault.MODEL, f"server: must read any body, got {error!r}"[:500]))
            return
        if request.parameters is not None and "timeout" in request.parameters:
            _apply_timeout(call, request)
        call.request = request
        call.items = request.items
        call.group = request.group
        engine.submit(call, now_s)

    def _refuse_early(self, engine: Engine, call: HttpCall, now_s: float) -> None:
        """Under overload, refuse before the body is decoded: that is most of the cost."""
        expected_s = engine.expected_answer_s(now_s)
        if expected_s > call.deadline_s:
            raise InferenceError(
                Fault.OVERLOADED,
                f"deadline: must be met, got {call.deadline_s - now_s:.3g} s allowed "
                f"and {expected_s - now_s:.3g} s expected",
                retry_after_s=expected_s - now_s,
            )

    def _decode_special(self, head: Head, body: bytes, call: HttpCall) -> InferRequest:
        """A request with headers that say how to read it or how long it may take."""
        assert self._decoder is not None
        headers = head.headers
        timeout = headers.get(endpoints.DEADLINE_HEADER.encode())
        if timeout is not None:
            try:
                timeout_s = float(timeout) / 1e3
            except ValueError:
                timeout_s = math.nan
            if not 0 < timeout_s < math.inf:
                raise bad_request(
                    f"header {endpoints.DEADLINE_HEADER}: must be milliseconds > 0, got {timeout[:40]!r}"
                )
            call.deadline_s = call.arrived_s + timeout_s
        trace = headers.get(b"traceparent")
        call.traceparent = trace.decode("latin-1") if trace is not None else None
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding != b"identity":
            body = _decompress(coding, body, self.limits.body_bytes_max)
        length = headers.get(_BINARY_HEADER)
        if length is None:
            return self._decoder.decode(body)
        if not length.isdigit() or len(length) > 18:
            raise bad_request(
                f"header {endpoints.BINARY_HEADER}: must be a whole number, got {length[:40]!r}"
            )
        return self._decoder.decode(body, int(length))

    def _simple(self, connection: Connection, head: Head, exchange: SimpleExchange) -> bytes:
        """Everything but inference."""
        head_only = head.method == b"HEAD"
        path = head.path.rstrip(b"/") or b"/"
        if connection.crowded and path not in _HEALTH:
            exchange.keep_alive = False
            return self._error(503, "server: has too many connections", exchange, head)
        route = self._routes.get(path)
        if path in self._infer_paths:  # and not a POST, or it would not have come here
            return self._error(405, "method: must be POST", exchange, head, ((b"allow", b"POST"),))
        if route is None:
            message = (
                _no_such_model(path, self._config)
                if path.startswith(b"/v2/models/")
                else (
                    f"path: must be one of this server's, got {path[:200].decode('latin-1')}"
                    "; see /v2 and /health"
                )
            )
            return self._error(404, message, exchange, head)
        if head.method not in (b"GET", b"HEAD"):
            return self._error(405, "method: must be GET", exchange, head, ((b"allow", b"GET, HEAD"),))
        status, kind, body = route(self, head)
        headers = self.headers_for(head)
        return response(status, kind, body, headers, close=not exchange.keep_alive, head_only=head_only)

    def _error(
        self,
        status: int,
        message: str,
        exchange: SimpleExchange,
        head: Head,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> bytes:
        self.recorder.count(_HTTP, status)
        body = orjson.dumps({"error": message})
        all_headers = [*self.headers_for(head), *headers]
        return response(
            status, JSON, body, all_headers, close=not exchange.keep_alive, head_only=head.method == b"HEAD"
        )

    def readiness(self) -> Verdict:
        """Whether the model answers."""
        return self._state.readiness()

    def liveness(self, now_s: float) -> Verdict:
        """Whether the model makes progress."""
        return self._state.liveness(self.engine.busy_since_s if self.engine else 0.0, now_s)

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page."""
        return self._metrics_page(accept)


Answer = tuple[int, bytes, bytes]
Route = Callable[[HttpApp, Head], Answer]

_HEALTH = frozenset(
    {
        endpoints.HEALTH_PATH.encode(),
        endpoints.LIVENESS_PATH.encode(),
        b"/v2/health/live",
        b"/v2/health/ready",
    }
)


def _constant(body: bytes) -> Route:
    return lambda app, head: (200, JSON, body)  # noqa: ARG005  every route has this form


def _verdict(key: str, verdict: Verdict, **more: Any) -> Answer:
    body: dict[str, Any] = {**more, key: verdict.ok}
    if not verdict.ok:
        body["reason"] = verdict.reason
    return 200 if verdict.ok else 503, JSON, orjson.dumps(body)


def _model_paths(model: str, version: str) -> tuple[bytes, ...]:
    base = f"/v2/models/{model}"
    return base.encode(), f"{base}/versions/{version}".encode()


def _routes(model: str, version: str) -> dict[bytes, Route]:
    def live(app: HttpApp, head: Head) -> Answer:
        del head
        return _verdict("live", app.liveness(time.monotonic()))

    def ready(app: HttpApp, head: Head) -> Answer:
        del head
        return _verdict("ready", app.readiness())

    def model_ready(app: HttpApp, head: Head) -> Answer:
        del head
        return _verdict("ready", app.readiness(), name=model)

    def not_loaded(app: HttpApp, head: Head) -> Answer:
        del head
        return 503, JSON, orjson.dumps({"error": f"server: {app.readiness().reason}"})

    def metrics(app: HttpApp, head: Head) -> Answer:
        body, kind = app.metrics(head.headers.get(b"accept", b"").decode("latin-1"))
        return 200, kind.encode(), body

    server = {"name": "tonnage", "version": tonnage.__version__, "extensions": ["binary_tensor_data"]}
    base = f"/v2/models/{model}"
    routes: dict[str, Route] = {
        "/": _constant(orjson.dumps({"model": model, "infer": f"{base}/infer", "metadata": base})),
        endpoints.HEALTH_PATH: ready,
        endpoints.LIVENESS_PATH: live,
        endpoints.METRICS_PATH: metrics,
        "/v2": _constant(orjson.dumps(server)),
        "/v2/health/live": live,
        "/v2/health/ready": ready,
    }
    table = {path.encode(): route for path, route in routes.items()}
    for path in _model_paths(model, version):
        table[path + b"/ready"] = model_ready
        table[path] = not_loaded
    return table


def _model_metadata(name: str, version: str, signature: Signature) -> bytes:
    def tensor(spec: TensorSpec) -> dict[str, Any]:
        return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}

    return orjson.dumps(
        {
            "name": name,
            "versions": [version],
            "platform": signature.platform,
            "inputs": [tensor(spec) for spec in signature.inputs],
            "outputs": [tensor(spec) for spec in signature.outputs],
        }
    )


def _no_such_model(path: bytes, config: ServerConfig) -> str:
    model = config.model
    return (
        f'model: must be "{model.name}" in version "{model.version}", the one served here, '
        f"got {path[:200].decode('latin-1')}"
    )


def _apply_timeout(call: Call, request: InferRequest) -> None:
    """The request parameter ``timeout`` of Triton's clients [microseconds]."""
    assert request.parameters is not None
    timeout_us = request.parameters["timeout"]
    if type(timeout_us) is int and timeout_us > 0:
        call.deadline_s = min(call.deadline_s, call.arrived_s + timeout_us / 1e6)


def _decompress(coding: bytes, body: bytes, bytes_max: int) -> bytes:
    """Undo gzip or deflate within the limit, however small the bomb is."""
    if coding not in (b"gzip", b"deflate"):
        raise InferenceError(
            Fault.UNSUPPORTED, f"header content-encoding: must be gzip or deflate, got {coding[:40]!r}"
        )
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | (16 if coding == b"gzip" else 0))
    try:
        data = machine.decompress(body, bytes_max + 1)
    except zlib.error as error:
        raise bad_request(f"body: must be {coding.decode()}, got {error}") from None
    if len(data) > bytes_max:
        raise InferenceError(Fault.TOO_LARGE, f"body: must be at most {bytes_max} bytes when decompressed")
    if not machine.eof:
        raise bad_request(f"body: must be whole {coding.decode()} data, got a truncated stream")
    return data
