"""Reading response heads, each different one only once.

A server under test answers with the same head over and over, so the head's bytes are looked up
first, and a full parse is needed only for new ones: once a second where the head holds the date.
Equal bytes parse equally, so the look-up cannot be wrong. A server that puts something unique in
each head pays a parse for each answer and fills the table, which is then emptied.
"""

from __future__ import annotations

import httptools

HEAD_BYTES_MAX = 65_536
"""A longer head is refused as malformed."""

HEADS_MAX = 512
"""Heads remembered before the table is emptied."""

BODY_CHUNKED = -1
BODY_UNTIL_CLOSE = -2

Head = tuple[int, int, bool]
"""Status, body size in bytes or one of the ``BODY_`` constants, and whether the connection stays."""


class MalformedHead(Exception):
    """The bytes are not the head of an HTTP response."""


class _Headers:
    """Receives what the parser finds."""

    __slots__ = ("chunked", "connection", "length")

    def __init__(self) -> None:
        self.connection: set[bytes] = set()
        self.length: int | None = None
        self.chunked = False

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-length":
            self.length = int(value)
        elif lower == b"transfer-encoding":
            self.chunked = value.lower().rstrip().endswith(b"chunked")
        elif lower == b"connection":
            self.connection.update(token.strip() for token in value.lower().split(b","))


def parse_head(head: bytes, *, answers_head: bool = False) -> Head:
    """Parse a response head.

    Args:
        head: From the status line to the empty line, both included.
        answers_head: Whether the request was a HEAD, whose answer has no body whatever it says.

    Raises:
        MalformedHead: The bytes are not a response head.

    Source: RFC 9112 sections 6.3 (which body follows which head) and 9.3 (which connection stays).
    """
    found = _Headers()
    parser = httptools.HttpResponseParser(found)
    try:
        parser.feed_data(head)
    except (httptools.HttpParserError, ValueError) as error:
        raise MalformedHead(str(error)) from error
    status = parser.get_status_code()
    # The parser's own verdict depends on the body, and is forgotten once an empty one is complete.
    persistent = parser.get_http_version() != "1.0" or b"keep-alive" in found.connection
    keep_alive = persistent and b"close" not in found.connection
    if answers_head or status < 200 or status in (204, 304):
        return status, 0, keep_alive
    if found.chunked:
        return status, BODY_CHUNKED, keep_alive
    if found.length is None:
        return status, BODY_UNTIL_CLOSE, False
    return status, found.length, keep_alive


class HeadTable(dict[bytes, Head]):
    """Heads seen so far and what they mean; bounded by ``HEADS_MAX``."""

    __slots__ = ("_answers_head",)

    def __init__(self, *, answers_head: bool = False) -> None:
        super().__init__()
        self._answers_head = answers_head

    def learn(self, head: bytes) -> Head:
        """Parse a head and remember it.

        Raises:
            MalformedHead: The bytes are not a response head.
        """
        parsed = parse_head(head, answers_head=self._answers_head)
        if len(self) >= HEADS_MAX:
            self.clear()
        self[head] = parsed
        return parsed


class ChunkedBody:
    """Follows one response with chunked coding until its last chunk."""

    __slots__ = ("_parser", "complete", "messages")

    def __init__(self) -> None:
        self.complete = False
        self.messages = 0
        self._parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        """Count responses: a second one answers nothing that was asked."""
        self.messages += 1

    def on_message_complete(self) -> None:
        """Note that the last chunk and its trailers are in."""
        self.complete = True

    def feed(self, data: bytes) -> None:
        """Take more bytes, the head's among them.

        Raises:
            MalformedHead: The bytes are not what chunked coding allows, or go past the response.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise MalformedHead(str(error)) from error
        if self.messages > 1:
            raise MalformedHead("a second response came for one request")
