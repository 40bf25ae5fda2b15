"""An option or argument that one of our own parsers reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tonnage.errors import SpecError
from tonnage.units import UnitError


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
