"""Edits of objects: JSON merge patches, and which object they mean.

Source: RFC 7386, section 2; the API server's ``application/merge-patch+json``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.errors import Problem
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path
from tonnage.kube.shape import near, shape_problems


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


def edited(item: KubeObject, patch: Mapping[str, Any]) -> KubeObject:
    """The object after an edit; it keeps the positions of what it was."""
    return dataclasses.replace(item, value=merged(item.value, patch))


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


def patch_problems(before: KubeObject, after: KubeObject, document: KubeObject, path: Path) -> list[Problem]:
    """What the edit has made wrong with the shape of an object, told where the edit is written."""
    old = {(problem.path, problem.message) for problem in shape_problems(before)}
    return [
        document.problem(path, f"{problem.path}: {problem.message}", problem.hint)
        for problem in shape_problems(after)
        if (problem.path, problem.message) not in old
    ]
