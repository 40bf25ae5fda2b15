"""Headers that change how an inference request is read."""

from __future__ import annotations

import zlib

from tonnage.contract import endpoints
from tonnage.server.oip.errors import Fault, InferenceError, bad_request

_BINARY_HEADER = endpoints.BINARY_HEADER.encode()
_DEADLINE_HEADER = endpoints.DEADLINE_HEADER.encode()


def no_time(headers: dict[bytes, bytes]) -> InferenceError:
    """The error of a request whose time to answer is no number of milliseconds above 0."""
    text = headers.get(_DEADLINE_HEADER, b"")
    return bad_request(f"header {endpoints.DEADLINE_HEADER}: must be milliseconds > 0, got {text[:40]!r}")


def json_length(headers: dict[bytes, bytes]) -> int | None:
    """Length of the JSON before binary tensors; None when the body is all JSON.

    Raises:
        InferenceError: It is no whole number.
    """
    length = headers.get(_BINARY_HEADER)
    if length is None:
        return None
    if not length.isdigit() or len(length) > 18:
        raise bad_request(f"header {endpoints.BINARY_HEADER}: must be a whole number, got {length[:40]!r}")
    return int(length)


def decompressed(headers: dict[bytes, bytes], body: bytes, bytes_max: int) -> bytes:
    """Undo gzip or deflate within the limit, however small the bomb is.

    Args:
        headers: The request's.
        body: As it came.
        bytes_max: Bytes that it may have when decompressed.

    Raises:
        InferenceError: The coding is another one, the data are none of it, or there is too much.
    """
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding == b"identity":
        return body
    if coding not in (b"gzip", b"deflate"):
        raise InferenceError(
            Fault.UNSUPPORTED, f"header content-encoding: must be gzip or deflate, got {coding[:40]!r}"
        )
    machine = zlib.decompressobj(wbits=zlib.MAX_WBITS | (16 if coding == b"gzip" else 0))
    try:
        data = machine.decompress(body, bytes_max + 1)
    except zlib.error as error:
        raise bad_request(f"body: must be {coding.decode()}, got {error}") from None
    if len(data) > bytes_max:
        raise InferenceError(Fault.TOO_LARGE, f"body: must be at most {bytes_max} bytes when decompressed")
    if not machine.eof:
        raise bad_request(f"body: must be whole {coding.decode()} data, got a truncated stream")
    if machine.unused_data:
        raise bad_request(f"body: must be one {coding.decode()} stream, got data behind its end")
    return data
