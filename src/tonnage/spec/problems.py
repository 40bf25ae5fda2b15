"""What is wrong with a document, in Tonnage's words, with position and next step.

pydantic finds the faults of single fields; this module turns each into a ``Problem`` that says what must
hold, what was found and what to do, at the line and column of the text.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tonnage.errors import Problem
from tonnage.kube.paths import Path, format_path, parent_path, printable
from tonnage.kube.text import Document, Place
from tonnage.spec.fields import elsewhere, known_names, nearest, tags_at
from tonnage.spec.scalars import QUOTE_HINT, REFUSED, Part
from tonnage.spec.service import ModelService

PROBLEMS_MAX: Final = 100
"""Faults of fields that are worded one by one; a document with more is nonsense as a whole."""
_SHOWN_MAX: Final = 60
_MISSING: Final = "must be given"
_MEANT: Final = re.compile(r'did you mean "(.*)"\?')
_FOREIGN: Final = {
    "spec.resources.requests": "cpu and memory stand directly under resources, and are what is requested",
    "spec.resources.limits.gpu": "GPUs stand in spec.resources.gpu",
    "spec.model.uri": "the file is named by path",
    "spec.containers": "the container is made from spec.image and spec.resources",
    "spec.template": "the pod is made from the fields of this document",
    "spec.nodeSelector": "it stands in spec.scheduling.nodeSelector",
}
"""Fields of other documents that people write here, and where their meaning stands."""

_SYNONYMS: Final = {
    "float": "FP32",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "double": "FP64",
    "bfloat16": "BF16",
    "half": "FP16",
    "str": "BYTES",
    "string": "BYTES",
    "pytorch": "torch",
    "torchscript": "torch",
}
"""What other tools call a choice."""

_MESSAGES: Final = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters",
    "too_short": "must hold at least {min_length} item",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "greater_than_equal": "must be >= {ge}",
    "less_than_equal": "must be <= {le}",
    REFUSED: "{what}",
}
"""pydantic's kinds of error in our words; the braces are filled from the error's context."""


class Locator:
    """Finds positions and written values in one document."""

    def __init__(self, document: Document, source: str, root: type[Part] = ModelService) -> None:
        self.document = document
        self.source = source
        self.root = root
        self._places = {format_path(path): place for path, place in document.places.items()}

    def problem(
        self, path: str, message: str, hint: str | None = None, place: Place | None = None
    ) -> Problem:
        """Makes a problem at a path; the position is that of the nearest value that the text has."""
        at = path
        while place is None:
            place = self._places.get(at)
            if place is None and not at:
                place = Place(1, 1)
            at = parent_path(at)
        # A message may hold names out of the document.
        return Problem(
            path, printable(message), self.source, place.line, place.column, printable(hint) if hint else None
        )

    def got(self, path: Path, value: Any) -> str:
        """Shows a value as it was written."""
        shown = self.document.written.get(path)
        return shorten(shown) if shown else show(value)


def show(value: Any) -> str:
    """Shows a value in a message: text in quotes, collections by their kind."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return shorten(f'"{value}"' if isinstance(value, str) else str(value))


def shorten(text: str) -> str:
    """Cuts a long text, and writes what is not printable as escapes."""
    text = printable(text[: _SHOWN_MAX + 1])
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."


def document_path(location: tuple[int | str, ...], root: type[Part] = ModelService) -> Path:
    """Turns pydantic's location into a path of the document: without union tags and key marks."""
    path: Path = ()
    tags: tuple[str, ...] = ()
    for step in location:
        if step == "[key]":
            continue
        if step in tags:
            tags = ()  # The tag of a union, which stands between a member and its field.
            continue
        path = (*path, step)
        tags = tags_at(path, root)
    return path


def suggested_name(path: Path, document: Document, root: type[Part] = ModelService) -> str | None:
    """The field that an unknown one most likely stands for."""
    return nearest(str(path[-1]), known_names(path[:-1], document.value, root))


