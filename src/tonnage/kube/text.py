"""YAML and JSON text as plain data in which every value knows its line and column.

The tree is built from ruamel.yaml's parser events and not by its constructors, for four reasons: each
problem needs a position; a duplicate key must be refused and not be overwritten; numbers must stay exact
(``0.1`` becomes a ``Decimal``, not a float); and the text comes from strangers, so depth, size and what
aliases unfold to are bounded before anything is built (the "billion laughs" trick fails here).

Plain scalars mean what YAML 1.2's core schema says: ``yes`` and ``on`` are strings. JSON is read by the
same parser, being YAML but for tabs and surrogate pairs, which are seen to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tonnage.errors import Problem, SpecError
from tonnage.kube.paths import Path, format_path, printable

TEXT_BYTES_MAX: Final = 1024 * 1024
"""Bound of one document that a user writes."""
NODES_MAX: Final = 50_000
"""Bound of the values of such a text, aliases unfolded."""
DEPTH_MAX: Final = 64
_DIGITS_MAX: Final = 64
_EXPONENT_MAX: Final = 400

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL: Final = re.compile(r"0o[0-7]+", re.ASCII)
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+", re.ASCII)
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_STRING_TAG: Final = "tag:yaml.org,2002:str"
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
"""What JSON allows inside a string and YAML refuses there, or takes for a line's end."""
_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\t', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text.

    Attributes:
        line: From 1.
        column: From 1.
    """

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text.

    Attributes:
        value: Mappings as dicts, sequences as lists, scalars as str, bool, int, Decimal or None.
        places: Where each value begins, by its path.
        key_places: Where each value's key begins, by its path.
        written: How each scalar was written, by its path.
    """

    value: Any
    places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)


def read_text(
    text: str, *, source: str, bytes_max: int = TEXT_BYTES_MAX, nodes_max: int = NODES_MAX
) -> tuple[list[Document], list[Problem]]:
    """Reads every document of a YAML or JSON text.

    Args:
        text: The text.
        source: The file's name for problems.
        bytes_max: Characters of the text at most.
        nodes_max: Values of the text at most, aliases unfolded.

    Returns:
        The documents that are not empty, and what is wrong inside them (duplicate keys, tags, numbers
        out of range), so that it can be reported with everything else.

    Raises:
        SpecError: The text is not YAML, or is too large, too deep or unfolds to too much.
    """
    if len(text) > bytes_max:
        raise SpecError([Problem("", f"must be at most {bytes_max} bytes, got {len(text)}", source)])
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        text = _JSON_TOKEN.sub(_as_yaml, text)
    builder = _Builder(source, nodes_max)
    for event in _events(text, source):
        builder.take(event)
    return [_flatten(node) for node in builder.roots if node.kind != "empty"], builder.problems


def read_json(text: str) -> Document | None:
    """Reads one sound JSON document fast, without positions; None leaves all else to ``read_text``.

    Args:
        text: Any text.
    """
    try:
        return Document(
            json.loads(text, parse_float=Decimal, parse_constant=_refused, object_pairs_hook=_unrepeated)
        )
    except (ValueError, RecursionError):
        return None


def _refused(constant: str) -> None:
    raise ValueError(f"must be a finite number, got {constant}")


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("must have each key once")
    return mapping


def _as_yaml(token: re.Match[str]) -> str:
    """Writes a string or tab of JSON so that YAML reads the same; line numbers stay."""
    if token[0] == "\t":
        return " "
    return _NOT_IN_YAML.sub(lambda character: f"\\u{ord(character[0]):04x}", token[0])


