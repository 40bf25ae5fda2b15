"""``--set Kind.path=value``: a field of a document is changed before anything is read from it.

It works on documents as they are written, so that one and the same option reaches a ModelService, a
Deployment, an HPA or a Simulation, and what it makes is checked as if somebody had written it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import orjson

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, read_objects
from tonnage.spec.fields import nearest
from tonnage.twin.inputs import InputTexts, TextFile

# A name may have dots; the path after it begins with a field that documents have at their root.
_FORM: Final = re.compile(
    r"([A-Za-z]+)(?:/([A-Za-z0-9.-]+?))?\.((?:spec|metadata|data|status)(?:[.\[][^=]*)?)=(.*)", re.DOTALL
)
_STEP: Final = re.compile(r"\.?(?:([^.\[\]]+)|\[([0-9]+)\])")
_EXAMPLE: Final = "HorizontalPodAutoscaler.spec.maxReplicas=20"


@dataclass(frozen=True, slots=True)
class Setting:
    """One change.

    Attributes:
        text: As it was written.
        kind: Kind of the document.
        name: Its name; None where only one document has the kind.
        path: Keys and indices from the document's root.
        value: What stands there afterwards; None takes the field out.
    """

    text: str
    kind: str
    name: str | None
    path: tuple[str | int, ...]
    value: Any


def parse_setting(text: str) -> Setting:
    """Read the option.

    Raises:
        SpecError: It has not the form ``Kind.path=value``.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise SpecError([Problem("--set", f"must be like {_EXAMPLE}, got {text!r}")])
    kind, name, path, value = match.groups()
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise SpecError([Problem("--set", f"must have a path like spec.metrics[0].type, got {path!r}")])
        steps.append(step[1] if step[1] is not None else int(step[2]))
        at = step.end()
    return Setting(text, kind, name, tuple(steps), _value(value))


def _value(text: str) -> Any:
    """JSON where it is JSON, else text: ``20``, ``true``, ``null``, ``[1, 2]``, ``30s``."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def with_settings(texts: InputTexts, settings: Sequence[Setting]) -> InputTexts:
    """Change documents.

    Args:
        texts: What was read.
        settings: Changes, in order.

    Returns:
        The texts with those files written anew that hold a changed document.

    Raises:
        SpecError: A setting names no document, several, or a path that cannot be.
    """
    if not settings:
        return texts
    files = [(file, read_objects(file.text, source=file.name)[0]) for file in texts.inputs]
    values = [(file, item, copy.deepcopy(item.value)) for file, items in files for item in items]
    touched: set[str] = set()
    for setting in settings:
        found = [
            (file, value)
            for file, item, value in values
            if item.kind == setting.kind and setting.name in (None, item.name)
        ]
        if len(found) != 1:
            raise SpecError([_not_one(setting, [item for _, item, _ in values], len(found))])
        file, value = found[0]
        _put(value, setting)
        touched.add(file.name)
    inputs = tuple(
        TextFile(file.name, _written([value for one, _, value in values if one is file]))
        if file.name in touched
        else file
        for file in texts.inputs
    )
    return replace(texts, inputs=inputs)


def _written(documents: Sequence[Any]) -> str:
    return "\n---\n".join(json.dumps(one, indent=2, ensure_ascii=False, default=_plain) for one in documents)


def _plain(value: object) -> int | float:
    """Numbers of documents are exact decimals; JSON writes them as whole or as the shortest float."""
    if not isinstance(value, Decimal):
        raise TypeError(f"no value of a document: {value!r}")
    return int(value) if value == value.to_integral_value() else float(value)


def _not_one(setting: Setting, items: Sequence[KubeObject], count: int) -> Problem:
    known = [f"{item.kind}/{item.name}" for item in items]
    wanted = setting.kind if setting.name is None else f"{setting.kind}/{setting.name}"
    if count > 1:
        hint = f"write the name too, such as {next(one for one in known if one.startswith(setting.kind))}"
        return Problem("--set", f"must name one document, got {count} of kind {setting.kind}", hint=hint)
    near = nearest(wanted, [*known, *(item.kind for item in items)])
    hint = f'did you mean "{near}"?' if near else f"there are {', '.join(known) or 'none'}"
    return Problem("--set", f"must name a document, got {wanted!r}", hint=hint)


def _put(document: Any, setting: Setting) -> None:
    at = document
    for step, following in zip(setting.path, setting.path[1:], strict=False):
        _fits(at, step, setting)
        if isinstance(at, dict):
            at = at.setdefault(step, [] if isinstance(following, int) else {})
        elif step == len(at):
            at.append([] if isinstance(following, int) else {})
            at = at[step]
        else:
            at = at[step]
    last: Any = setting.path[-1]
    _fits(at, last, setting)
    if isinstance(at, dict):
        if setting.value is None:
            at.pop(last, None)
        else:
            at[last] = setting.value
    elif last == len(at):
        at.append(setting.value)
    else:
        at[last] = setting.value


def _fits(at: Any, step: str | int, setting: Setting) -> None:
    """Refuse a step that the value there does not have."""
    if isinstance(step, int):
        if not isinstance(at, list) or step > len(at):
            size = f"a list of {len(at)}" if isinstance(at, list) else "no list"
            raise SpecError([Problem("--set", f"must name an item that there is, got [{step}] of {size}")])
    elif not isinstance(at, dict):
        message = f"must name a field of a mapping, got {step!r} in {setting.text!r}"
        raise SpecError([Problem("--set", message)])
