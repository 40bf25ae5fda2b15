"""Lines of an event and its fields on standard error, as JSON or text; none for a request that went well."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

Log = Callable[..., None]
"""``log(level, event, **fields)``."""


def make_log(form: Literal["text", "json"]) -> Log:
    """A log; what cannot be written is left out, since a full disk must not stop answers."""

    def log(level: str, event: str, **fields: Any) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if form == "json":
            text = json.dumps({"time": now, "level": level, "event": event, **fields}, default=str)
        else:
            text = " ".join([now, level, event, *(f"{key}={value}" for key, value in fields.items())])
        try:
            print(text, file=sys.stderr, flush=True)  # noqa: T201  this is the log
        except (OSError, ValueError):
            pass

    return log
