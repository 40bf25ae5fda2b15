"""How one request ended, as a small integer: an HTTP status, or a kind of failure below zero.

One number fits an array of two bytes an entry, so a record of every request stays affordable.
"""

from __future__ import annotations

from enum import IntEnum

PENDING = 0
"""Neither answered nor given up yet; never left in a finished run."""


class Failure(IntEnum):
    """Why there is no answer."""

    TIMEOUT = -1
    """Sent, and not answered within the timeout."""
    TIMEOUT_UNSENT = -2
    """No connection came free within the timeout, so it was never sent."""
    CONNECT = -3
    """No connection could be opened."""
    RESET = -4
    """The connection broke before any byte of the answer."""
    CLOSED = -5
    """The server closed the connection before any byte of the answer."""
    TRUNCATED = -6
    """The connection ended inside the answer."""
    MALFORMED = -7
    """What came is not an HTTP answer to one request."""


GIVEN_UP = (Failure.TIMEOUT, Failure.TIMEOUT_UNSENT)
"""The ends whose time is only a lower bound of what the user would have waited."""


def outcome_name(code: int) -> str:
    """Name an outcome for people and JSON: ``http_503``, ``timeout``, ``pending``."""
    if code > 0:
        return f"http_{code}"
    return "pending" if code == PENDING else Failure(code).name.lower()