def field_problems(error: ValidationError, locator: Locator) -> list[Problem]:
    """Words every fault that pydantic found."""
    details = [detail for detail in error.errors(include_url=False) if not _is_echo(detail)]
    problems = _without_echoes([_worded(detail, locator) for detail in details[:PROBLEMS_MAX]])
    if len(details) > PROBLEMS_MAX:
        more = len(details) - PROBLEMS_MAX
        problems.append(locator.problem("", f"must be sound, got {more} more problems like these"))
    return problems


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Leaves out that a field is missing where another one is told to be a misspelling of it."""
    meant = {
        f"{holder}.{match[1]}" if (holder := parent_path(problem.path)) else match[1]
        for problem in problems
        if (match := _MEANT.fullmatch(problem.hint or "")) is not None
    }
    return [one for one in problems if not (one.message == _MISSING and one.path in meant)]


def _is_echo(detail: ErrorDetails) -> bool:
    """Whether a list only counts as too short because items in it, reported themselves, are wrong."""
    minimum = (detail.get("ctx") or {}).get("min_length", 0)
    return detail["type"] == "too_short" and len(detail["input"]) >= minimum


def _worded(detail: ErrorDetails, locator: Locator) -> Problem:
    path, kind = document_path(detail["loc"], locator.root), detail["type"]
    context = dict(detail.get("ctx") or {})
    name = format_path(path)
    if kind == "missing":
        return locator.problem(name, _MISSING)
    if kind == "extra_forbidden":
        return _unknown(path, locator)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _wrong_tag(path, kind, detail, locator)
    if "[key]" in detail["loc"]:
        place = locator.document.key_places.get(path)
        return locator.problem(
            name, f'{_what(kind, context, detail)}, got "{shorten(str(path[-1]))}"', None, place
        )
    value = detail["input"]
    got = locator.got(path, value)
    if kind == "literal_error":
        return _wrong_choice(path, str(context["expected"]), value, got, locator)
    return locator.problem(
        name, f"{_what(kind, context, detail)}, got {got}", _hint(kind, context, value, got)
    )


def _what(kind: str, context: dict[str, Any], detail: ErrorDetails) -> str:
    message = _MESSAGES.get(kind)
    return message.format(**context) if message else f"must be valid ({detail['msg']})"


def _hint(kind: str, context: dict[str, Any], value: Any, got: str) -> str | None:
    hint: str | None = context.get("hint")
    if kind == "string_type" or hint == QUOTE_HINT:
        scalar = not isinstance(value, dict | list | tuple) and value is not None
        hint = f'{QUOTE_HINT}: "{got}"' if scalar else None
    return hint or ("leave the field out for its default" if value is None else None)


def _unknown(path: Path, locator: Locator) -> Problem:
    name, wrong = format_path(path), str(path[-1])
    known = known_names(path[:-1], locator.document.value, locator.root)
    near, other = nearest(wrong, known), elsewhere(wrong, locator.root)
    if other is not None and parent_path(other) == re.sub(r"\[[0-9]+\]", "[]", parent_path(name)):
        other = None  # It stands here, but in another member of the union.
    if name in _FOREIGN:
        hint = _FOREIGN[name]
    elif near is not None:
        hint = f'did you mean "{near}"?'
    elif other is not None:
        hint = f"did you mean {other}?"
    else:
        hint = f"known here are {', '.join(known)}"
    place = locator.document.key_places.get(path)
    return locator.problem(name, f'must be a known field, got "{shorten(wrong)}"', hint, place)


def _wrong_choice(path: Path, expected: str, value: Any, got: str, locator: Locator) -> Problem:
    choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
    near = nearest(_SYNONYMS.get(value, value), choices) if isinstance(value, str) else None
    wanted = f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
    hint = f'did you mean "{near}"?' if near else None
    return locator.problem(format_path(path), f"must be {wanted}, got {got}", hint)


def _wrong_tag(path: Path, kind: str, detail: ErrorDetails, locator: Locator) -> Problem:
    choices = tags_at(path, locator.root)
    inner = (*path, "type")
    holder = detail["input"] if isinstance(detail["input"], dict) else {}
    value = holder.get("type")
    if kind == "union_tag_not_found" and "type" not in holder:
        return locator.problem(format_path(inner), f"must be given, one of {', '.join(choices)}")
    return _wrong_choice(inner, ", ".join(choices), value, locator.got(inner, value), locator)
