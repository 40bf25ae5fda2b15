"""Kubernetes objects as they were written: plain data that knows its file, line and column.

Whatever a text holds comes in: one document or many, YAML or JSON, Helm's output with its empty documents,
``kind: List`` and the typed lists that ``kubectl get -o yaml`` prints. An object keeps the document that it
stood in, so that every complaint about a field can name the place of that field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tonnage.errors import Problem
from tonnage.kube.paths import Path, format_path, parent_path, printable
from tonnage.kube.text import Document, Place, read_json, read_text

OBJECTS_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bound of a text of objects; a cluster's node list is far larger than what a person writes."""
OBJECTS_VALUES_MAX: Final = 2_000_000
"""Bound of the values in it, aliases unfolded."""
NAMESPACE_DEFAULT: Final = "default"
OWN_GROUP: Final = "tonnage.dev/"
"""What the apiVersion of our own documents begins with."""
_SHOWN_MAX: Final = 60


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """Which object is meant.

    Attributes:
        kind: Such as ``Deployment``.
        name: Its name.
        namespace: Its namespace; objects that name none are in ``default``. Kinds without namespaces
            have it too, where it means nothing.
        api_version: Such as ``apps/v1``; empty where the one who refers does not say.
    """

    kind: str
    name: str
    namespace: str = NAMESPACE_DEFAULT
    api_version: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False)
