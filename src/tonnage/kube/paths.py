"""How a field is named in messages, tables and pages: ``spec.resources.gpu.types[1]``."""

from __future__ import annotations

import re
from typing import Final

_STEP: Final = re.compile(
    r"""(?P<dot>\.)?(?P<name>[^.\[\]"]+)|\[(?P<index>[0-9]{1,6})\]|\["(?P<quoted>[^"]+)"\]"""
)

Path = tuple[str | int, ...]
"""Keys and indexes from a document's root to a value."""


def format_path(path: Path) -> str:
    """Writes a path as users know it: ``spec.gpu.types[1]``, ``metadata.labels["example.com/a"]``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", step, re.ASCII):
            text += f".{step}" if text else step
        else:
            text += f'["{printable(step)[:80]}"]'
    return text


def printable(text: str) -> str:
    """Writes what cannot be printed as escapes, so that a message stays one harmless line."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def parent_path(path: str) -> str:
    """Names the value that holds the one at ``path``; the root's name is empty."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]


def parse_path(text: str) -> Path | None:
    """Reads a path as ``format_path`` writes it; None where it is none.

    Args:
        text: Such as ``spec.gpu.types[1]`` or ``metadata.labels["example.com/a"]``.
    """
    path: Path = ()
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or (step["name"] is not None and (step["dot"] is None) is not (at == 0)):
            return None  # A dot stands before every name but the first.
        if step["name"] is not None:
            path = (*path, step["name"])
        elif step["quoted"] is not None:
            path = (*path, step["quoted"])
        else:
            path = (*path, int(step["index"]))
        at = step.end()
    return path or None
