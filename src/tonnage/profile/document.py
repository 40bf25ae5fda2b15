"""Reads, checks and writes ``ModelProfile`` documents.

Text is read as plain JSON, which is fast; only when something is wrong is it read again by the parser
that knows lines and columns, so that every problem is named with its place.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tonnage.errors import EnvironmentFault, Problem, SpecError
from tonnage.kube.text import Document, read_text
from tonnage.profile.parts import KIND, ModelProfile

PROFILE_BYTES_MAX: Final = 1024 * 1024
PROBLEMS_MAX: Final = 50
_SHOWN_MAX: Final = 60
_FLOAT_DIGITS: Final = 6

_MESSAGES: Final = {
    "missing": "must be given",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a string",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def load_profile(path: str | Path) -> ModelProfile:
    """Reads the profile in a file.

    Raises:
        SpecError: The file cannot be read, or the document is wrong; it holds every problem.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
    except OSError as error:
        raise SpecError([Problem("", f"must be a readable file, got {error.strerror}", name)]) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"must be UTF-8 text, got byte 0x{data[error.start]:02x}"
        raise SpecError([Problem("", message, name, line)]) from None
    if len(data) > PROFILE_BYTES_MAX:
        raise SpecError([Problem("", f"must be at most {PROFILE_BYTES_MAX} bytes, got more", name)])
    return parse_profile(text, source=name)


def parse_profile(text: str, *, source: str = "<text>") -> ModelProfile:
    """Reads a profile.

    Args:
        text: JSON with one document of kind ``ModelProfile``.
        source: The file's name in problems.

    Raises:
        SpecError: The document is wrong; it holds every problem, in the text's order.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        message = f"must be JSON, got {getattr(error, 'msg', error)}"
        raise SpecError([Problem("", message, source, line, column)]) from None
    if not isinstance(value, dict):
        raise SpecError([Problem("", f"must be a mapping of kind {KIND}, got {_shown(value)}", source, 1, 1)])
    if value.get("kind", KIND) != KIND:
        message = f"must be {KIND}, got {_shown(value['kind'])}"
        raise SpecError([_placed(("kind",), message, None, _positions(text, source), source)])
    try:
        return ModelProfile.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        document = _positions(text, source)
        problems = [_problem(detail, document, source) for detail in error.errors()[:PROBLEMS_MAX]]
        problems.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
        raise SpecError(problems) from None


def dump_profile(profile: ModelProfile) -> str:
    """Writes a profile as JSON that reads back; numbers keep six significant digits."""
    return json.dumps(_rounded(profile.to_document()), indent=2, ensure_ascii=False) + "\n"


def write_profile(profile: ModelProfile, *, path: Path) -> None:
    """Writes a profile to a file: whole, or not at all.

    Raises:
        EnvironmentFault: The file cannot be written.
    """
    write_whole(dump_profile(profile), path=path)


def write_whole(text: str, *, path: Path) -> None:
    """Writes a file beside its place and then moves it there, so that no half of it is ever seen.

    Raises:
        EnvironmentFault: The file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.exists() and not path.is_file():  # a pipe or a terminal: there is nothing to replace
            path.write_text(text, encoding="utf-8")
            return
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentFault(f"{path}: must be writable, got {error.strerror}") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_FLOAT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value


def _positions(text: str, source: str) -> Document | None:
    try:
        documents, _ = read_text(text, source=source)
    except SpecError:
        return None
    return documents[0] if documents else None


def _problem(detail: ErrorDetails, document: Document | None, source: str) -> Problem:
    path = tuple(step for step in detail["loc"] if step != "[key]")
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), _known_names(path[:-1]), n=1)
        hint = f'did you mean "{near[0]}"?' if near else None
        return _placed(path, "must be a known field, got an unknown one", hint, document, source)
    if kind == "missing":
        return _placed(path, "must be given", None, document, source)
    if kind == "refused":
        return _placed(path, str(context["what"]), None, document, source)
    what = _MESSAGES.get(kind)
    if what is None and kind == "literal_error":
        what = f"must be {context['expected']}"
    if what is None and "pattern" in context:
        what = f"must match {context['pattern']}"
    if what is None:
        bound = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
        what = " and ".join(f"must be {bound[key]} {context[key]:g}" for key in bound if key in context)
    return _placed(path, f"{what or detail['msg']}, got {_shown(value)}", None, document, source)


def _placed(
    path: tuple[int | str, ...], message: str, hint: str | None, document: Document | None, source: str
) -> Problem:
    place = None
    steps = path
    while document is not None and place is None:
        place = document.places.get(steps)
        if not steps:
            break
        steps = steps[:-1]
    line, column = (place.line, place.column) if place is not None else (None, None)
    return Problem(_written(path), message, source, line, column, hint)


def _written(path: tuple[int | str, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _known_names(path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the mapping at ``path``."""
    part: type[BaseModel] = ModelProfile
    for step in path:
        if isinstance(step, int):
            continue
        inner = next((info for info in part.model_fields.values() if info.alias == step), None)
        found = _part_in(inner.annotation) if inner is not None else None
        if found is None:
            return []
        part = found
    return [info.alias or name for name, info in part.model_fields.items()]


def _part_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _part_in(argument)
        if found is not None:
            return found
    return None


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."
