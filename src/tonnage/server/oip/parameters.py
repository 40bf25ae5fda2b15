"""Parameters of requests and outputs that the server itself obeys; a value of another kind is refused.

Source: Open Inference Protocol v2, "Parameters"; Triton's extensions "binary data" and "schedule policy".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tonnage.server.oip.errors import bad_request


def flag(where: str, parameters: Mapping[str, Any] | None, name: str, default: bool) -> bool:
    """A parameter that is true or false.

    Raises:
        InferenceError: It is neither.
    """
    value = default if parameters is None else parameters.get(name, default)
    if not isinstance(value, bool):
        raise bad_request(f"{where}: {name} must be true or false, got {value!r:.40}")
    return value


def timeout_s(parameters: Mapping[str, Any] | None) -> float:
    """The request parameter ``timeout``, given in microseconds [s]; inf where there is none, or 0.

    Raises:
        InferenceError: It is no whole number.
    """
    value = parameters.get("timeout", 0) if parameters else 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad_request(f"parameters: timeout must be whole microseconds >= 0, got {value!r:.40}")
    return value / 1e6 if 0 < value < 1e15 else math.inf
