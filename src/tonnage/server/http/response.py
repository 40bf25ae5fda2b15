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


_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def http_date(at: tuple[int, int, int, int, int, int, int, int, int]) -> bytes:
    """A time as the header ``date`` writes it, in English whatever the process' language.

    Args:
        at: In UTC, as ``time.gmtime`` gives it.

    Source: RFC 9110, 5.6.7, IMF-fixdate.
    """
    year, month, day, hour, minute, second, weekday = at[:7]
    return b"%b, %02d %b %04d %02d:%02d:%02d GMT" % (
        _DAYS[weekday],
        day,
        _MONTHS[month - 1],
        year,
        hour,
        minute,
        second,
    )
