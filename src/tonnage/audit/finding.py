"""What an audit says: findings, each with its place and, where there is one, the change that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tonnage.kube.objects import Reference
from tonnage.kube.paths import Path, format_path

Severity = Literal["error", "warning", "info"]

SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""From the worst. ``error``: it will not work, or will fail when it matters; ``warning``: it hurts under
load, in a rollout or when a node goes; ``info``: worth knowing."""


def at_least(severity: Severity, bound: Severity) -> bool:
    """Whether a severity is the bound or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(bound)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of an object.

    Attributes:
        path: From the object's root; holders that are missing are made.
        value: Plain data to put there; None with ``remove``.
        remove: Whether the field is to go.
    """

    path: Path
    value: Any = None
    remove: bool = False

    def to_document(self) -> dict[str, Any]:
        """As JSON Patch words it, but with our paths."""
        if self.remove:
            return {"op": "remove", "path": format_path(self.path)}
        return {"op": "set", "path": format_path(self.path), "value": self.value}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fault that was seen happening: the twin ran these objects as they are, and repaired.

    Attributes:
        tried: What was done, as a sentence without its full stop.
        found: What came of it.
        repaired: What came of it after a repair, which it begins with.
        numbers: The numbers of ``found``; None where there is none.
        numbers_repaired: The same after the repair.
        seed: Of all chance in both runs.
        assumed: What was taken where nothing was known, the weightiest first.
    """

    tried: str
    found: str
    repaired: str
    numbers: Mapping[str, float | int | None]
    numbers_repaired: Mapping[str, float | int | None]
    seed: int = 0
    assumed: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The evidence as JSON has it."""
        return {
            "tried": self.tried,
            "found": self.found,
            "repaired": self.repaired,
            "numbers": {"found": dict(self.numbers), "repaired": dict(self.numbers_repaired)},
            "seed": self.seed,
            "assumed": list(self.assumed),
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one object.

    Attributes:
        code: The rule's, such as ``TNG001``.
        severity: How bad it is.
        message: What is wrong and what follows from it.
        file: The file's name.
        line: From 1; of the field, or of the nearest that is there.
        column: From 1.
        path: The field, from the document's root.
        object: Which object.
        document: Which document of the file, from 0.
        prefix: Where the object stands in the document.
        remedy: What to do, in words.
        changes: What ``--fix`` does; empty where no change is right for everybody.
        evidence: What the twin showed of it; None where it was not asked or cannot.
    """

    code: str
    severity: Severity
    message: str
    file: str
    line: int
    column: int
    path: str
    object: Reference
    document: int = 0
    prefix: Path = ()
    remedy: str = ""
    changes: tuple[Change, ...] = ()
    evidence: Evidence | None = field(default=None, compare=False)

    @property
    def rank(self) -> tuple[str, int, int, str, str]:
        """Findings are told in this order."""
        return self.file, self.line, self.column, self.code, self.path

    def to_document(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "document": self.document,
            "path": self.path,
            "object": {
                "apiVersion": self.object.api_version,
                "kind": self.object.kind,
                "name": self.object.name,
                "namespace": self.object.namespace,
            },
            "fix": {"text": self.remedy, "changes": [change.to_document() for change in self.changes]},
            "evidence": self.evidence.to_document() if self.evidence is not None else None,
        }
