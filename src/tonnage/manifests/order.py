"""One order of keys for every object, whatever order it was made or written in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_FIRST: Final = ("apiVersion", "kind", "metadata", "type", "name", "image", "topologyKey")
"""Keys that people look for first; the others follow in order of their names."""


def ordered(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same object in that order.

    Args:
        value: Plain data.
    """
    rank = {name: place for place, name in enumerate(_FIRST)}
    keys = sorted(value, key=lambda key: (rank.get(key, len(rank)), key))
    return {key: _inner(value[key]) for key in keys}


def _inner(value: Any) -> Any:
    if isinstance(value, list):
        return [_inner(item) for item in value]
    return ordered(value) if isinstance(value, Mapping) else value
