r"""From the bytes of one connection to whole requests, without sockets or clocks.

Framing is done here and heads by ``head``: a body is ``Content-Length`` bytes or chunked, nothing
else. One request that arrives in one piece, which is nearly every request, costs a search for the
end of the head, a look-up and a slice. Whatever is kept between two pieces is bounded by the limits.
"""

from __future__ import annotations

from enum import Enum

from tonnage.server.http.head import Head, HeadTable, HttpError

CHUNK_LINE_BYTES_MAX = 256
TRAILER_BYTES_MAX = 8 * 1024


class _State(Enum):
    HEAD = "head"
    BODY = "body"
    CHUNK_SIZE = "chunk size"
    CHUNK_DATA = "chunk data"
    TRAILER = "trailer"


class RequestReader:
    """Collects requests of one connection.

    Args:
        heads: Heads seen before, shared by all connections.
        head_bytes_max: Beyond it a request is refused with 431.
        body_bytes_max: Beyond it a request is refused with 413.

    Attributes:
        wants_continue: The client waits for ``100 Continue`` before it sends the body; the caller
            answers it and sets this to False.
        error: Why the rest of the connection cannot be understood; None while it can.
        partial: Whether part of a request has arrived and the rest has not, or ``error`` is set.
    """

    __slots__ = (
        "_body",
        "_body_bytes",
        "_body_bytes_max",
        "_buffer",
        "_head",
        "_head_bytes_max",
        "_heads",
        "_left",
        "_state",
        "error",
        "partial",
        "wants_continue",
    )

    def __init__(self, heads: HeadTable, head_bytes_max: int, body_bytes_max: int) -> None:
        self._heads = heads
        self._head_bytes_max = head_bytes_max
        self._body_bytes_max = body_bytes_max
        self._state = _State.HEAD
        self._buffer = b""  # bytes not yet understood: part of a head, of a chunk line, of a trailer
        self._head: Head | None = None
        self._body: list[bytes | bytearray] = []
        self._body_bytes = 0
        self._left = 0  # of a chunk, or of what a trailer may still hold
        self.error: HttpError | None = None
        self.partial = False
        self.wants_continue = False

    def feed(self, data: bytes) -> list[tuple[Head, bytes]]:
        """Take the next bytes of the connection.

        Args:
            data: As received; not empty.

        Returns:
            The requests that are complete now, in order, each with its whole body. After something
            that cannot be understood ``error`` is set, and what follows is ignored.
        """
        if not self.partial:
            end = data.find(b"\r\n\r\n") + 4
            if end > 3:
                head = self._heads.get(data[:end])
                if head is not None:
                    length = head.content_length
                    if len(data) == end + length and length <= self._body_bytes_max:
                        return [(head, data[end:])]
        requests: list[tuple[Head, bytes]] = []
        if self.error is None:
            if self._buffer:
                data, self._buffer = self._buffer + data, b""
            try:
                self._read(data, requests)
            except HttpError as error:
                self.error = error
                self._buffer = b""
                self._body = []
        self.partial = bool(self._buffer) or self._state is not _State.HEAD or self.error is not None
        return requests

    def _read(self, data: bytes, requests: list[tuple[Head, bytes]]) -> None:
        at = 0  # positions and not slices: many small pieces in one receive must not cost a copy each
        while at < len(data):
            if self._state is _State.HEAD:
                at = self._on_head(data, at, requests)
            elif self._state is _State.BODY:
                at = self._on_body(data, at, requests)
            elif self._state is _State.CHUNK_DATA:
                at = self._on_chunk_data(data, at)
            else:
                at = self._on_chunk_line(data, at, requests)

    def _on_head(self, data: bytes, at: int, requests: list[tuple[Head, bytes]]) -> int:
        while data.startswith(b"\r\n", at):  # empty lines before a request line are ignored (RFC 9112, 2.2)
            at += 2
        end = data.find(b"\r\n\r\n", at, at + self._head_bytes_max) + 4
        if end == 3:
            if len(data) - at >= self._head_bytes_max:
                raise HttpError(431, f"request head: must end within {self._head_bytes_max} bytes")
            self._buffer = data[at:]
            return len(data)
        block = data[at:end]
        head = self._heads.get(block) or self._heads.parse(block)
        if head.content_length > self._body_bytes_max:
            raise HttpError(
                413, f"body: must be at most {self._body_bytes_max} bytes, got {head.content_length}"
            )
        if head.content_length == 0:
            requests.append((head, b""))
            return end
        self._head = head
        self._body_bytes = 0
        self._state = _State.CHUNK_SIZE if head.content_length < 0 else _State.BODY
        self.wants_continue = head.expect_continue and end == len(data)
        return end

    def _on_body(self, data: bytes, at: int, requests: list[tuple[Head, bytes]]) -> int:
        assert self._head is not None
        missing = self._head.content_length - self._body_bytes
        piece = data[at : at + missing]
        self.wants_continue = False  # it has not waited
        self._body.append(piece)
        self._body_bytes += len(piece)
        if len(piece) == missing:
            self._finish(requests)
        return at + len(piece)

    def _on_chunk_line(self, data: bytes, at: int, requests: list[tuple[Head, bytes]]) -> int:
        """A chunk's size, or a line of the trailer (RFC 9112, 7.1)."""
        self.wants_continue = False  # it has not waited
        limit = CHUNK_LINE_BYTES_MAX if self._state is _State.CHUNK_SIZE else self._left
        end = data.find(b"\r\n", at, at + limit)
        if end < 0:
            if len(data) - at >= limit:
                raise HttpError(400, f"{self._state.value}: must end within {limit} bytes")
            self._buffer = data[at:]
            return len(data)
        line = data[at:end]
        if b"\n" in line or b"\r" in line:
            # a proxy that ends lines at a bare LF would see another message here than we do
            raise HttpError(400, f"{self._state.value}: must end with CRLF and hold no other CR or LF")
        if self._state is _State.TRAILER:
            if line:  # trailers are read, counted and dropped
                self._left -= len(line)
            else:
                self._finish(requests)
            return end + 2
        size = _chunk_size(line)
        if self._body_bytes + size > self._body_bytes_max:
            raise HttpError(413, f"body: must be at most {self._body_bytes_max} bytes, got more in chunks")
        if size == 0:
            self._state = _State.TRAILER
            self._left = TRAILER_BYTES_MAX
        else:
            self._state = _State.CHUNK_DATA
            self._left = size + 2  # with the line end behind it
        return end + 2

    def _on_chunk_data(self, data: bytes, at: int) -> int:
        payload = data[at : at + max(self._left - 2, 0)]
        if payload:
            # one growing array and not a list of pieces: an object a chunk would cost a client that
            # sends tiny chunks little, and us many times the body's limit
            if self._body:
                self._body[0] += payload
            else:
                self._body.append(bytearray(payload))
            self._body_bytes += len(payload)
            self._left -= len(payload)
            at += len(payload)
        if self._left <= 2:
            line_end = data[at : at + self._left]
            if line_end and not b"\r\n".startswith(line_end, 2 - self._left):
                raise HttpError(400, "chunk: must end with CRLF after its data")
            self._left -= len(line_end)
            at += len(line_end)
            if self._left == 0:
                self._state = _State.CHUNK_SIZE
        return at

    def _finish(self, requests: list[tuple[Head, bytes]]) -> None:
        assert self._head is not None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        requests.append((self._head, bytes(body)))  # which copies a chunked body only
        self._body = []
        self._head = None
        self._state = _State.HEAD
        self.wants_continue = False


_HEX = frozenset(b"0123456789abcdefABCDEF")


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not digits or len(digits) > 15 or not _HEX.issuperset(digits):
        raise HttpError(400, f"chunk size: must be a hexadecimal number, got {digits[:20]!r}")
    return int(digits, 16)
