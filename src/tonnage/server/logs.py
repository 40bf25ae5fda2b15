"""The server's log: one line a start-up step, none a request, as text or JSON on standard error.

A log that cannot be written must never stop a server: lines that a full disk or a closed pipe
refuses are counted and dropped.
"""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any, Literal, TextIO


class LossyStream:
    """A text stream that counts what it cannot write instead of raising.

    Attributes:
        lines_dropped: How many writes failed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # the thread that loads the model writes lines too
        self.lines_dropped = 0

    def write(self, text: str) -> int:
        """Write, or count the failure."""
        with self._lock:
            try:
                written = self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                self.lines_dropped += 1
                return len(text)
        return written

    def flush(self) -> None:
        """Flush, or leave it."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            pass


def _unbuffered_stderr() -> TextIO:
    """Standard error without a buffer.

    A buffer keeps what could not be written: it would be tried again with every line, and once more
    when the interpreter ends, which then turns the exit code into 120.
    """
    raw = io.FileIO(2, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)


class Logger:
    """Writes lines of an event and its fields.

    Args:
        form: How lines look: ``json``, one object a line, or ``text``.
        stream: Where they go.
        context: Fields of every line.
    """

    def __init__(self, form: Literal["text", "json"], stream: LossyStream, context: dict[str, Any]) -> None:
        self._line = _json_line if form == "json" else _text_line
        self._stream = stream
        self._context = context

    def debug(self, event: str, **fields: Any) -> None:
        """What only who looks for a fault of the server itself wants to know."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """A step of the server's life."""
        self._write("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What the server mends itself."""
        self._write("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What somebody has to look at."""
        self._write("error", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        self._stream.write(self._line(_timestamp(), level, event, {**self._context, **fields}))


def make_logger(
    form: Literal["text", "json"], stream: TextIO | None = None, **context: Any
) -> tuple[Logger, LossyStream]:
    """A logger and the stream behind it.

    Args:
        form: How lines look.
        stream: Where they go; standard error when None.
        context: Fields of every line.
    """
    lossy = LossyStream(stream or _unbuffered_stderr())
    return Logger(form, lossy, context), lossy


def _timestamp() -> str:
    """The time of now in UTC as RFC 3339 writes it, to the microsecond."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds // 1000:06d}Z"


def _json_line(timestamp: str, level: str, event: str, fields: dict[str, Any]) -> str:
    line = {"timestamp": timestamp, "level": level, "event": event, **fields}
    return json.dumps(line, default=str) + "\n"


def _text_line(timestamp: str, level: str, event: str, fields: dict[str, Any]) -> str:
    shown = "".join(f" {name}={_text(value)}" for name, value in fields.items())
    return f"{timestamp} [{level:<7}] {event}{shown}\n"


def _text(value: object) -> str:
    """A value in a line of text; quoted where it would not be one word of one line."""
    text = str(value)
    return text if text.isprintable() and " " not in text and text else repr(text)
