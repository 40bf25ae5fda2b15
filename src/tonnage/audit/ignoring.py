"""Suppression: an annotation names the codes that an object is excused from, each with its reason.

metadata:
annotations:
tonnage.dev/ignore: "TNG040: there is always a spare GPU in this pool"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path

ANNOTATION: Final = "tonnage.dev/ignore"
_ENTRY: Final = re.compile(r"(TNG[0-9]{3})[ \t]*(?::([^\n]*?))?[\s;,]*(?=TNG[0-9]{3}|$|\n)")


@dataclass(frozen=True, slots=True)
class Excuse:
    """One code that an object is excused from.

    Attributes:
        code: It.
        reason: Why; empty where none is given.
        path: Of the annotation.
    """

    code: str
    reason: str
    path: Path


def excuses_of(item: KubeObject) -> Iterator[Excuse]:
    """Reads the annotation of an object; several entries stand on lines or behind semicolons."""
    path = ("metadata", "annotations", ANNOTATION)
    text = item.at(*path)
    if not isinstance(text, str):
        return
    for entry in _ENTRY.finditer(text):
        yield Excuse(entry[1], (entry[2] or "").strip(" \t;,"), path)
