"""Rules between the fields of a document: which fields one reads, and what breaks it.

When a field could not be read, the rules about it are left out, so that a document's report never holds a
complaint that only follows from another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from tonnage.errors import Problem

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Rule(Generic[S]):
    """One condition between fields.

    Attributes:
        check: Yields a problem for each breach.
        reads: The paths of the fields that it looks at.
    """

    check: Callable[[S], Iterator[Problem]]
    reads: tuple[str, ...]


def breaches(rules: Iterable[Rule[S]], spec: S, unread: frozenset[str] = frozenset()) -> list[Problem]:
    """Finds every breach of a rule.

    Args:
        rules: All of them.
        spec: A spec whose fields are each valid.
        unread: Paths whose value in the document could not be read; rules about them are left out.
    """
    return [
        problem
        for rule in rules
        if not any(_overlap(path, other) for path in rule.reads for other in unread)
        for problem in rule.check(spec)
    ]


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are one, or one lies inside the other."""
    longer, shorter = sorted((one, other), key=len, reverse=True)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))
