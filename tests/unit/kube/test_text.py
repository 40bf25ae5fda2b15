"""YAML and JSON become plain data with positions, within bounds."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.kube.text import NODES_MAX, TEXT_BYTES_MAX, Place, read_text


def value_of(text: str) -> Any:
    (document,), problems = read_text(text, source="f")
    assert problems == []
    return document.value


def refusal_of(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read_text(text, source="f")
    return str(caught.value)


def test_plain_scalars_mean_what_yaml_1_2_says() -> None:
    """Words such as yes and on are text; numbers stay exact."""
    text = "[yes, on, No, true, null, ~, 1, -1, 0x10, 0o17, 012, 0.1, 1e3, 1_000, 2001-01-01, '1']"
    assert value_of(text) == [
        "yes", "on", "No", True, None, None, 1, -1, 16, 15, 12, Decimal("0.1"), Decimal("1e3"),
        "1_000", "2001-01-01", "1",
    ]  # fmt: skip


def test_values_and_keys_know_their_places() -> None:
    """Lines and columns count from one."""
    (document,), _ = read_text("a:\n  - b: 1\n    c: two\n", source="f")
    assert document.places[("a", 0, "c")] == Place(3, 8)
    assert document.key_places[("a", 0, "c")] == Place(3, 5)
    assert document.written[("a", 0, "c")] == "two"


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda key: key != "<<"),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), _JSON, max_size=4),
    st.sampled_from([None, 2, "\t"]),
    st.booleans(),
)
def test_json_is_read_as_json(value: dict[str, Any], indent: int | str | None, ascii_only: bool) -> None:
    """Whatever a JSON writer makes of data is read back as that data, surrogate pairs and tabs included."""
    assert value_of(json.dumps(value, indent=indent, ensure_ascii=ascii_only)) == value


def test_documents_without_content_do_not_count() -> None:
    """Leading, trailing and doubled separators add no document."""
    documents, _ = read_text("---\n---\na: 1\n---\n# only a comment\n---\nb: 2\n---\n", source="f")
    assert [document.value for document in documents] == [{"a": 1}, {"b": 2}]


def test_aliases_that_unfold_to_billions_are_refused_before_they_do() -> None:
    """Ten levels of ten aliases are stopped by counting, not by memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 10)]
    assert f"must unfold to at most {NODES_MAX} values" in refusal_of("\n".join(lines))


def test_many_documents_share_one_allowance() -> None:
    """Splitting a bomb over documents does not make it larger."""
    one = "a: &a [" + "x, " * 99 + "x]\nb: &b [" + "*a, " * 99 + "*a]\n"
    assert f"must unfold to at most {NODES_MAX} values" in refusal_of("---\n".join([one] * 20))


@pytest.mark.parametrize("text", ["[" * 10_000, "{a: " * 10_000, "- " * 10_000, "a: [" + "[" * 70])
def test_deep_nesting_is_refused(text: str) -> None:
    """Depth is bounded before anything recurses."""
    assert "must be nested at most 64 deep" in refusal_of(text) or "must be valid YAML" in refusal_of(text)


def test_a_large_text_is_refused_unread() -> None:
    """The size is looked at first."""
    assert refusal_of("#" * (TEXT_BYTES_MAX + 1)) == "f: must be at most 1048576 bytes, got 1048577"


@pytest.mark.parametrize("number", ["1e401", "1e-401", "9" * 65, "0." + "1" * 65, "1e999999999999"])
def test_numbers_that_would_cost_memory_are_refused(number: str) -> None:
    """Digits and exponents are bounded."""
    _, problems = read_text(f"a: {number}", source="f")
    assert len(problems) == 1
    assert "must be a number" in problems[0].message


def test_half_a_surrogate_pair_is_refused() -> None:
    """What is no Unicode text is not replaced in silence."""
    _, problems = read_text(r'"a": "\ud83d"', source="f")
    assert [str(problem) for problem in problems] == [
        "f:1:6: a: must be valid Unicode, got half of a surrogate pair"
    ]


def test_every_second_key_is_told_with_the_line_of_the_first() -> None:
    """The first value counts, and each further one is a problem."""
    (document,), problems = read_text("a: 1\na: 2\nb: {c: 1, c: 2}\n", source="f")
    assert document.value == {"a": 1, "b": {"c": 1}}
    assert [(problem.path, problem.line) for problem in problems] == [("a", 2), ("b.c", 3)]
