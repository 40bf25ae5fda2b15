"""Reads values out of Kubernetes JSON and collects what is wrong with it, each fault with its path.

A ``Reader`` stands at one place of an object. It hands out what is there in the type that was asked for; what
is absent is empty, and what has another type is a problem and then empty, so that one pass finds every fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from tonnage.errors import Problem, SpecError
from tonnage.kube.quantity import Quantity, QuantityError, parse_quantity
from tonnage.scheduling.selectors import (
    EVERYTHING,
    NOTHING,
    OPERATORS,
    Requirement,
    Selector,
    selector_of,
    to_int64,
)

T = TypeVar("T", bound=str)


class Reader:
    """One place in an object.

    Args:
        value: What is there; None when nothing is.
        path: Where it is, as ``spec.containers[0]``; empty for the whole object.
        problems: Where faults are collected; shared with every place below.
    """

    def __init__(self, value: Any, path: str = "", problems: list[Problem] | None = None) -> None:
        self.value = value
        self.path = path
        self.problems: list[Problem] = [] if problems is None else problems

    def __getitem__(self, key: str) -> Reader:
        path = f"{self.path}.{key}" if self.path else key
        fields = self.mapping()
        return Reader(fields.get(key), path, self.problems)

    @property
    def is_there(self) -> bool:
        """Whether there is a value, if only an empty one."""
        return self.value is not None

    def wrong(self, message: str) -> None:
        """Notes that something must hold here and does not."""
        self.problems.append(Problem(self.path, message))

    def raise_problems(self) -> None:
        """Raises ``SpecError`` with every problem found so far, if there is one."""
        if self.problems:
            raise SpecError(self.problems)

    def mapping(self) -> Mapping[str, Any]:
        """The mapping here."""
        if self.value is None:
            return {}
        if not isinstance(self.value, Mapping):
            self.wrong(f"must be a mapping, got {_shown(self.value)}")
            self.value = None
            return {}
        return self.value

    def items(self) -> Iterator[Reader]:
        """The places of the list here, in order."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.wrong(f"must be a list, got {_shown(self.value)}")
            return
        for rank, value in enumerate(self.value):
            yield Reader(value, f"{self.path}[{rank}]", self.problems)

    def text(self, default: str = "") -> str:
        """The text here."""
        if self.value is None:
            return default
        if not isinstance(self.value, str):
            self.wrong(f"must be a string, got {_shown(self.value)}")
            return default
        return self.value

    def whole(self, default: int = 0) -> int:
        """The whole number here."""
        if self.value is None:
            return default
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            self.wrong(f"must be a whole number, got {_shown(self.value)}")
            return default
        return self.value

    def flag(self) -> bool:
        """The truth value here; absent is false."""
        if self.value is None:
            return False
        if not isinstance(self.value, bool):
            self.wrong(f"must be true or false, got {_shown(self.value)}")
            return False
        return self.value

    def one_of(self, choices: tuple[T, ...], default: T) -> T:
        """The text here, which must be one of a few."""
        text = self.text(default)
        for choice in choices:
            if text == choice:
                return choice
        self.wrong(f'must be one of {", ".join(choices)}, got "{text}"')
        return default

    def texts(self) -> tuple[str, ...]:
        """The list of texts here."""
        return tuple(place.text() for place in self.items())

    def labels(self) -> dict[str, str]:
        """The mapping of text to text here."""
        return {key: self[key].text() for key in self.mapping()}

    def quantities(self) -> dict[str, Quantity]:
        """The amounts of resources here, each rounded up to a thousandth, as the API server's defaults do."""
        found = {}
        for name, value in self.mapping().items():
            place = self[name]
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                place.wrong(f"must be a quantity, got {_shown(value)}")
                continue
            try:
                quantity = parse_quantity(str(value))
            except QuantityError as error:
                place.wrong(f'{error}, got "{value}"')
                continue
            found[name] = quantity if quantity.nano % 10**6 == 0 else Quantity.of_milli(quantity.milli_value)
        return found


def read_label_selector(place: Reader) -> Selector:
    """Reads a LabelSelector; an absent one picks nothing, an empty one everything.

    Source: k8s.io/apimachinery v0.37.2, pkg/apis/meta/v1/helpers.go, LabelSelectorAsSelector.
    """
    if not place.is_there:
        return NOTHING
    wanted = selector_of(place["matchLabels"].labels())
    more = tuple(
        requirement
        for expression in place["matchExpressions"].items()
        if (requirement := read_requirement(expression, OPERATORS[:4])) is not None
    )
    return wanted.with_requirements(more) if wanted.requirements or more else EVERYTHING


def read_requirement(place: Reader, operators: tuple[Any, ...] = OPERATORS) -> Requirement | None:
    """Reads a condition with key, operator and values; None when it is faulty, which is noted."""
    before = len(place.problems)
    key, values = place["key"].text(), place["values"].texts()
    operator = place["operator"].one_of(operators, operators[0])
    if operator in ("In", "NotIn") and not values:
        place["values"].wrong(f"must not be empty with {operator}, got an empty list")
    elif operator in ("Exists", "DoesNotExist") and values:
        place["values"].wrong(f"must be empty with {operator}, got a list")
    elif operator in ("Gt", "Lt") and (len(values) != 1 or to_int64(values[0]) is None):
        place["values"].wrong(f"must be one whole number with {operator}, got {list(values)}")
    return Requirement(key, operator, values) if len(place.problems) == before else None


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
