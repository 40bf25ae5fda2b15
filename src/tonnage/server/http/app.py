"""The server's HTTP interface: the Open Inference Protocol over REST, health and metrics, routed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import orjson

from tonnage.contract import endpoints
from tonnage.contract.server_config import ServerConfig
from tonnage.server.engine import Engine
from tonnage.server.http import special
from tonnage.server.http.connection import Connection
from tonnage.server.http.crowd import Crowd, connections_possible
from tonnage.server.http.exchange import HTTP, HttpCall, SimpleExchange
from tonnage.server.http.head import Head, HeadTable, HttpError
from tonnage.server.http.response import JSON, http_date, response
from tonnage.server.http.routes import (
    ALWAYS_ANSWERED,
    configuration,
    constant,
    make_routes,
    model_metadata,
    model_paths,
    no_such_path,
)
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip import parameters
from tonnage.server.oip.decode import InferRequest, RequestDecoder
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.oip.tensors import Signature
from tonnage.server.state import ServerState, Verdict

_ECHOED = (endpoints.REQUEST_ID_HEADER.encode(), endpoints.TRACEPARENT_HEADER.encode(), b"tracestate")


class HttpApp:
    """Routes requests; shared by all connections of a worker.

    Args:
        config: The server's settings.
        state: Whether it is ready.
        recorder: Where measurements go.
        metrics_page: Makes the metrics page from an Accept header: (body, content type).

    Attributes:
        connections: The open ones.
        crowd: Who has to leave when there are too many.
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
        self.crowd = Crowd(connections_possible(config.limits.connections_max))
        self.limits = config.limits
        self.recorder = recorder
        self.engine: Engine | None = None
        self._decoder: RequestDecoder | None = None
        self._model = config.model
        self._state = state
        self._metrics_page = metrics_page
        self._deadline_s = config.deadline_s_default or math.inf
        self._date = b""
        self.ok_start = b""
        self.renew_date()
        self._model_paths = model_paths(config.model.name, config.model.version)
        self._infer_paths = frozenset(path + b"/infer" for path in self._model_paths)
        self.heads = HeadTable(self._infer_paths)
        self._routes = make_routes(config.model)

    def attach(self, engine: Engine, decoder: RequestDecoder, signature: Signature) -> None:
        """Begin to answer for a model that is loaded and warm."""
        self.engine = engine
        self._decoder = decoder
        metadata = constant(model_metadata(self._model, signature))
        config = constant(configuration(self._model, signature, decoder.size_max))
        for path in self._model_paths:
            self._routes[path] = metadata
            self._routes[path + b"/config"] = config

    def new_connection(self) -> Connection:
        """A protocol object for a connection that the loop has accepted."""
        return Connection(self)

    def renew_date(self) -> None:
        """Write the time of now into the heads of answers; called each second."""
        self._date = http_date(time.gmtime())
        self.ok_start = (
            b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: " % self._date
        )

    def headers_for(self, head: Head, keep_alive: bool) -> list[tuple[bytes, bytes]]:
        """Headers of an answer: the date, what a client of HTTP/1.0 must be told, and the request's ids."""
        headers = [(b"date", self._date)]
        if not head.plain:
            if head.old and keep_alive:
                headers.append((b"connection", b"keep-alive"))
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
        self.recorder.count(HTTP, error.status)
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
            if head.timeout_s is not None:
                call.deadline_s = now_s + head.timeout_s
                if call.deadline_s != call.deadline_s:  # NaN
                    call.deadline_s = math.inf
                    raise special.no_time(head.headers)
            if head.plain:
                if call.deadline_s < math.inf and (engine.queue_length or engine.busy_since_s):
                    _refuse_early(engine, call, now_s)
                request = self._decoder.decode_json(body)
            else:
                request = self._decode_special(self._decoder, head, body, call)
            if request.parameters is not None:
                call.deadline_s = min(call.deadline_s, now_s + parameters.timeout_s(request.parameters))
        except InferenceError as error:
            call.fail(error)
            return
        except Exception as error:
            call.fail(InferenceError(Fault.MODEL, f"server: must read any body, got {error!r}"[:500]))
            return
        call.request = request
        call.items = request.items
        call.group = request.group
        engine.submit(call, now_s)

    def _decode_special(
        self, decoder: RequestDecoder, head: Head, body: bytes, call: HttpCall
    ) -> InferRequest:
        """A request with headers that say how to read it."""
        headers = head.headers
        trace = headers.get(b"traceparent")
        call.traceparent = trace.decode("latin-1") if trace is not None else None
        json_length = special.json_length(headers)
        return decoder.decode(special.decompressed(headers, body, self.limits.body_bytes_max), json_length)

    def _simple(self, connection: Connection, head: Head, exchange: SimpleExchange) -> bytes:
        """Everything but inference."""
        path = head.path.rstrip(b"/") or b"/"
        if connection.crowded:
            exchange.keep_alive = False
            if path not in ALWAYS_ANSWERED:
                return self._error(503, "server: has too many connections", exchange, head)
        route = self._routes.get(path)
        if path in self._infer_paths:  # and not a POST, or it would not have come here
            return self._error(405, "method: must be POST", exchange, head, ((b"allow", b"POST"),))
        if route is None:
            return self._error(404, no_such_path(path, self._model), exchange, head)
        if head.method not in (b"GET", b"HEAD"):
            return self._error(405, "method: must be GET", exchange, head, ((b"allow", b"GET, HEAD"),))
        status, kind, body = route(self, head)
        return response(
            status,
            kind,
            body,
            self.headers_for(head, exchange.keep_alive),
            close=not exchange.keep_alive,
            head_only=head.method == b"HEAD",
        )

    def _error(
        self,
        status: int,
        message: str,
        exchange: SimpleExchange,
        head: Head,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> bytes:
        self.recorder.count(HTTP, status)
        body = orjson.dumps({"error": message})
        all_headers = [*self.headers_for(head, exchange.keep_alive), *headers]
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


def _refuse_early(engine: Engine, call: HttpCall, now_s: float) -> None:
    """Under overload, refuse before the body is decoded: that is most of the cost.

    Raises:
        InferenceError: The answer is expected after the deadline.
    """
    expected_s = engine.expected_answer_s(now_s)
    if expected_s > call.deadline_s:
        raise InferenceError(
            Fault.OVERLOADED,
            f"deadline: must be met, got {call.deadline_s - now_s:.3g} s allowed "
            f"and {expected_s - now_s:.3g} s expected",
            retry_after_s=expected_s - now_s,
        )
