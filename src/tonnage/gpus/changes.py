"""The smallest changes after which pods fit: each is tried by placing all pods again.

Single edits come first; two together are tried only when no single one helps. What asks least of everybody is
listed first: waiting, what the scheduler does by itself, edits of the pods, edits of nodes, then other pods
that have to go, and new nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Final

from tonnage.gpus.answer import Change, ChangeKind
from tonnage.gpus.case import Case, Edit
from tonnage.gpus.edits import edits_for
from tonnage.gpus.larger import (
    asking_less,
    evicted,
    fewer,
    more_nodes,
    other_vendor,
    preempting,
    smaller,
    waiting,
)

__all__ = ["Case", "changes_for"]

ORDER: Final[tuple[ChangeKind, ...]] = (
    "wait", "preempt", "tolerate", "label", "uncordon", "type", "selector", "spread", "move", "request",
    "split", "fewer", "evict", "nodes", "vendor",
)  # fmt: skip
"""Kinds of change, the least first."""
PAIRS_MAX: Final = 200
SAME_KIND_MAX: Final = 3
_LARGER: Final[tuple[Callable[[Case], Iterator[Change]], ...]] = (
    waiting, preempting, evicted, asking_less, smaller, fewer, more_nodes, other_vendor,
)  # fmt: skip


def changes_for(case: Case) -> tuple[Change, ...]:
    """The changes that help, the smallest first; at most three of a kind."""
    edits = edits_for(case)
    found = _single(case, edits) or _paired(case, edits)
    for find in _LARGER:
        found += find(case)
    found.sort(key=lambda change: ORDER.index(change.kind))
    kept: list[Change] = []
    for change in found:
        if sum(other.kind == change.kind for other in kept) < SAME_KIND_MAX:
            kept.append(change)
    return tuple(kept)


def _single(case: Case, edits: list[Edit]) -> list[Change]:
    found: list[Change] = []
    helped: list[Edit] = []
    for edit in edits:
        if any(_does_more(edit, other) for other in helped):
            continue
        change = case.change([edit])
        if change is not None:
            found.append(change)
            helped.append(edit)
    return found


def _does_more(edit: Edit, other: Edit) -> bool:
    """Whether an edit of nodes or tolerations contains one that helps by itself."""
    if edit.kind != other.kind or edit.kind not in ("tolerate", "uncordon"):
        return False
    wider = set(edit.how) >= set(other.how)
    return wider and len(edit.how) > len(other.how)


def _paired(case: Case, edits: list[Edit]) -> list[Change]:
    """Two edits together, the first few pairs that help."""
    found: list[Change] = []
    for count, (one, other) in enumerate(combinations(edits, 2)):
        if count >= PAIRS_MAX or len(found) >= SAME_KIND_MAX:
            break
        if one.kind == other.kind:
            continue
        change = case.change([one, other])
        if change is not None:
            found.append(change)
    return found
