"""Which rule of the table of rules a test covers; ``test_rules.py`` sees that all are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def covers(*rules: str) -> Callable[[F], F]:
    """Marks a test with the rules that it covers."""

    def mark(test: F) -> F:
        test.rules = rules  # type: ignore[attr-defined]
        return test

    return mark
