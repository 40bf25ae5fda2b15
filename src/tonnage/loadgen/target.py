"""Where the load goes, and what one request looks like on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from tonnage.errors import Problem, SpecError

_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """An address and a path.

    Attributes:
        host: Name or IP address, without brackets.
        port: TCP port, 1 to 65535.
        path: Path and query, starting with ``/``.
        tls: Whether to speak TLS (``https``).
    """

    host: str
    port: int
    path: str = "/"
    tls: bool = False

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole as a URL."""
        return f"{'https' if self.tls else 'http'}://{self.authority}{self.path}"


def parse_target(url: str) -> Target:
    """Read a URL.

    Raises:
        SpecError: It is not an http or https URL with a host and a port in range.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SpecError([Problem("URL", f"must be a URL, got {url!r} ({error})")]) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SpecError([Problem("URL", f"must be like http://host:port/path, got {url!r}")])
    if parts.username is not None or port == 0:
        raise SpecError([Problem("URL", f"must have no user name and a port >= 1, got {url!r}")])
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return Target(
        host=parts.hostname,
        port=port if port is not None else _PORTS[parts.scheme],
        path=f"{path}?{query}" if query else path,
        tls=parts.scheme == "https",
    )


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value``.

    Raises:
        SpecError: The name or value cannot stand in a request, or is the generator's own to set.
    """
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not name or not set(name) <= _TOKEN:
        raise SpecError([Problem("header", f'must be like "Name: value", got {text!r}')])
    if any(ord(char) < 32 and char != "\t" for char in value):
        raise SpecError([Problem("header", f"value must hold no control characters, got {text!r}")])
    if name.lower() in _OWN_HEADERS:
        raise SpecError([Problem("header", f"{name} is set by the load generator, got {text!r}")])
    return name, value


def render_request(
    target: Target, *, method: str, headers: Sequence[tuple[str, str]] = (), body: bytes | None = None
) -> bytes:
    """Write one request as bytes.

    Args:
        target: Address and path.
        method: Such as ``POST``.
        headers: More headers, in order; ``Host`` replaces the default.
        body: The payload; None sends no body and no length.

    Raises:
        SpecError: The method is not a token.
    """
    if not method or not set(method) <= _TOKEN:
        raise SpecError([Problem("method", f"must be a method such as POST, got {method!r}")])
    lines = [f"{method} {target.path} HTTP/1.1"]
    if all(name.lower() != "host" for name, _ in headers):
        lines.append(f"Host: {target.authority}")
    lines.extend(f"{name}: {value}" for name, value in headers)
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8") + (body or b"")
