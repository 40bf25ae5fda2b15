"""Bytes of responses: heads built once, bodies put behind them."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
BINARY = b"application/octet-stream"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}


def response(
    status: int,
    content_type: bytes,
    body: bytes,
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    close: bool = False,
    head_only: bool = False,
) -> bytes:
    """A whole response.

    Args:
        status: Status code.
        content_type: Media type of ``body``.
        body: The body; its length is announced also when ``head_only``.
        headers: More headers; values must hold no line breaks.
        close: Tell the client that the connection ends with this answer.
        head_only: Leave the body out, for HEAD.
    """
    parts = [_LINES[status], b"content-type: ", content_type, b"\r\ncontent-length: %d\r\n" % len(body)]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    if close:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    if not head_only:
        parts.append(body)
    return b"".join(parts)
