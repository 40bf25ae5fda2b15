"""Writes changes into YAML text where they belong, leaving comments, order and layout as they are.

Each change becomes one edit of the text at the position of the node that it touches; nothing is written anew
that is not changed. An edited text is read again and compared with what the change means: what cannot be
edited soundly (an alias, a merge key, a place that block layout cannot hold) is refused, never guessed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from tonnage.audit.finding import Change, Finding
from tonnage.errors import SpecError
from tonnage.kube.dump import dump_documents
from tonnage.kube.paths import Path
from tonnage.kube.text import read_text


def patched(text: str, findings: Sequence[Finding]) -> tuple[str, tuple[Finding, ...]]:
    """Makes the changes of findings in the text of their file.

    Args:
        text: The file's text.
        findings: Findings of this file.

    Returns:
        The new text, and the findings whose changes were all made. A change that an earlier one has made
        already counts as made.
    """
    done: list[Finding] = []
    for finding in findings:
        attempt: str | None = text
        for change in finding.changes:
            attempt = _changed(attempt, finding, change) if attempt is not None else None
        if finding.changes and attempt is not None:
            text = attempt
            done.append(finding)
    return text, tuple(done)


def _changed(text: str, finding: Finding, change: Change) -> str | None:
    """The text with one change; None where it cannot be made soundly."""
    path = (*finding.prefix, *change.path)
    try:
        before, _ = read_text(text, source=finding.file)
        wanted = [document.value for document in before]
        wanted[finding.document] = _applied(wanted[finding.document], path, change)
        roots = [root for root in YAML(typ="rt", pure=True).compose_all(text) if not _is_empty(root)]
        edited = _edited(text, roots[finding.document], path, change)
        after, problems = read_text(edited, source=finding.file)
    except (YAMLError, SpecError, _RefusedError, LookupError):
        return None
    return edited if not problems and [document.value for document in after] == wanted else None


class _RefusedError(Exception):
    """The change has no sound edit."""


def _is_empty(root: Node | None) -> bool:
    return root is None or (isinstance(root, ScalarNode) and root.value == "")


def _applied(value: Any, path: Path, change: Change) -> Any:
    """What the change means, on plain data."""
    made = copy.deepcopy(value)
    holder = made
    for step, following in zip(path, path[1:], strict=False):
        inner = _get(holder, step)
        if inner is None:
            if change.remove:
                return value
            inner = [] if isinstance(following, int) else {}
            _put(holder, step, inner)
        holder = inner
    if not change.remove:
        _put(holder, path[-1], copy.deepcopy(change.value))
    elif isinstance(holder, dict):
        holder.pop(path[-1], None)
    else:
        raise _RefusedError
    return made


def _get(holder: Any, step: str | int) -> Any:
    if isinstance(holder, dict):
        return holder.get(step)
    if isinstance(holder, list) and isinstance(step, int):
        return holder[step] if step < len(holder) else None
    raise _RefusedError


def _put(holder: Any, step: str | int, value: Any) -> None:
    if isinstance(holder, list) and isinstance(step, int) and step == len(holder):
        holder.append(value)
    elif isinstance(holder, dict) or (isinstance(step, int) and step < len(holder)):
        holder[step] = value
    else:
        raise _RefusedError


def _edited(text: str, root: Node, path: Path, change: Change) -> str:
    """One edit: replace a scalar, remove an entry, or add what is missing to the deepest holder there is."""
    node, depth = root, 0
    while depth < len(path):
        inner = _child(node, path[depth])
        if inner is None:
            break
        node, depth = inner, depth + 1
    if change.remove:
        return text if depth < len(path) else _without(text, root, path)
    value = change.value
    for step in reversed(path[depth + 1 :]):
        value = [value] if isinstance(step, int) else {step: value}
    if depth == len(path):
        return _replaced(text, node, value)
    if isinstance(node, ScalarNode) and node.value in ("", "null", "~"):
        step = path[depth]
        return _replaced(text, node, [value] if isinstance(step, int) else {step: value})
    return _extended(text, node, path[depth], value)


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return next((inner for key, inner in node.value if key.value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: Node = node.value[step]
        return found
    return None


def _replaced(text: str, node: Node, value: Any) -> str:
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, CollectionNode) and not node.flow_style:
        raise _RefusedError
    space = " " if start > 0 and text[start - 1] == ":" else ""
    return f"{text[:start]}{space}{_flow(value)}{text[end:]}"


def _extended(text: str, node: Node, step: str | int, value: Any) -> str:
    """Adds an entry behind the last one of a mapping or a sequence."""
    sequence = isinstance(node, SequenceNode)
    if not isinstance(node, CollectionNode) or sequence is not isinstance(step, int):
        raise _RefusedError
    entry = _flow(value) if isinstance(step, int) else f"{_flow(step)}: {_flow(value)}"
    if node.flow_style:
        end = node.end_mark.index - 1
        last = text[:end].rstrip()
        comma = "" if not node.value or last.endswith(",") else ", "
        return f"{last}{comma}{entry}{text[len(last) : end]}{text[end:]}"
    indent = " " * node.start_mark.column
    lines = dump_documents([{"x": [value]} if isinstance(step, int) else {step: value}]).splitlines()
    lines = lines[1:] if isinstance(step, int) else lines
    at = _end_of(text, node)
    return f"{text[:at]}{''.join(f'{_newline(text, at)}{indent}{line}' for line in lines)}{text[at:]}"


def _newline(text: str, at: int) -> str:
    return "\r\n" if "\r\n" in text[max(0, at - 500) : at + 2] else "\n"


def _end_of(text: str, node: Node) -> int:
    """Where the line ends on which the last value of a node ends, a comment behind it included."""
    while isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, MappingNode) else last
    end: int = node.end_mark.index
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        return len(text[:end].rstrip("\r\n"))
    newline = text.find("\n", end)
    if newline < 0:
        return len(text)
    return newline - 1 if text[newline - 1] == "\r" else newline


def _without(text: str, root: Node, path: Path) -> str:
    """Removes an entry of a mapping with the line, or lines, that it stands on."""
    holder = root
    for step in path[:-1]:
        inner = _child(holder, step)
        if inner is None:
            raise _RefusedError
        holder = inner
    if not isinstance(holder, MappingNode) or holder.flow_style or len(holder.value) < 2:
        raise _RefusedError
    key, value = next(pair for pair in holder.value if pair[0].value == path[-1])
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    if text[start : key.start_mark.index].strip():
        raise _RefusedError
    return text[:start] + text[_end_of(text, value) :].removeprefix("\r").removeprefix("\n")


def _flow(value: Any) -> str:
    """A value on one line, as people write flow YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return dump_documents([{"x": value}])[3:].rstrip("\n")
    return json.dumps(value)
