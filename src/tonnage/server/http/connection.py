"""One HTTP connection: the only module of the server that writes to a socket.

A connection answers in the order of its requests, however they finish. Requests that came in one
receive beyond ``pipelined_max`` wait in a backlog, are begun a few a turn of the loop, and not while
the client leaves its answers unread: neither other clients nor the memory pay for a flood.

It has three clocks, looked at by ``check_time`` about once a second rather than by a timer each: from
a request's first byte to its last, between two requests, and for the client to take what was written.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Protocol, cast

from tonnage.contract.server_config import LimitsConfig
from tonnage.server.http.crowd import Crowd
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
    crowd: Crowd
    heads: HeadTable
    limits: LimitsConfig

    def handle(self, connection: Connection, head: Head, body: bytes, now_s: float) -> None:
        """Answer a request, now or later, through ``connection.begin`` and ``connection.finish``."""

    def refuse(self, connection: Connection, error: HttpError) -> None:
        """Answer what could not be read, through ``connection.begin`` and ``connection.finish``."""


class Connection(asyncio.Protocol):
    """One client's connection.

    Attributes:
        crowded: It came beyond the limit of connections: only health and metrics are answered on it.
    """

    __slots__ = (
        "_backlog",
        "_closing",
        "_dropped",
        "_ending_s",
        "_idle_since_s",
        "_outstanding",
        "_owes_continue",
        "_paused_reading",
        "_paused_writing_s",
        "_pipelined_max",
        "_reader",
        "_reading_since_s",
        "_requests_before",
        "_requests_seen",
        "_scheduled",
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
        self._backlog: deque[tuple[Head, bytes]] = deque()
        self._transport: asyncio.Transport | None = None
        self._closing = False  # a request that is begun was the last
        self._dropped = False  # something came behind it
        self._owes_continue = False
        self._scheduled = False
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
        if len(service.connections) >= service.crowd.connections_max:
            self.crowded = not service.crowd.admit(self, service.connections, _clock())
        service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop; what the client asked for is not worth computing any more."""
        del exc
        self._transport = None
        self._service.connections.discard(self)
        for exchange in self._outstanding:
            exchange.abandon()
        self._outstanding.clear()
        self._backlog.clear()

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._closing:
            self._dropped = True
            return
        reader = self._reader
        requests = reader.feed(data)
        if len(requests) > self._pipelined_max:
            self._backlog.extend(requests)
            self._pause_reading()
            self._work_off()
            return
        now_s = _clock()
        handle = self._service.handle
        for head, body in requests:
            if self._closing:  # the one before was the last
                self._dropped = True  # type: ignore[unreachable]
                return
            handle(self, head, body, now_s)
        if reader.partial or self._reading_since_s:
            self._on_partial(bool(requests), now_s)
        if len(self._outstanding) > self._pipelined_max:
            self._pause_reading()

    def _work_off(self) -> None:
        """Begin some of the backlog; reading is paused until all of it is begun."""
        self._scheduled = False
        backlog, outstanding = self._backlog, self._outstanding
        now_s = _clock()
        for _ in range(self._pipelined_max):
            if not backlog or self._closing or self._paused_writing_s:
                break
            if len(outstanding) > self._pipelined_max:
                return  # the next answer goes on here
            self._service.handle(self, *backlog.popleft(), now_s)
        if self._closing or self._transport is None:
            self._dropped = self._dropped or bool(backlog)
            backlog.clear()
            return
        if not backlog and (self._reader.partial or self._reading_since_s):
            self._on_partial(True, now_s)
        if not self._paused_writing_s and len(outstanding) <= self._pipelined_max:
            self._resume_reading()

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
                self._owes_continue = True
                if not self._outstanding:  # else its place is behind their answers
                    self._say_continue()

    def _say_continue(self) -> None:
        """Ask for the body that the client holds back, unless it has begun to send it."""
        self._owes_continue = False
        if self._reader.wants_continue and not self._closing:
            self._reader.wants_continue = False
            self._reading_since_s = _clock()  # until now it was the client who waited
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
        """Keep the place of an answer; nothing is taken behind one that ends the connection."""
        self._requests_seen += 1
        self._outstanding.append(exchange)
        if not exchange.keep_alive:
            self._closing = True

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
        elif outstanding or self._paused_reading or self._owes_continue:
            self._continue()

    def _continue(self) -> None:
        """Send the answers that waited for their turn, and read on."""
        outstanding = self._outstanding
        while outstanding and (response := outstanding[0].response) is not None:
            self._write(response)
            if not outstanding.popleft().keep_alive:
                self._end()
                return
        if self._owes_continue and not outstanding:
            self._say_continue()
        if not self._paused_writing_s and len(outstanding) <= self._pipelined_max:
            self._resume_reading()

    def idle_since_s(self) -> float | None:
        """Since when it has been between two requests [s, monotonic]; None while it is not."""
        if (
            self._transport is None
            or self._ending_s
            or self._outstanding
            or self._backlog
            or self._reader.partial
            or self._requests_seen != self._requests_before  # it has asked within the last second
        ):
            return None
        return self._idle_since_s

    def leave(self) -> None:
        """Make room for another connection."""
        if self._transport is not None:
            self._ending_s = _clock() + LINGER_S
            self._closing = True
            self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def close_if_idle(self) -> None:
        """Close unless a request is on its way in or out; for the end of a drain."""
        if self._transport is None or self._outstanding or self._backlog or self._reader.partial:
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
        elif self._reading_since_s and not self._paused_reading and not self._owes_continue:
            if now_s - self._reading_since_s > limits.read_s_max:
                self._refuse(HttpError(408, f"request: must arrive within {limits.read_s_max:g} s"))
        elif self._outstanding or self._backlog:
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
        self._backlog.clear()
        if transport is None:
            return
        if not self._reader.partial and not self._dropped:
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
            if self._backlog and not self._closing:  # that first
                if not self._scheduled:
                    self._scheduled = True
                    asyncio.get_running_loop().call_soon(self._work_off)
                return
            self._paused_reading = False
            if self._reading_since_s:
                self._reading_since_s = _clock()  # meanwhile it was we who did not read
            self._transport.resume_reading()