def _events(text: str, source: str) -> Iterator[Any]:
    """The parser's events; whatever the parser raises becomes one problem with a position."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except SpecError:
        raise
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "malformed"
        raise SpecError([_problem(source, mark, "", f"must be valid YAML: {_one_line(what)}")]) from None
    except YAMLError as error:
        raise SpecError([Problem("", f"must be valid YAML: {_one_line(str(error))}", source)]) from None
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError, OverflowError):
        # The parser has paths that fail this way on malformed text; to the user it is all one.
        raise SpecError([Problem("", "must be valid YAML", source)]) from None


def _one_line(text: str) -> str:
    return printable(" ".join(text.split())[:200])


def _problem(source: str, mark: Any, path: str, message: str, hint: str | None = None) -> Problem:
    message = printable(message)
    if mark is None:
        return Problem(path, message, source, hint=hint)
    return Problem(path, message, source, mark.line + 1, mark.column + 1, hint)


@dataclass(slots=True)
class _Node:
    """A node under construction; ``size`` counts the nodes it unfolds to, aliases included."""

    kind: str
    place: Place
    scalar: Any = None
    written: str = ""
    children: list[tuple[str | None, Place | None, _Node]] = field(default_factory=list)
    size: int = 1
    anchor: str | None = None
    key: tuple[str, Place] | None = None
    key_is_second: bool = False
    key_places: dict[str, Place] = field(default_factory=dict)


class _Builder:
    """Builds node trees from events, iteratively, within the bounds.

    Theory of operation: ``stack`` holds the open collections. A scalar, alias or closed collection is
    handed to the innermost of them, which takes it as a key when it is a mapping that waits for one.
    """

    def __init__(self, source: str, nodes_max: int) -> None:
        self.source = source
        self._nodes_max = nodes_max
        self.roots: list[_Node] = []
        self.problems: list[Problem] = []
        self._stack: list[_Node] = []
        self._anchors: dict[str, _Node] = {}
        self._size_before = 0

    def take(self, event: Any) -> None:
        """Takes the parser's next event."""
        name = type(event).__name__
        if name == "DocumentStartEvent":
            self._anchors = {}
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._stack) >= DEPTH_MAX:
                self._refuse(event, f"must be nested at most {DEPTH_MAX} deep")
            self._check_tag(event, None)
            kind = "mapping" if name == "MappingStartEvent" else "sequence"
            self._stack.append(_Node(kind, _place(event), anchor=event.anchor))
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            node = self._stack.pop()
            if node.anchor:
                self._anchors[node.anchor] = node
            self._hand_over(node, event)
        elif name == "ScalarEvent":
            node = self._scalar(event)
            if event.anchor:
                self._anchors[event.anchor] = node
            self._hand_over(node, event)
        elif name == "AliasEvent":
            if event.anchor not in self._anchors:
                self._refuse(event, f"must be an alias of an earlier anchor, got *{event.anchor}")
            self._hand_over(self._anchors[event.anchor], event)

    def _refuse(self, event: Any, message: str) -> None:
        raise SpecError([_problem(self.source, event.start_mark, "", message)])

    def _note(self, event: Any, message: str, hint: str | None = None) -> None:
        self.problems.append(_problem(self.source, event.start_mark, self._here(), message, hint))

    def _here(self) -> str:
        steps: list[str | int] = []
        for node in self._stack:
            if node.kind == "sequence":
                steps.append(len(node.children))
            elif node.key is not None:
                steps.append(node.key[0])
        return format_path(tuple(steps))

    def _check_tag(self, event: Any, allowed: str | None) -> None:
        tag = str(event.tag) if event.tag is not None else None
        if tag not in (None, "!", allowed):
            self._note(event, f"must have no tag, got {tag}")

    def _scalar(self, event: Any) -> _Node:
        self._check_tag(event, _STRING_TAG)
        text: str = event.value
        quoted = event.style is not None or event.tag is not None
        if quoted:
            # JSON writes a character beyond the basic plane as two escapes.
            joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if joined.count("\ufffd") > text.count("\ufffd"):
                self._note(event, "must be valid Unicode, got half of a surrogate pair")
            return _Node("scalar", _place(event), joined, f'"{joined}"')
        try:
            return _Node("scalar", _place(event), _plain(text), text)
        except ValueError as error:
            self._note(event, f"{error}, got {text[:60]}")
            return _Node("scalar", _place(event), text, text)

    def _hand_over(self, node: _Node, event: Any) -> None:
        if not self._stack:
            # A document without content has one empty plain scalar.
            empty = node.kind == "scalar" and node.scalar is None and not node.written
            self.roots.append(_Node("empty", node.place) if empty else node)
            self._size_before += node.size
            return
        parent = self._stack[-1]
        if parent.kind == "mapping" and parent.key is None:
            self._take_key(parent, node, event)
            return
        parent.size += node.size
        if self._size_before + parent.size > self._nodes_max:
            self._refuse(event, f"must unfold to at most {self._nodes_max} values")
        key, place = parent.key or (None, None)
        parent.key = None
        if not (parent.kind == "mapping" and parent.key_is_second):
            parent.children.append((key, place, node))

    def _take_key(self, parent: _Node, node: _Node, event: Any) -> None:
        if node.kind != "scalar":
            self._refuse(event, "must have a string as key, got a collection")
        key, place = node.scalar if isinstance(node.scalar, str) else node.written, _place(event)
        first = parent.key_places.setdefault(key, place)
        parent.key, parent.key_is_second = (key, place), first is not place
        if not isinstance(node.scalar, str):
            self._note(event, f"must be a string as key, got {key or 'nothing'}", f'write "{key}"')
        elif key == "<<":
            self._note(event, "must be no merge key", "write the fields out")
        if parent.key_is_second:
            self._note(event, f"must be given once, got a second one (the first is in line {first.line})")


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _plain(text: str) -> Any:
    """What a plain scalar means by YAML 1.2's core schema; floats stay exact."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    digits = sum(character.isdigit() for character in text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("must be a finite number")
    if _FLOAT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        if digits > _DIGITS_MAX:
            raise ValueError(f"must be a number of at most {_DIGITS_MAX} digits")
        if _INTEGER.fullmatch(text):
            return int(text)
        if text[:2] in ("0o", "0x"):
            return int(text, 0)
        number = Decimal(text)
        if number and abs(number.adjusted()) > _EXPONENT_MAX:
            raise ValueError("must be a number within 1e-400 to 1e400")
        return number
    return text


def _flatten(root: _Node) -> Document:
    """Turns a node tree into plain data and positions; depth and size were bounded before."""
    document = Document(None)

    def walk(node: _Node, path: Path) -> Any:
        document.places[path] = node.place
        if node.kind == "scalar":
            document.written[path] = node.written
            return node.scalar
        if node.kind == "sequence":
            return [walk(child, (*path, index)) for index, (_, _, child) in enumerate(node.children)]
        mapping = {}
        for key, place, child in node.children:
            child_path = (*path, str(key))
            if place is not None:
                document.key_places[child_path] = place
            mapping[str(key)] = walk(child, child_path)
        return mapping

    value = walk(root, ())
    return Document(value, document.places, document.key_places, document.written)
