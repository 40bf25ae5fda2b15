"""Objects as YAML for people: as ``kube.dump`` writes them, with texts of several lines as they are.

A ConfigMap's file in one quoted line cannot be read, and a diff of it says nothing. Where a text fits YAML's
literal form (``|``) without exception, it is written so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tonnage.kube.dump import dump_documents

_MARK: Final = "TONNAGE-TEXT"
_LINE: Final = re.compile(rf"^( *)([^\n]*): {_MARK}-([0-9]+)$", re.MULTILINE)
_INDENT: Final = "  "


def dump_objects(objects: Iterable[Mapping[str, Any]]) -> str:
    """Writes objects as one YAML text, ``---`` between them.

    Args:
        objects: Plain data.
    """
    found: list[str] = []
    text = dump_documents([_marked(one, found) for one in objects])
    return _LINE.sub(lambda match: _block(match[1], match[2], found[int(match[3])]), text)


def _marked(value: Mapping[str, Any], found: list[str]) -> dict[str, Any]:
    """The object with marks in the place of texts that are written literally."""
    marked: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            marked[key] = _marked(item, found)
        elif isinstance(item, str) and _is_literal(item):
            marked[key] = f"{_MARK}-{len(found)}"
            found.append(item)
        else:
            marked[key] = item
    return marked


def _is_literal(text: str) -> bool:
    """Whether the literal form gives the same text back: it ends in one line end and begins with no blank."""
    lines = text.removesuffix("\n").split("\n")
    whole = text.endswith("\n") and len(lines) > 1 and lines[0][:1] not in ("", " ") and lines[-1] != ""
    return whole and all(line.isprintable() and line == line.rstrip() for line in lines)


def _block(indent: str, key: str, text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    return "\n".join([f"{indent}{key}: |", *(f"{indent}{_INDENT}{line}" if line else "" for line in lines)])
