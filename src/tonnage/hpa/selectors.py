"""Label selectors in their text form, as the scale subresource hands them out: ``app=web,tier in (a,b)``.

Source: k8s.io/apimachinery v0.37, pkg/labels/selector.go (Parse, Requirement.Matches) and, for the way a
metric's selector is printed into messages, pkg/apis/meta/v1/generated.pb.go (LabelSelector.String).

Deviation: what is wrong with a selector that does not parse is said in our words, not in upstream's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.hpa.spec import MetricSelector

_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:(?P<prefix>[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?)/)?{_NAME}")
_PREFIX: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_VALUE: Final = re.compile(rf"(?:{_NAME})?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_WORD: Final = r"[^\s=!(),<>]+"
_REQUIREMENT: Final = re.compile(
    rf"\s*(?:"
    rf"(?P<absent>!)\s*(?P<absent_key>{_WORD})"
    rf"|(?P<set_key>{_WORD})\s+(?P<set_operator>in|notin)\s*\((?P<values>[^()=!<>]*)\)"
    rf"|(?P<key>{_WORD})\s*(?P<operator>==|=|!=|>|<)\s*(?P<value>{_WORD})?"
    rf"|(?P<present_key>{_WORD})"
    rf")\s*(?P<end>,|$)"
)


class SelectorError(ValueError):
    """The text is no label selector; the message says where."""


@dataclass(frozen=True, slots=True)
class _Requirement:
    key: str
    operator: str
    values: tuple[str, ...]

    def holds_for(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        if value is None or not _INTEGER.fullmatch(value):
            return False
        bound = int(self.values[0])
        return int(value) > bound if self.operator == ">" else int(value) < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """Requirements that must all hold; without any, everything matches."""

    requirements: tuple[_Requirement, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is selected."""
        return all(requirement.holds_for(labels) for requirement in self.requirements)


def parse_selector(text: str) -> LabelSelector:
    """Reads a selector.

    Args:
        text: Requirements separated by commas: ``k``, ``!k``, ``k=v``, ``k==v``, ``k!=v``, ``k>1``, ``k<1``,
            ``k in (a,b)``, ``k notin (a,b)``.

    Raises:
        SelectorError: It is not of that form.
    """
    requirements: list[_Requirement] = []
    position = 0
    while position < len(text) and text[position:].strip():
        match = _REQUIREMENT.match(text, position)
        if match is None or (match["end"] and not text[match.end() :].strip()):
            raise SelectorError(f"must be a list of requirements such as k=v, got {text[position:]!r}")
        requirements.append(_checked(_requirement(match)))
        position = match.end()
    return LabelSelector(tuple(requirements))


def _requirement(match: re.Match[str]) -> _Requirement:
    if match["absent"]:
        return _Requirement(match["absent_key"], "!", ())
    if match["set_operator"]:
        values = tuple(value.strip() for value in match["values"].split(","))
        return _Requirement(match["set_key"], match["set_operator"], values)
    if match["present_key"]:
        return _Requirement(match["present_key"], "exists", ())
    operator = {"=": "in", "==": "in", "!=": "notin"}.get(match["operator"], match["operator"])
    return _Requirement(match["key"], operator, (match["value"] or "",))


def _checked(requirement: _Requirement) -> _Requirement:
    key = _KEY.fullmatch(requirement.key)
    if key is None or (key["prefix"] and not _PREFIX.fullmatch(key["prefix"])):
        raise SelectorError(f"must have a label key, got {requirement.key!r}")
    for value in requirement.values:
        if not _VALUE.fullmatch(value):
            raise SelectorError(f"must have a label value, got {value!r}")
        if requirement.operator in ("<", ">") and not _INTEGER.fullmatch(value):
            raise SelectorError(f"must compare with a whole number, got {value!r}")
    return requirement


def printed(selector: MetricSelector | None) -> str:
    """Writes a metric's selector as it stands in upstream's messages."""
    if selector is None:
        return "nil"
    labels = "".join(f"{key}: {value}," for key, value in sorted(selector.match_labels))
    expressions = "".join(
        f"LabelSelectorRequirement{{Key:{expression.key},Operator:{expression.operator},"
        f"Values:[{' '.join(expression.values)}],}},"
        for expression in selector.match_expressions
    )
    return (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
