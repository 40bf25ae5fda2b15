"""Request bodies from files: one JSON document, one a line, or bytes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from tonnage.errors import Problem, SpecError

BODIES_BYTES_MAX = 1 << 30
"""All bodies are held in memory, rendered; a larger file is refused."""

_PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class Bodies:
    """Payloads to choose from.

    Attributes:
        bodies: At least one.
        content_type: What they are, unless the user's headers say.
    """

    bodies: tuple[bytes, ...]
    content_type: str


def read_json_bodies(*, path: Path) -> Bodies:
    """Read a file that holds one JSON document, or one a line.

    Raises:
        SpecError: It cannot be read, is empty, or lines are not JSON; each with its line.
    """
    return parse_json_bodies(_read(path), source=str(path))


def read_binary_body(*, path: Path) -> Bodies:
    """Read a file as one body.

    Raises:
        SpecError: It cannot be read.
    """
    return Bodies((_read(path),), "application/octet-stream")


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > BODIES_BYTES_MAX:
            message = f"must be at most {BODIES_BYTES_MAX} bytes, got {path.stat().st_size}"
            raise SpecError([Problem("", message, file=str(path))])
        return path.read_bytes()
    except OSError as error:
        raise SpecError(
            [Problem("", f"must be a readable file, got {error.strerror}", file=str(path))]
        ) from error


def parse_json_bodies(content: bytes, *, source: str) -> Bodies:
    """Read one JSON document, or one a line; bodies are sent as they are written in the file.

    Raises:
        SpecError: The content is empty, or lines are not JSON; each with its line.
    """
    whole = content.strip()
    if not whole:
        raise SpecError([Problem("", "must hold JSON, got an empty file", file=source)])
    try:
        orjson.loads(whole)
    except orjson.JSONDecodeError as error:
        lines = [(number, line.strip()) for number, line in enumerate(content.splitlines(), start=1)]
        filled = [(number, line) for number, line in lines if line]
        problems = [problem for number, line in filled if (problem := _json_problem(line, source, number))]
        if len(problems) == len(filled):  # no line stands alone: it is one document, and wrong
            raise SpecError(
                [Problem("", f"must be JSON, got {error}", file=source, line=error.lineno)]
            ) from error
        if problems:
            raise SpecError(problems[:_PROBLEMS_MAX]) from error
        return Bodies(tuple(line for _, line in filled), "application/json")
    return Bodies((whole,), "application/json")


def _json_problem(line: bytes, source: str, number: int) -> Problem | None:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Problem("", f"must be one JSON document a line, got {error}", file=source, line=number)
    return None
