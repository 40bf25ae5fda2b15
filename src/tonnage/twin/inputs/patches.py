"""Edits of objects: JSON merge patches, and which object they mean.

Source: RFC 7386, section 2; the API server's ``application/merge-patch+json``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.errors import Problem
from tonnage.kube.objects import KubeObject, show
from tonnage.kube.paths import Path, parse_path
from tonnage.kube.shape import near, shape_problems
from tonnage.spec.simulation import Change, Edit


def merged(value: Any, patch: Any) -> Any:
    """The value with a merge patch applied; neither is changed.

    Args:
        value: What is there.
        patch: Mappings are merged, None takes a field out, anything else takes the field's place.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), inner)
    return result


def with_value(value: Any, path: Path, new: Any) -> Any:
    """The value with another one at a path; None takes out. What is there is not changed.

    Args:
        value: What is there.
        path: Where; mappings that are missing on the way are made, and the item after a list's last one too.
        new: What is there afterwards.

    Raises:
        ValueError: The path leads through something that has no such field or item.
    """
    if not path:
        return new
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = list(value) if isinstance(value, list) else []
        if step > len(items):
            raise ValueError(f"must name an item that there is, got [{step}] of {len(items)}")
        inner = items[step] if step < len(items) else None
        put = [] if new is None and not rest else [with_value(inner, rest, new)]
        return [*items[:step], *put, *items[step + 1 :]]
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(f"must name a field of a mapping, got {step} of {show(value)}")
    fields = dict(value or {})
    if new is None and not rest:
        fields.pop(step, None)
        return fields
    return {**fields, step: with_value(fields.get(step), rest, new)}


def edited(
    item: KubeObject, patch: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> KubeObject:
    """The object after an edit; it keeps the positions of what it was.

    Args:
        item: The object.
        patch: A merge patch, which comes first.
        settings: Paths to values.

    Raises:
        ValueError: A path leads nowhere.
    """
    value = merged(item.value, patch)
    for name, new in (settings or {}).items():
        path = parse_path(name)
        if path is None:
            raise ValueError(f'must be a path, got "{name}"')
        value = with_value(value, path, new)
    return dataclasses.replace(item, value=value)


def find_target(
    objects: Sequence[KubeObject], target: str, document: KubeObject, path: Path
) -> tuple[KubeObject | None, list[Problem]]:
    """The object that an edit names.

    Args:
        objects: Those that there are.
        target: ``Kind/name`` or ``Kind``.
        document: The document that names it.
        path: Where it does.
    """
    kind, _, name = target.partition("/")
    found = [item for item in objects if item.kind == kind and name in ("", item.name)]
    if len(found) == 1:
        return found[0], []
    known = [str(item.reference) for item in objects]
    if found:
        listed = ", ".join(str(item.reference) for item in found)
        return None, [document.problem(path, f"must name one object, got {len(found)}: {listed}")]
    meant = near(target, [*known, *(item.kind for item in objects)])
    hint = f'did you mean "{meant}"?' if meant else f"there are {', '.join(known)}" if known else None
    return None, [document.problem(path, f'must name an object that there is, got "{target}"', hint)]


def apply_edit(
    target: KubeObject, edit: Change | Edit, document: KubeObject, path: Path
) -> tuple[KubeObject, list[Problem]]:
    """The object after an edit of a Simulation, and what the edit has made wrong.

    Args:
        target: The object.
        edit: What the Simulation says.
        document: The Simulation, for positions.
        path: Where the edit stands in it.
    """
    try:
        after = edited(target, edit.patch, edit.set)
    except ValueError as error:
        return target, [document.problem((*path, "set"), str(error))]
    return after, patch_problems(target, after, document, (*path, "patch" if edit.patch else "set"))


def patch_problems(before: KubeObject, after: KubeObject, document: KubeObject, path: Path) -> list[Problem]:
    """What the edit has made wrong with the shape of an object, told where the edit is written."""
    old = {(problem.path, problem.message) for problem in shape_problems(before)}
    return [
        document.problem(path, f"{problem.path}: {problem.message}", problem.hint)
        for problem in shape_problems(after)
        if (problem.path, problem.message) not in old
    ]
