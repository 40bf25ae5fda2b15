"""Writes plain data as YAML that means the same to every reader, and is the same bytes every time.

Keys keep their order, nothing is folded, and whatever some reader might take for something other than a
string (``yes``, ``1e3``, ``08``, ``~``; YAML 1.1 as ``kubectl`` reads it, or YAML 1.2) is quoted. So no
timestamp, hash seed or library version shows in what is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_PLAIN: Final = re.compile(
    r"[A-Za-z/][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*|[0-9]+(m|[KMGTPE]i|%)", re.ASCII
)
"""Strings that no reader takes for anything else, but for the words below."""
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})


def dump_documents(documents: Iterable[Mapping[str, Any]]) -> str:
    """Writes documents as one YAML text, ``---`` between them.

    Args:
        documents: Mappings of strings, numbers, truth values, None, lists and mappings.
    """
    texts = ("".join(f"{line}\n" for line in _mapping(document)) for document in documents)
    return "---\n".join(text or "{}\n" for text in texts)


def _mapping(value: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for key, item in value.items():
        name = _text(key)
        if isinstance(item, Mapping) and item:
            lines += [f"{name}:", *(f"  {line}" for line in _mapping(item))]
        elif isinstance(item, list | tuple) and item:
            lines += [f"{name}:", *_sequence(item)]
        else:
            lines.append(f"{name}: {_scalar(item)}")
    return lines


def _sequence(value: list[Any] | tuple[Any, ...]) -> list[str]:
    lines: list[str] = []
    for item in value:
        if isinstance(item, Mapping) and item:
            inner = _mapping(item)
        elif isinstance(item, list | tuple) and item:
            inner = _sequence(item)
        else:
            inner = [_scalar(item)]
        lines += [f"- {inner[0]}", *(f"  {line}" for line in inner[1:])]
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return json.dumps(value)


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.casefold() not in _WORDS:
        return value
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
