"""Label selectors: as text in a request, as fields of a Service or Deployment. Pure.

Source: k8s.io/apimachinery pkg/labels/selector.go (Parse, Requirement.Matches) and
pkg/apis/meta/v1/helpers.go (LabelSelectorAsSelector). An absent label fulfils ``!=`` and ``notin``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

_KEY: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"[-A-Za-z0-9_.]*"
_REQUIREMENT: Final = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})(?:\s*(?P<sign>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*(?:,|$)"
)
LENGTH_MAX: Final = 16_384
_OPERATORS: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent"}


class BadSelector(Exception):
    """It is not a selector; the message says where."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition.

    Attributes:
        key: Of the label.
        how: What is asked of its value.
        values: For ``in`` and ``notin``.
    """

    key: str
    how: Literal["in", "notin", "exists", "absent"]
    values: frozenset[str] = frozenset()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fulfil it."""
        value = labels.get(self.key)
        match self.how:
            case "in":
                return value in self.values
            case "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "absent":
                return value is None


Selector = tuple[Requirement, ...]
"""All must be fulfilled; none fits everything."""


def fits(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil all requirements."""
    return all(one.fits(labels) for one in selector)


def parse_selector(text: str) -> Selector:
    """Read a selector such as ``app=a,tier in (x, y),!old``; comparisons ``>`` and ``<`` are not read.

    Raises:
        BadSelector: It is none.
    """
    if len(text) > LENGTH_MAX:
        raise BadSelector(f"labelSelector: must have at most {LENGTH_MAX} characters")
    found = []
    at = 0
    while at < len(text):
        match = _REQUIREMENT.match(text, at)
        if match is None:
            rest = text[at : at + 80]
            raise BadSelector(f'labelSelector: must be like "app=a,tier in (x,y),!old", got "{rest}"')
        at = match.end()
        found.append(_requirement(match))
    if text.rstrip().endswith(","):
        raise BadSelector("labelSelector: must not end with a comma")
    return tuple(found)


def selector_of(value: Mapping[str, Any]) -> Selector:
    """The selector of a Deployment's ``matchLabels`` and ``matchExpressions``.

    Raises:
        BadSelector: An operator is unknown.
    """
    found = list(equalities(value.get("matchLabels") or {}))
    for one in value.get("matchExpressions") or ():
        how: Any = _OPERATORS.get(one["operator"])
        if how is None:
            raise BadSelector(f"matchExpressions: must have an operator of {', '.join(_OPERATORS)}")
        found.append(Requirement(one["key"], how, frozenset(one.get("values") or ())))
    return tuple(found)


def equalities(labels: Mapping[str, str]) -> Selector:
    """The selector of a Service: labels that must all be there."""
    return tuple(Requirement(key, "in", frozenset({value})) for key, value in labels.items())


def _requirement(match: re.Match[str]) -> Requirement:
    if match["not"]:
        return Requirement(match["absent"], "absent")
    if match["sign"]:
        how: Literal["in", "notin"] = "notin" if match["sign"] == "!=" else "in"
        return Requirement(match["key"], how, frozenset({match["value"]}))
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(match["key"], "in" if match["set"] == "in" else "notin", values)
    return Requirement(match["key"], "exists")
