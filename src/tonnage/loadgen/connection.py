"""One keep-alive connection with at most one request in flight.

The common case, a whole answer with a known head in one read, takes one search, one look-up and one
comparison. Everything else (answers in pieces, chunked coding, heads seen for the first time) goes
the slow way. No task and no future is made for a request: the answer is handed to the run by a
call, and the run may send the next request from inside it.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from tonnage.loadgen.heads import (
    BODY_CHUNKED,
    BODY_UNTIL_CLOSE,
    HEAD_BYTES_MAX,
    ChunkedBody,
    Head,
    HeadTable,
    MalformedHead,
)
from tonnage.loadgen.outcome import Failure

IDLE = -1
"""In place of a request's number: nothing is in flight."""


class Owner(Protocol):
    """What a connection tells the run it belongs to."""

    heads: HeadTable

    def answered(self, connection: Connection, status: int, keep_alive: bool) -> None:
        """A whole answer came to the request in flight."""

    def failed(self, connection: Connection, failure: Failure) -> None:
        """No answer will come to the request in flight; the connection is of no more use."""

    def lost(self, connection: Connection) -> None:
        """The connection ended, with nothing in flight."""


class Connection(asyncio.Protocol):
    """Sends what the run writes to it and recognises whole answers.

    Attributes:
        request: Number of the request in flight, or ``IDLE``; the run sets it before it writes.
        retired: Whether the run has given it up; nothing is reported from then on.
        transport: Its transport once it is connected.
    """

    __slots__ = (
        "_chunked",
        "_head",
        "_heads",
        "_missing_bytes",
        "_owner",
        "_partial",
        "_slow",
        "request",
        "retired",
        "transport",
        "write",
    )

    def __init__(self, owner: Owner) -> None:
        self.request = IDLE
        self.retired = False
        self.transport: asyncio.Transport | None = None
        self._owner = owner
        self._heads = owner.heads
        self._slow = False
        self._partial = b""
        self._head: Head | None = None
        self._missing_bytes = 0
        self._chunked: ChunkedBody | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; its ``write`` is looked up once and not per request."""
        # uvloop's transports are no subclasses of asyncio's, so this cannot be asked at run time.
        self.transport = cast("asyncio.Transport", transport)
        self.write = self.transport.write

    def data_received(self, data: bytes) -> None:
        """Take bytes of an answer."""
        if not self._slow:
            end = data.find(b"\r\n\r\n") + 4
            head = self._heads.get(data[:end])
            if head is not None and head[1] == len(data) - end and head[0] >= 200 and self.request >= 0:
                self._owner.answered(self, head[0], head[2])
                return
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Take bytes the slow way."""
        if self.retired:
            return
        if self.request < 0:
            # An answer to nothing, such as a 408 before an idle connection is closed.
            self._owner.lost(self)
            return
        self._slow = True
        try:
            self._parse(data)
        except MalformedHead:
            self._owner.failed(self, Failure.MALFORMED)

    def _parse(self, data: bytes) -> None:
        while self._head is None:
            data = self._partial + data
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                if len(data) > HEAD_BYTES_MAX:
                    raise MalformedHead("the head is too long")
                self._partial = data
                return
            self._partial = b""
            raw = data[:end]
            head = self._heads.get(raw) or self._heads.learn(raw)
            if head[0] < 200:  # an interim answer: the real one follows
                data = data[end:]
                if not data:
                    return
                continue
            self._head = head
            self._missing_bytes = head[1]
            if head[1] == BODY_CHUNKED:
                self._chunked = ChunkedBody()
            else:
                data = data[end:]
        self._take_body(self._head, data)

    def _take_body(self, head: Head, data: bytes) -> None:
        if head[1] == BODY_UNTIL_CLOSE:
            return
        if self._chunked is not None:
            self._chunked.feed(data)
            complete = self._chunked.complete
        else:
            self._missing_bytes -= len(data)
            if self._missing_bytes < 0:
                raise MalformedHead("more bytes came than the head announced")
            complete = self._missing_bytes == 0
        if complete:
            self._slow = False
            self._head = None
            self._chunked = None
            self._owner.answered(self, head[0], head[2])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the run how the request in flight ended, if there was one."""
        if self.retired:
            return
        if self.request < 0:
            self._owner.lost(self)
        elif self._head is not None and self._head[1] == BODY_UNTIL_CLOSE and exc is None:
            self._owner.answered(self, self._head[0], False)
        elif self._head is not None or self._partial:
            self._owner.failed(self, Failure.TRUNCATED)
        else:
            self._owner.failed(self, Failure.RESET if exc is not None else Failure.CLOSED)
