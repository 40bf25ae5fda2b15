"""What a connection holds for a request until its answer is sent."""

from __future__ import annotations

import math
from typing import Protocol

import orjson

from tonnage.contract import endpoints
from tonnage.server.call import Call
from tonnage.server.http.connection import Connection
from tonnage.server.http.head import Head
from tonnage.server.http.response import BINARY, JSON, response
from tonnage.server.metrics.block import PROTOCOLS
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import Fault, InferenceError

HTTP = PROTOCOLS.index("http")
BINARY_HEADER = endpoints.BINARY_HEADER.encode()
_ABANDONED_S = -math.inf
"""The deadline of a call whose client has gone: it is in the past of every clock, so it is never started."""


class SimpleExchange:
    """A request that is answered at once."""

    __slots__ = ("keep_alive", "response")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response: bytes | None = None

    def abandon(self) -> None:
        """Nothing is under way for it."""


class Answering(Protocol):
    """What an inference needs of the application to answer.

    Attributes:
        recorder: Where answers that are not 200 are counted.
        ok_start: An answer's head up to the value of content-length.
    """

    recorder: Recorder
    ok_start: bytes

    def headers_for(self, head: Head, keep_alive: bool) -> list[tuple[bytes, bytes]]:
        """Headers of an answer that do not depend on its body."""


class HttpCall(Call):
    """An inference over HTTP."""

    __slots__ = ("app", "connection", "head", "keep_alive", "response")
    protocol = HTTP

    app: Answering
    connection: Connection
    head: Head
    keep_alive: bool
    response: bytes | None

    def abandon(self) -> None:
        """The client has gone: never start this one."""
        self.deadline_s = _ABANDONED_S

    def answer(self, answers: BatchAnswers, at: int) -> None:
        """Send the outputs as JSON, or in the form asked for.

        Raises:
            InferenceError: An output cannot be given in that form, or the client has gone.
        """
        if self.deadline_s == _ABANDONED_S:
            raise InferenceError(Fault.ABANDONED, "client: has gone")
        app = self.app
        request = self.request
        if request.wanted is None and not request.binary and self.head.plain and self.keep_alive:
            body = answers.json(at, self.items, request.id)
            self.connection.finish(self, b"%b%d\r\n\r\n%b" % (app.ok_start, len(body), body))
            return
        body, json_length = answers.body(at, self.items, request.id, request.wanted, request.binary)
        headers = app.headers_for(self.head, self.keep_alive)
        if json_length is not None:
            headers.append((BINARY_HEADER, b"%d" % json_length))
        kind = JSON if json_length is None else BINARY
        self.connection.finish(self, response(200, kind, body, headers, close=not self.keep_alive))

    def fail(self, error: InferenceError) -> None:
        """Send an error body of the protocol; to nobody when the client has gone, whatever the error."""
        app = self.app
        if self.deadline_s == _ABANDONED_S:
            app.recorder.count(HTTP, Fault.ABANDONED.http_status)
            return
        status = error.fault.http_status
        app.recorder.count(HTTP, status)
        headers = app.headers_for(self.head, self.keep_alive)
        if error.retry_after_s is not None:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
        body = orjson.dumps({"error": error.message})
        self.connection.finish(self, response(status, JSON, body, headers, close=not self.keep_alive))
