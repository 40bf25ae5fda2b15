"""Options and arguments that our own parsers read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tonnage.errors import Problem, SpecError
from tonnage.units import UnitError, parse_duration, parse_rate


class Parsed(click.ParamType[Any]):
    """A parameter that one of our parsers reads; what is wrong with it is a usage error."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text; values that are read already pass."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UnitError as error:
            hint = f"; {error.hint}" if error.hint else ""
            self.fail(f"{error}, got {value!r}{hint}", param, ctx)
        except SpecError as error:
            self.fail(str(error), param, ctx)


def positive_seconds(option: str, text: str | None) -> float | None:
    """A duration that an option was given [s, > 0]; None where it was not.

    Raises:
        SpecError: It is no duration above 0, for a report of all that is wrong.
    """
    return _positive(option, text, lambda given: parse_duration(given).seconds)


def positive_rate(option: str, text: str | None) -> float | None:
    """A rate that an option was given [1/s, > 0]; None where it was not.

    Raises:
        SpecError: It is no rate above 0, for a report of all that is wrong.
    """
    return _positive(option, text, lambda given: parse_rate(given).per_second)


def _positive(option: str, text: str | None, parse: Callable[[str], float]) -> float | None:
    if text is None:
        return None
    try:
        value = parse(text)
    except UnitError as error:
        raise SpecError([Problem(option, f"{error}, got {text!r}", hint=error.hint)]) from error
    if value <= 0:
        raise SpecError([Problem(option, f"must be > 0, got {text!r}")])
    return value
