"""Paths are written as users know them, and read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.kube.paths import Path, format_path, parent_path, parse_path

STEPS = st.integers(0, 999) | st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
KEYS = st.sampled_from(["example.com/a", "nvidia.com/gpu", "a-b", "x_y"])


@given(first=st.sampled_from(["spec", "metadata"]), rest=st.lists(STEPS | KEYS, max_size=5))
def test_a_written_path_reads_back(first: str, rest: list[str | int]) -> None:
    """Names, indexes, and keys with dots and slashes."""
    path: Path = (first, *rest)
    assert parse_path(format_path(path)) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a]", 'a["b"', "a[1]b", "a[-1]"])
def test_what_is_no_path_is_none(text: str) -> None:
    """A dot stands before every name but the first, and brackets are closed."""
    assert parse_path(text) is None


def test_the_parent_holds_the_value() -> None:
    """Step by step up to the root, whose name is empty."""
    assert [parent_path("a.b[1]"), parent_path("a.b"), parent_path("a"), parent_path("")] == ["a.b", "a", "", ""]