class KubeObject:
    """One object of a text.

    Attributes:
        reference: Its kind and names.
        value: Its fields, as plain data.
        source: The file's name.
        document: The document that it stands in.
        index: Which document of the text that is, from 0; empty ones do not count.
        prefix: Where it stands in the document; empty but for an item of a list.
    """

    reference: Reference
    value: Mapping[str, Any]
    source: str
    document: Document
    index: int = 0
    prefix: Path = ()

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.reference.kind

    @property
    def name(self) -> str:
        """Its name."""
        return self.reference.name

    @property
    def namespace(self) -> str:
        """Its namespace."""
        return self.reference.namespace

    def at(self, *path: str | int) -> Any:
        """The value at a path; None where there is none, or where a holder is of another kind."""
        value: Any = self.value
        for step in path:
            if isinstance(step, int):
                value = value[step] if isinstance(value, list) and step < len(value) else None
            else:
                value = value.get(step) if isinstance(value, Mapping) else None
        return value

    def problem(self, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> Problem:
        """Makes a problem at a path of the object.

        Args:
            path: Where; when the text has no such value, the nearest holder's position is given.
            message: What must hold and what was found.
            hint: The next step.
            key: Whether the name of the field is wrong and not its value.
        """
        whole = (*self.prefix, *path)
        place = self.document.key_places.get(whole) if key else None
        at = whole
        while place is None and at:
            place = self.document.places.get(at)
            at = at[:-1]
        place = place or self.document.places.get((), Place(1, 1))
        return Problem(
            format_path(whole),
            printable(message),
            self.source,
            place.line,
            place.column,
            printable(hint) if hint else None,
        )

    @property
    def is_ours(self) -> bool:
        """Whether it is a document of Tonnage and not an object of Kubernetes."""
        return self.reference.api_version.startswith(OWN_GROUP)

    def alone(self) -> Document:
        """The document that it would be if it did not stand in a list."""
        if not self.prefix:
            return self.document
        depth = len(self.prefix)

        def inside(positions: Mapping[Path, Any]) -> dict[Path, Any]:
            return {
                path[depth:]: position for path, position in positions.items() if path[:depth] == self.prefix
            }

        whole = self.document
        return Document(self.value, inside(whole.places), inside(whole.key_places), inside(whole.written))

    def placed(self, problem: Problem) -> Problem:
        """Gives a position to a problem that names a field of this object by its path."""
        path, depth = problem.path, len(self.prefix)
        paths = (each[depth:] for each in self.document.places if each[:depth] == self.prefix)
        known = {format_path(each): each for each in paths}
        at = path
        while at and at not in known:
            at = parent_path(at)
        found = self.problem(known.get(at, ()), problem.message, problem.hint)
        where = format_path(self.prefix)
        whole = f"{where}.{path}" if where and path else where or path
        return Problem(whole, found.message, found.file, found.line, found.column, found.hint)

    def plain(self) -> dict[str, Any]:
        """Its fields as JSON would have them: numbers are int or float, nothing is shared."""
        copied: dict[str, Any] = plain(self.value)
        return copied


def plain(value: Any) -> Any:
    """Plain data as JSON would have it: exact decimals become floats, mappings and lists are copied."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def show(value: Any) -> str:
    """Shows a value in a message: text in quotes, collections by their kind."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = printable(f'"{value}"' if isinstance(value, str) else str(value))
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."


def read_objects(
    text: str, *, source: str, places: bool = True
) -> tuple[list[KubeObject], list[Problem]]:
    """Reads every object of a text; lists are taken apart.

    Args:
        text: YAML or JSON, of any number of documents.
        source: The file's name for problems.
        places: Whether problems must have lines and columns. Without them JSON is read a hundred times
            faster, which tells on the nodes of a whole cluster; who finds a problem reads again.

    Returns:
        The objects in the text's order, and what is wrong with documents that are no objects, so that it
        can be reported with everything else.

    Raises:
        SpecError: The text is not YAML, or is too large.
    """
    sound = read_json(text) if not places and len(text) <= OBJECTS_BYTES_MAX else None
    if sound is not None:
        documents: list[Document] = [sound]
        problems: list[Problem] = []
    else:
        documents, problems = read_text(
            text, source=source, bytes_max=OBJECTS_BYTES_MAX, nodes_max=OBJECTS_VALUES_MAX
        )
    objects: list[KubeObject] = []
    for index, document in enumerate(documents):
        whole = KubeObject(Reference("", ""), {}, source, document, index)
        _take(document.value, whole, objects, problems, "", "")
    return objects, problems


def _take(
    value: Any,
    holder: KubeObject,
    objects: list[KubeObject],
    problems: list[Problem],
    kind_default: str,
    version_default: str,
) -> None:
    """Adds the object, or the objects of the list, that stands at ``holder``'s prefix."""
    if not isinstance(value, Mapping):
        problems.append(holder.problem((), f"must be a Kubernetes object, got {show(value)}"))
        return
    kind = value.get("kind", kind_default)
    version = value.get("apiVersion", version_default)
    items = value.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        inner_version = str(version) if kind != "List" else ""
        for position, item in enumerate(items):
            at = KubeObject(
                Reference("", ""),
                {},
                holder.source,
                holder.document,
                holder.index,
                (*holder.prefix, "items", position),
            )
            _take(item, at, objects, problems, kind.removesuffix("List"), inner_version)
        return
    found = len(problems)
    if not isinstance(kind, str) or not kind:
        problems.append(holder.problem(("kind",), _given("kind", value)))
    if not isinstance(version, str) or not version:
        problems.append(holder.problem(("apiVersion",), _given("apiVersion", value)))
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if isinstance(version, str) and version.startswith(OWN_GROUP):
        # A document of ours has its own reader, which says what is wrong with its names.
        name = name if isinstance(name, str) else ""
        namespace = namespace if isinstance(namespace, str) else None
    elif not isinstance(name, str) or not name:
        problems.append(holder.problem(("metadata", "name"), _given("name", metadata)))
    if namespace is not None and not isinstance(namespace, str):
        problems.append(
            holder.problem(("metadata", "namespace"), f"must be a string, got {show(namespace)}")
        )
    if len(problems) > found:
        return
    reference = Reference(str(kind), str(name), namespace or NAMESPACE_DEFAULT, str(version))
    objects.append(
        KubeObject(reference, value, holder.source, holder.document, holder.index, holder.prefix)
    )


def _given(name: str, holder: Mapping[str, Any]) -> str:
    return f"must be a string, got {show(holder[name])}" if holder.get(name) is not None else "must be given"
