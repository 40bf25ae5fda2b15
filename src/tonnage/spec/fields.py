"""Every field of ``ModelService`` by its path, read off the models themselves.

Suggestions, the table of who uses what, and the reference page are all made from this one walk, so that
none of them can forget a field.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from tonnage.kube.paths import Path
from tonnage.spec.scalars import Part
from tonnage.spec.service import ModelService

_NEARNESS_MIN: Final = 0.7


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """One field.

    Attributes:
        path: Where it stands; ``[]`` stands for any item of a list.
        part: The mapping that it belongs to.
        name: Its name in a document.
        info: What pydantic knows of it.
    """

    path: str
    part: type[Part]
    name: str
    info: FieldInfo

    @property
    def parts(self) -> tuple[type[Part], ...]:
        """The mappings that it holds; none for a scalar."""
        return tuple(_parts(self.info.annotation))

    @property
    def is_list(self) -> bool:
        """Whether it holds a list."""
        return any(get_origin(option) is tuple for option in _options(self.info.annotation))


def document_name(name: str, info: FieldInfo) -> str:
    """A field's name in a document."""
    return info.alias or name


def fields_of(part: type[Part]) -> dict[str, FieldInfo]:
    """The fields of a mapping by their names in a document."""
    return {document_name(name, info): info for name, info in part.model_fields.items()}


def all_fields(part: type[Part] = ModelService, prefix: str = "") -> Iterator[FieldEntry]:
    """Walks over every field, each mapping before what it holds, in the models' order."""
    for name, info in fields_of(part).items():
        entry = FieldEntry(f"{prefix}.{name}" if prefix else name, part, name, info)
        yield entry
        for inner in entry.parts:
            yield from all_fields(inner, f"{entry.path}[]" if entry.is_list else entry.path)


def leaf_paths() -> tuple[str, ...]:
    """Paths of the fields that hold no mappings, each once."""
    return tuple(dict.fromkeys(entry.path for entry in all_fields() if not entry.parts))


def known_names(path: Path, value: Any, root: type[Part] = ModelService) -> tuple[str, ...]:
    """Names that a mapping may have.

    Args:
        path: The mapping's path in a document.
        value: The document, whose ``type`` fields tell the members of a union apart.
        root: The kind of document.
    """
    parts: tuple[type[Part], ...] = (root,)
    for step in path:
        value = _inside(value, step)
        if not isinstance(step, int):
            parts = _parts_below(parts, step)
        chosen = value.get("type") if isinstance(value, dict) else None
        parts = tuple(part for part in parts if _tag(part) == chosen) or parts
    return tuple(dict.fromkeys(name for part in parts for name in fields_of(part)))


def tags_at(path: Path, root: type[Part] = ModelService) -> tuple[str, ...]:
    """What ``type`` may be in the members of a union; empty where there is no union.

    Args:
        path: The member's path in a document, without union tags.
        root: The kind of document.
    """
    parts: tuple[type[Part], ...] = (root,)
    for step in path:
        if not isinstance(step, int):
            parts = _parts_below(parts, step)
    tags = tuple(tag for part in parts if (tag := _tag(part)) is not None)
    return tags if len(parts) > 1 else ()


def _parts_below(parts: Iterable[type[Part]], name: str) -> tuple[type[Part], ...]:
    infos = [info for part in parts if (info := fields_of(part).get(name)) is not None]
    return tuple(dict.fromkeys(inner for info in infos for inner in _parts(info.annotation)))


def nearest(wrong: str, right: Iterable[str]) -> str | None:
    """The known name that was most likely meant; None when none is near.

    Case, dashes, underscores and a trailing ``Seconds`` do not count as differences.
    """
    by_key = {_key(name): name for name in right}
    key = _key(wrong)
    if key in by_key:
        return by_key[key]
    matches = difflib.get_close_matches(key, by_key, n=1, cutoff=_NEARNESS_MIN)
    return by_key[matches[0]] if matches else None


def elsewhere(name: str, root: type[Part] = ModelService) -> str | None:
    """The outermost path at which a field of this name stands; None when there is none or are several."""
    paths = sorted({entry.path for entry in all_fields(root) if entry.name == name}, key=_depth)
    first_is_alone = len(paths) == 1 or (len(paths) > 1 and _depth(paths[0]) < _depth(paths[1]))
    return paths[0] if first_is_alone else None


def _depth(path: str) -> int:
    return path.count(".")


def _key(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold().removesuffix("seconds")


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list | tuple) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None


def _tag(part: type[Part]) -> str | None:
    info = part.model_fields.get("type")
    arguments = get_args(info.annotation) if info and get_origin(info.annotation) is Literal else ()
    return arguments[0] if len(arguments) == 1 else None


def _options(annotation: Any) -> Iterator[Any]:
    """The members of a union, looked for through ``Annotated``."""
    if hasattr(annotation, "__metadata__"):
        yield from _options(annotation.__origin__)
    elif get_origin(annotation) not in (tuple, dict, Literal, None) and get_args(annotation):
        for argument in get_args(annotation):
            yield from _options(argument)
    else:
        yield annotation


def _parts(annotation: Any) -> Iterator[type[Part]]:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, Part):
            yield option
        elif get_origin(option) is tuple:
            for argument in get_args(option):
                yield from _parts(argument)
