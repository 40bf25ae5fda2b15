"""``--traffic``: a trace file, or traffic as a line of text such as ``poisson:rate=10k``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.traffic import ArrivalProcess, Trace, TraceFormat, parse_trace
from tonnage.traffic.text import parse_traffic

TRACE_BYTES_MAX: Final = 1024 * 1024 * 1024


def read_traffic(text: str, *, duration_s: float | None, fallback_s: float) -> ArrivalProcess:
    """Read the option.

    Args:
        text: A file's name, or a line as ``tonnage.traffic.text`` describes it.
        duration_s: Length that was asked for [s]; it cuts a trace.
        fallback_s: Length of a process that has none otherwise [s]; a trace has its own.

    Raises:
        SpecError: It is neither a file nor traffic, or something in it is wrong.
    """
    line = f"trace:{text}" if Path(text).is_file() else text
    if ":" not in line:
        hint = "a line of traffic is like poisson:rate=10k or flash:base=1k,peak=8k,at=5m,hold=2m"
        raise SpecError([Problem("--traffic", f"must be a file that exists, got {text!r}", hint=hint)])
    if duration_s is None and "trace:" not in line:
        duration_s = fallback_s
    return parse_traffic(line, open_trace=_open_trace, duration_s=duration_s)


def _open_trace(name: str, trace_format: TraceFormat | None) -> Trace:
    file = Path(name)
    try:
        size = file.stat().st_size
        if size > TRACE_BYTES_MAX:
            raise SpecError([Problem("", f"must be at most {TRACE_BYTES_MAX} bytes, got {size}", name)])
        with file.open(encoding="utf-8-sig") as lines:
            return parse_trace(lines, source=name, trace_format=trace_format)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem("", f"must be readable text, got {error}", name)]) from error
