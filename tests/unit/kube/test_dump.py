"""YAML that is written means the same to every reader."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tonnage.kube.dump import dump_documents
from tonnage.kube.text import read_text

TRICKY = st.sampled_from(
    [
        "yes", "No", "on", "1e3", "0x1F", "08", "~", "null", "100m", "25%", "8Gi", "1.5", "a: b", "- x", "# c",
        "1_000", "12:30:45", "2001-01-01", "=", "!x", "nginx:v1.2", "a #b", ".inf", ".nan", "", " ", "\n", "é",
        "\u2028", "\U0001f600", "\x00", "a\tb", "&a", "*a", "{}", "[", "'", '"', "\\", "?", "|", ">", "@", "`",
    ]
)  # fmt: skip
# the reader refuses merge keys, quoted or not
TEXT = (st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | TRICKY).filter(lambda t: t != "<<")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_back_in_both_versions_of_yaml(document: dict[str, Any]) -> None:
    """YAML 1.1, as kubectl reads it, and 1.2, as we do, both give the value that was written."""
    text = dump_documents([document])
    assert yaml.safe_load(text) == document
    documents, problems = read_text(text, source="x")
    assert problems == []
    assert [one.value for one in documents] == [document]


def test_documents_are_apart_and_in_order() -> None:
    """Three dashes stand between them; keys keep their order; nothing is quoted without need."""
    documents = [{"b": 1, "a": ["x", {"c": "100m", "d": {}}]}, {"on": "yes", "n": None, "l": [[1, 2], []]}]
    assert dump_documents(documents) == (
        'b: 1\na:\n- x\n- c: 100m\n  d: {}\n---\n"on": "yes"\n"n": null\nl:\n- - 1\n  - 2\n- []\n'
    )
