"""Objects without the fields that say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something: neither None nor empty."""
    return {key: value for key, value in fields.items() if value is not None and value not in ({}, [])}
