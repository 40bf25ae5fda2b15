"""Request heads: parsed strictly by llhttp, and remembered.

A keep-alive client sends the same request line and headers again and again. Equal bytes mean an
equal head, so a bounded table from bytes to parsed head makes the common request cost one dict
look-up instead of a callback per header; everything the table has not seen goes through llhttp.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

import httptools

from tonnage.contract import endpoints

_DEADLINE_HEADER = endpoints.DEADLINE_HEADER.encode()
CACHED_HEADS_MAX = 512
CACHED_HEAD_BYTES_MAX = 2048


class HttpError(Exception):
    """A request that cannot be read; the connection ends after the answer.

    Attributes:
        status: The status code to answer.
        message: What must hold and what was found.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Head:
    """A request line and its headers.

    Attributes:
        method: Upper case, such as ``b"POST"``.
        path: Percent-decoded, without the query.
        query: After the ``?``, as sent.
        headers: Lower-case names; values of repeated headers are joined by ``, ``.
        content_length: Length of the body; 0 for none, -1 for chunked.
        keep_alive: Whether the connection may be used again.
        expect_continue: Whether the client waits for ``100 Continue``.
        old: Whether it is of an HTTP/1.0 client, who keeps a connection only when told so.
        plain: Whether nothing in it asks for anything special of an inference (see ``SPECIAL``).
        infer: Whether it is a POST to a path of ``HeadTable.infer_paths``.
        timeout_s: The time to answer that the client gives [s, > 0]; NaN when what it gives is no time, None
            when it gives none.
    """

    method: bytes
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    content_length: int
    keep_alive: bool
    expect_continue: bool
    old: bool
    plain: bool
    infer: bool
    timeout_s: float | None


SPECIAL = frozenset(
    {
        b"inference-header-content-length",
        b"content-encoding",
        b"x-request-id",
        b"traceparent",
        b"tracestate",
    }
)
"""Headers that change how an inference request is read or answered."""

_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HOST = _TOKEN - frozenset(b"#^`|") | frozenset(b"()[]:;=,")
"""Bytes of a method, and of a host with its port (RFC 9110, 5.6.2; RFC 3986, 3.2.2)."""

_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding"})


class _Collector:
    """What llhttp calls back."""

    __slots__ = ("complete", "headers", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, part: bytes) -> None:
        self.url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))  # llhttp strips the left side only

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_head(data: bytes, infer_paths: Container[bytes] = ()) -> Head:
    r"""Parse one head, with its closing empty line.

    Args:
        data: From the request line's first byte to ``\r\n\r\n``.
        infer_paths: Paths that make ``Head.infer`` true.

    Raises:
        HttpError: What is wrong; 400, 405, 417, 501 or 505.
    """
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass  # an upgrade is the client's wish; answering in HTTP/1.1 declines it
    except httptools.HttpParserInvalidMethodError as error:
        method, space, _ = data.partition(b" ")
        known_form = space and method and _TOKEN.issuperset(method)
        raise HttpError(501 if known_form else 400, f"method: must be one of HTTP's, got {error}") from None
    except httptools.HttpParserError as error:
        raise HttpError(400, f"request head: must be valid HTTP/1.1, got {error}") from None
    if not collector.complete:
        raise HttpError(400, "request head: must be a complete HTTP/1.1 head")
    version = parser.get_http_version()
    if version not in ("1.0", "1.1"):
        raise HttpError(505, f"request line: must be HTTP/1.0 or HTTP/1.1, got HTTP/{version}")
    line = data[: data.find(b"\r\n")]
    if b" HTTP/" not in line:  # llhttp takes RTSP and ICE too
        raise HttpError(400, "request line: must end with HTTP/1.0 or HTTP/1.1")
    if line.count(b" ") != 2 or line[0] not in _TOKEN:  # llhttp takes more spaces, and a line end before
        raise HttpError(400, "request line: must be a method, a target and a version, with one space between")
    method = parser.get_method()
    if method == b"CONNECT":
        raise HttpError(405, "method: CONNECT is for proxies")
    headers = _join_headers(collector.headers)
    if version == "1.1" and b"host" not in headers:
        raise HttpError(400, "header host: must be given in HTTP/1.1")
    if not _HOST.issuperset(headers.get(b"host", b"")):  # RFC 9112, 3.2
        raise HttpError(400, f"header host: must be a host and a port, got {headers[b'host'][:40]!r}")
    path, query = _split_target(collector.url)
    expect = headers.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise HttpError(417, f"header expect: must be 100-continue, got {expect[:40]!r}")
    return Head(
        method=method,
        path=path,
        query=query,
        headers=headers,
        content_length=_body_length(headers, version),
        keep_alive=_keep_alive(headers, version),
        expect_continue=expect is not None and version == "1.1",  # RFC 9110, 10.1.1
        old=version == "1.0",
        plain=version == "1.1" and SPECIAL.isdisjoint(headers),
        infer=method == b"POST" and path.rstrip(b"/") in infer_paths,
        timeout_s=_timeout_s(headers.get(_DEADLINE_HEADER)),
    )


