"""The server's log: one line a start-up step, none a request, as text or JSON on standard error.

A log that cannot be written must never stop a server: lines that a full disk or a closed pipe
refuses are counted and dropped.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal, TextIO

import structlog


class LossyStream:
    """A text stream that counts what it cannot write instead of raising.

    Attributes:
        lines_dropped: How many writes failed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lines_dropped = 0

    def write(self, text: str) -> int:
        """Write, or count the failure."""
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


def make_logger(
    form: Literal["text", "json"], stream: TextIO | None = None, **context: Any
) -> tuple[Any, LossyStream]:
    """A logger and the stream behind it.

    Args:
        form: How lines look.
        stream: Where they go; standard error when None.
        context: Fields of every line.
    """
    lossy = LossyStream(stream or _unbuffered_stderr())
    renderer: Callable[..., Any]
    if form == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=lossy._stream.isatty(), pad_event_to=0)  # noqa: SLF001
    logger = structlog.wrap_logger(
        structlog.WriteLogger(lossy),  # type: ignore[arg-type]
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger.bind(**context), lossy
