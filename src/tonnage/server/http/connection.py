"""One HTTP connection: the only module of the server that writes to a socket.

A connection answers in the order of its requests, however they finish. It has three clocks, looked
at by ``check_time`` about once a second rather than by a timer each: from a request's first byte to
its last, between two requests, and for the client to take what was written.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol, cast

from tonnage.contract.server_config import LimitsConfig
from tonnage.server.http.head import Head, HeadTable, HttpError
from tonnage.server.http.reader import RequestReader
from tonnage.server.http.response import CONTINUE

_clock = time.monotonic

LINGER_S = 2.0
"""How long the rest of a refused request is read and dropped, so that the client reads the answer."""
FIRST_REQUEST_S = 1.0
"""How long a drain waits for the first request of a connection: a client connects in order to ask."""


class Exchange(Protocol):
    """A request that a connection holds until it is answered."""

    response: bytes | None
    keep_alive: bool

    def abandon(self) -> None:
        """The client has gone; nobody waits for the answer."""


class Service(Protocol):
    """What connections deliver requests to."""

    connections: set[Connection]
    heads: HeadTable
    limits: LimitsConfig

    def handle(self, connection: Connection, head: Head, body: bytes, now_s: float) -> None:
        """Answer a request, now or later, through ``connection.begin`` and ``connection.finish``."""

    def refuse(self, connection: Connection, error: HttpError) -> None:
        """Answer what could not be read, through ``connection.begin`` and ``connection.finish``."""


class Connection(asyncio.Protocol):
    """One client's connection.

    Attributes:
        crowded: It came beyond the limit of connections: only health is answered on it.
    """

    __slots__ = (
        "_closing",
        "_ending_s",
        "_idle_since_s",
        "_outstanding",
        "_paused_reading",
        "_paused_writing_s",
        "_pipelined_max",
        "_reader",
        "_reading_since_s",
        "_requests_before",
        "_requests_seen",
        "_service",
        "_transport",
        "_write",
        "crowded",
    )

    def __init__(self, service: Service) -> None:
        limits = service.limits
        self._service = service
        self._reader = RequestReader(service.heads, limits.head_bytes_max, limits.body_bytes_max)
        self._outstanding: deque[Exchange] = deque()
        self._transport: asyncio.Transport | None = None
        self._closing = False
        self._ending_s = 0.0
        self._idle_since_s = _clock()
        self._reading_since_s = 0.0
        self._paused_reading = False
        self._paused_writing_s = 0.0
        self._pipelined_max = limits.pipelined_max
        self._requests_seen = 0
        self._requests_before = 0
        self.crowded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from asyncio's
        self._write = self._transport.write
        service = self._service
        self.crowded = len(service.connections) >= service.limits.connections_max
        service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop; what the client asked for is not worth computing any more."""
        del exc
        self._transport = None
        self._service.connections.discard(self)
        for exchange in self._outstanding:
            exchange.abandon()
        self._outstanding.clear()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._closing:
            return  # the rest of a refused request
        reader = self._reader
        requests = reader.feed(data)
        now_s = _clock()
        handle = self._service.handle
        for head, body in requests:
            if self._closing:  # by the answer to the one before
                return  # type: ignore[unreachable]
            handle(self, head, body, now_s)
        if reader.partial or self._reading_since_s:
            self._on_partial(bool(requests), now_s)
        if len(self._outstanding) > self._pipelined_max:
            self._pause_reading()

    def _on_partial(self, finished_one: bool, now_s: float) -> None:
        """Part of a request is here: keep its time, ask for the rest, or refuse it."""
        reader = self._reader
        if self._closing:  # the request before it was the connection's last
            return
        if reader.error is not None:
            self._refuse(reader.error)
        elif not reader.partial:
            self._reading_since_s = 0.0
        else:
            if finished_one or not self._reading_since_s:
                self._reading_since_s = now_s
            if reader.wants_continue:
                reader.wants_continue = False
                if not self._outstanding:
                    self._write(CONTINUE)

    def eof_received(self) -> bool:
        """Called by the loop: the client sends no more; answer what it asked for, then close."""
        if self._outstanding:
            self._outstanding[-1].keep_alive = False
            return True
        return False

    def pause_writing(self) -> None:
        """Called by the loop: the client does not take its answers."""
        self._paused_writing_s = _clock()
        self._pause_reading()

    def resume_writing(self) -> None:
        """Called by the loop."""
        self._paused_writing_s = 0.0
        if self._closing or len(self._outstanding) <= self._pipelined_max:
            self._resume_reading()

    def begin(self, exchange: Exchange) -> None:
        """Keep the place of an answer."""
        self._requests_seen += 1
        self._outstanding.append(exchange)

    def finish(self, exchange: Exchange, data: bytes) -> None:
        """Send the answer, as soon as those before it are sent."""
        outstanding = self._outstanding
        if not outstanding:
            return  # the client has gone
        if outstanding[0] is not exchange:
            exchange.response = data
            return
        self._write(data)
        outstanding.popleft()
        if not exchange.keep_alive:
            self._end()
        elif outstanding or self._paused_reading:
            self._continue()

    def _continue(self) -> None:
        """Send the answers that waited for their turn, and read on."""
        outstanding = self._outstanding
        while outstanding and (response := outstanding[0].response) is not None:
            self._write(response)
            if not outstanding.popleft().keep_alive:
                self._end()
                return
        if not self._paused_writing_s and len(outstanding) <= self._pipelined_max:
            self._resume_reading()

    def close_if_idle(self) -> None:
        """Close unless a request is on its way in or out; for the end of a drain."""
        if self._transport is None or self._outstanding or self._reader.partial:
            return
        if self._requests_seen or _clock() - self._idle_since_s > FIRST_REQUEST_S:
            self._transport.close()

    def check_time(self, now_s: float) -> None:
        """End the connection where its client has taken too long."""
        limits = self._service.limits
        transport = self._transport
        if transport is None:
            return
        if self._ending_s:
            if now_s > self._ending_s:
                transport.abort()
        elif self._paused_writing_s:
            if now_s - self._paused_writing_s > limits.write_s_max:
                transport.abort()
        elif self._reading_since_s:
            if now_s - self._reading_since_s > limits.read_s_max:
                self._refuse(HttpError(408, f"request: must arrive within {limits.read_s_max:g} s"))
        elif self._outstanding:
            self._idle_since_s = now_s
        elif self._requests_seen != self._requests_before:
            self._requests_before = self._requests_seen
            self._idle_since_s = now_s
        elif now_s - self._idle_since_s > limits.idle_s_max:
            self._ending_s = now_s + LINGER_S  # what the client has not taken by then is dropped
            transport.close()

    def _refuse(self, error: HttpError) -> None:
        """Answer what cannot be read, once and after the answers before it; read nothing more."""
        self._closing = True
        self._reading_since_s = 0.0
        self._service.refuse(self, error)

    def _end(self) -> None:
        """Close after what was written is sent; a request still arriving is read and dropped meanwhile.

        Closing a socket with unread data sends a reset, which can destroy the answer before the
        client has read it.
        """
        transport = self._transport
        self._closing = True
        for exchange in self._outstanding:
            exchange.abandon()
        self._outstanding.clear()
        if transport is None:
            return
        if not self._reader.partial:
            # closing waits for the client to take what was written, and must not wait for ever
            self._ending_s = _clock() + self._service.limits.write_s_max
            transport.close()
        else:
            self._ending_s = _clock() + LINGER_S
            self._reading_since_s = 0.0
            if self._paused_reading:
                self._resume_reading()
            if transport.can_write_eof():
                transport.write_eof()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._paused_reading:
            self._paused_reading = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._transport is not None and self._paused_reading:
            self._paused_reading = False
            self._transport.resume_reading()