def _timeout_s(text: bytes | None) -> float | None:
    """Read once for all requests of a head: a deadline must not cost the requests that carry one."""
    if text is None:
        return None
    try:
        seconds = float(text) / 1e3
    except ValueError:
        return math.nan
    return seconds if 0 < seconds < math.inf else math.nan


def _join_headers(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name not in headers:
            headers[name] = value
        elif name in _SINGLE:
            raise HttpError(400, f"header {name.decode('latin-1')}: must be given once")
        else:
            headers[name] += b", " + value
    return headers


def _split_target(url: bytes) -> tuple[bytes, bytes]:
    if url.startswith(b"/"):
        path, _, query = url.partition(b"?")
    else:  # absolute form, as proxies send it, or * for OPTIONS
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            raise HttpError(400, "request target: must be a path or an absolute URL") from None
        path, query = parsed.path or b"/", parsed.query or b""
    path = path.partition(b"#")[0]
    if b"%" in path:
        path = unquote_to_bytes(path)
    return path, query


def _body_length(headers: dict[bytes, bytes], version: str) -> int:
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        # both together is how requests are smuggled past proxies (RFC 9112, 6.3)
        if length is not None:
            raise HttpError(400, "header content-length: must not be given with transfer-encoding")
        if version == "1.0":
            raise HttpError(400, "header transfer-encoding: must not be given in HTTP/1.0")
        if coding.strip().lower() != b"chunked":
            raise HttpError(501, f"header transfer-encoding: must be chunked, got {coding[:40]!r}")
        return -1
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise HttpError(400, f"header content-length: must be a whole number, got {length[:40]!r}")
    return int(length)


def _keep_alive(headers: dict[bytes, bytes], version: str) -> bool:
    options = {option.strip() for option in headers.get(b"connection", b"").lower().split(b",")}
    if version == "1.0":
        return b"keep-alive" in options
    return b"close" not in options


class HeadTable:
    """Heads seen before, by their bytes; bounded, and emptied when full.

    Args:
        infer_paths: Paths of inference, so that a request is routed when its head is parsed.
    """

    __slots__ = ("_infer_paths", "_table", "get")

    def __init__(self, infer_paths: Container[bytes] = ()) -> None:
        self._infer_paths = infer_paths
        self._table: dict[bytes, Head] = {}
        self.get = self._table.get

    def parse(self, data: bytes) -> Head:
        """Parse ``data`` and remember the result.

        Raises:
            HttpError: What is wrong with it.
        """
        head = parse_head(data, self._infer_paths)
        if len(data) <= CACHED_HEAD_BYTES_MAX:
            if len(self._table) >= CACHED_HEADS_MAX:
                self._table.clear()
            self._table[data] = head
        return head
