"""Typed reading of a parsed JSON document: every field is asked for by name, and what is wrong is collected.

A ``Reader`` stands at one object of the document and knows its path; readers of its parts share its list of
problems, so that a document's problems come out all at once. Fields that nobody asked for are unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

from tonnage.errors import Problem
from tonnage.kube.quantity import Quantity, QuantityError, parse_quantity

INT32_MAX: Final = 2**31 - 1
INT64_MAX: Final = 2**63 - 1

T = TypeVar("T", bound=str)


class Reader:
    """One object of a document."""

    def __init__(self, value: object, path: str, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems
        self._asked: set[str] = set()
        self._fields: Mapping[str, object] = {}
        if isinstance(value, Mapping):
            # A field that is null is a field that is not there, as for Kubernetes.
            self._fields = {str(key): field for key, field in value.items() if field is not None}
        else:
            self.problem("", f"must be an object, got {_shown(value)}")

    def at(self, name: str) -> str:
        """Returns the path of a field, or of the object itself for an empty name."""
        if not name or not self._path:
            return name or self._path
        return f"{self._path}.{name}"

    def problem(self, name: str, message: str, hint: str | None = None) -> None:
        """Notes that a field is wrong."""
        self._problems.append(Problem(self.at(name), message, hint=hint))

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        self._asked.add(name)
        return name in self._fields

    def text(
        self, name: str, *, required: bool = True, check: Callable[[str], str | None] | None = None
    ) -> str:
        """Reads a text.

        Args:
            name: The field.
            required: Whether its absence is a problem.
            check: Says what is wrong with a text, None for nothing.

        Returns:
            The text; empty where it is absent or wrong.
        """
        value = self._fields.get(name, "") if self.has(name) else ""
        if not isinstance(value, str):
            self.problem(name, f"must be text, got {_shown(value)}")
            return ""
        if not value:
            if required:
                self.problem(name, "must be set")
            return ""
        wrong = check(value) if check is not None else None
        if wrong is not None:
            self.problem(name, f"{wrong}, got {_shown(value)}")
            return ""
        return value

    def choice(self, name: str, choices: tuple[T, ...], default: T | None = None) -> T | None:
        """Reads one of a few values; without a default it must be set."""
        if not self.has(name):
            if default is None:
                self.problem(name, f"must be one of {', '.join(choices)}")
            return default
        value = self._fields[name]
        for choice in choices:
            if value == choice:
                return choice
        near = difflib.get_close_matches(str(value), choices, 1)
        hint = f"did you mean {near[0]}?" if near else None
        self.problem(name, f"must be one of {', '.join(choices)}, got {_shown(value)}", hint)
        return None

    def integer(self, name: str, *, lowest: int, highest: int = INT32_MAX) -> int | None:
        """Reads a whole number in a range; None where it is absent or wrong."""
        if not self.has(name):
            return None
        value = self._fields[name]
        if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
            bounds = f">= {lowest}" if highest == INT32_MAX else f"from {lowest} to {highest}"
            self.problem(name, f"must be a whole number {bounds}, got {_shown(value)}")
            return None
        return value

    def quantity(self, name: str) -> Quantity | None:
        """Reads a quantity, written as text or as a number; None where it is absent or wrong."""
        if not self.has(name):
            return None
        value = self._fields[name]
        if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
            self.problem(name, f"must be a quantity such as 2, 500m or 4Gi, got {_shown(value)}")
            return None
        try:
            return parse_quantity(str(value))
        except QuantityError as error:
            self.problem(name, f"{error}, got {_shown(value)}")
            return None

    def positive_milli(self, name: str) -> int | None:
        """Reads a quantity above 0 in whole thousandths, rounded up."""
        quantity = self.quantity(name)
        if quantity is None:
            return None
        if not 0 < quantity.milli_value <= INT64_MAX:
            self.problem(name, f"must be above 0 and below 9.2P, got {quantity}")
            return None
        return quantity.milli_value

    def part(self, name: str) -> Reader | None:
        """Goes to an object; None where it is absent."""
        return Reader(self._fields[name], self.at(name), self._problems) if self.has(name) else None

    def parts(self, name: str) -> list[Reader]:
        """Goes to the objects of a list; empty where it is absent or wrong."""
        return [Reader(value, where, self._problems) for where, value in self._entries(name)]

    def texts(self, name: str) -> tuple[str, ...]:
        """Reads a list of texts; empty where it is absent or wrong."""
        texts: list[str] = []
        for where, value in self._entries(name):
            if isinstance(value, str):
                texts.append(value)
            else:
                self._problems.append(Problem(where, f"must be text, got {_shown(value)}"))
        return tuple(texts)

    def text_map(self, name: str) -> dict[str, str]:
        """Reads an object whose values are all texts; empty where it is absent or wrong."""
        inner = self.part(name)
        if inner is None:
            return {}
        return {key: inner.text(key, required=False) for key in inner._fields}

    def _entries(self, name: str) -> list[tuple[str, object]]:
        value = self._fields.get(name, []) if self.has(name) else []
        if not isinstance(value, list):
            self.problem(name, f"must be a list, got {_shown(value)}")
            return []
        return [(f"{self.at(name)}[{index}]", entry) for index, entry in enumerate(value)]

    def finish(self, *ignored: str) -> None:
        """Notes the fields that nobody asked for.

        Args:
            ignored: Fields that may be there and do not matter.
        """
        known = self._asked.union(ignored)
        for name in self._fields:
            if name not in known:
                near = difflib.get_close_matches(name, sorted(known), 1)
                self.problem(name, "is not a known field", f'did you mean "{near[0]}"?' if near else None)


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
