"""Which labels a selector picks: label selectors of pods and namespaces, and node selector terms.

Both are a conjunction of requirements on a set of labels. What differs is what *no* selector means, so a
selector says for itself whether it picks nothing (an absent selector) or everything (an empty one).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Operator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_INT64: Final = range(-(2**63), 2**63)


def to_int64(text: str) -> int | None:
    """Reads a whole number of 64 bits as Go's ``strconv.ParseInt`` does, or answers None."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if number in _INT64 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a set of labels.

    Attributes:
        key: The label.
        operator: How its value is compared.
        values: Compared with; one whole number for ``Gt`` and ``Lt``, none for ``Exists``, ``DoesNotExist``.

    Source: k8s.io/apimachinery v0.37.2, pkg/labels/selector.go, Requirement.Matches.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition; an absent label meets ``NotIn`` and ``DoesNotExist``."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
        left, right = to_int64(value) if value is not None else None, to_int64(self.values[0])
        if left is None or right is None:
            return False
        return left > right if self.operator == "Gt" else left < right


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of requirements on labels.

    Attributes:
        requirements: All must hold; with none of them, everything is picked.
        nothing: Whether it picks nothing at all: what an absent selector means.
    """

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.requirements, self.nothing)))

    def __hash__(self) -> int:
        return self._hash

    @property
    def is_empty(self) -> bool:
        """Whether it has no requirement and so picks everything; what picks nothing is not empty."""
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels are picked."""
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    def with_requirements(self, more: tuple[Requirement, ...]) -> Selector:
        """Narrows; what picks nothing stays so."""
        return self if self.nothing or not more else Selector(self.requirements + more)


NOTHING: Final = Selector(nothing=True)
EVERYTHING: Final = Selector()


def selector_of(match_labels: Mapping[str, str]) -> Selector:
    """Makes a selector that wants exactly these values; an empty mapping picks everything."""
    return Selector(tuple(Requirement(key, "In", (match_labels[key],)) for key in sorted(match_labels)))


@dataclass(frozen=True, slots=True)
class NodeTerm:
    """One term of a node selector: all of its conditions must hold.

    Attributes:
        labels: Conditions on the node's labels.
        names: Conditions on the node's name (``matchFields``), each with exactly one value; True is "is",
            False is "is not".

    Source: k8s.io/component-helpers v0.37.2, scheduling/corev1/nodeaffinity/nodeaffinity.go.
    """

    labels: tuple[Requirement, ...] = ()
    names: tuple[tuple[bool, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it has no condition; such a term matches no node."""
        return not self.labels and not self.names

    def matches(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a node of this name and these labels is matched."""
        if self.is_empty:
            return False
        return all((name == wanted) is same for same, wanted in self.names) and all(
            requirement.matches(labels) for requirement in self.labels
        )
