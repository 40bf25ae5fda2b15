"""Quantities mean what the API server's own code says they mean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.kube.quantity import (
    QUANTITY_PATTERN,
    Quantity,
    QuantityError,
    QuantityFormat,
    parse_quantity,
)

_ROWS = [
    line.split("\t")
    for line in Path(__file__).with_name("quantity_upstream.tsv").read_text(encoding="utf-8").splitlines()[1:]
]
_INT64 = 2**63


@pytest.mark.parametrize("row", _ROWS, ids=[row[0] for row in _ROWS])
def test_a_text_means_what_upstream_says(row: list[str]) -> None:
    """Text, canonical form, value, milli value and format are those that the Go code printed."""
    if row[1] == "error":
        with pytest.raises(QuantityError):
            parse_quantity(row[0])
        return
    text, string, canonical, value, milli_value, form = row
    quantity = parse_quantity(text)
    assert (str(quantity), quantity.canonical(), quantity.format.value) == (string, canonical, form)
    if abs(quantity.milli_value) < _INT64:  # beyond it Go's numbers overflow and ours do not
        assert (str(quantity.value), str(quantity.milli_value)) == (value, milli_value)


@pytest.mark.parametrize(
    "text", ["", "+", ".", "m", "Ki", "e3", "1 Gi", "4GB", "0x10", "1e401", "1" * 257, "٣"]
)
def test_text_without_a_number_or_beyond_the_bounds_is_refused(text: str) -> None:
    """Where we are stricter than upstream we refuse, and never guess."""
    with pytest.raises(QuantityError, match="must"):
        parse_quantity(text)


_QUANTITIES = st.builds(Quantity, st.integers(-(10**40), 10**40), st.sampled_from(list(QuantityFormat)))


@given(_QUANTITIES)
def test_a_quantity_reads_back_as_it_was_written(quantity: Quantity) -> None:
    """Writing and parsing keeps the amount exactly, unless it is a binary one beyond 2**63 - 1."""
    again = parse_quantity(str(quantity))
    if again.format is not QuantityFormat.BINARY_SI or abs(quantity.nano) < _INT64 * 10**9:
        assert again == quantity
        assert again.canonical() == quantity.canonical()


_DIGITS = st.from_regex(r"[0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12}", fullmatch=True)
_SUFFIXES = (
    "",
    "n",
    "u",
    "m",
    "k",
    "M",
    "G",
    "T",
    "P",
    "E",
    "Ki",
    "Mi",
    "Gi",
    "Ti",
    "Pi",
    "Ei",
    "e3",
    "E-7",
    "e+20",
)
_TEXTS = st.tuples(st.sampled_from(["", "+", "-"]), _DIGITS, st.sampled_from(_SUFFIXES)).map("".join)


@given(_TEXTS)
def test_the_canonical_form_is_a_fixed_point(text: str) -> None:
    """The canonical form means the same and is its own canonical form."""
    quantity = parse_quantity(text)
    again = parse_quantity(quantity.canonical())
    assert again == quantity
    assert again.canonical() == quantity.canonical()


@given(st.integers(-(10**30), 10**30))
def test_rounding_never_gives_less_than_was_asked(nano: int) -> None:
    """Whole and milli values are the next ones away from zero."""
    quantity = Quantity(nano)
    assert abs(quantity.value) * 10**9 >= abs(nano) > (abs(quantity.value) - 1) * 10**9
    assert abs(quantity.milli_value) * 10**6 >= abs(nano)


@given(_QUANTITIES, _QUANTITIES)
def test_sums_and_order_are_those_of_the_amounts(one: Quantity, other: Quantity) -> None:
    """Adding and taking away are inverse, and order does not depend on the format."""
    assert (one + other) - other == one
    assert (one < other) == (one.nano < other.nano)
    assert hash(one) == hash(Quantity(one.nano))


@given(st.text(max_size=20))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    """No text fails in another way, and what is taken matches the published pattern."""
    try:
        parse_quantity(text)
    except QuantityError:
        return
    assert re.search(QUANTITY_PATTERN, text)


def test_whole_units_bytes_and_millis_have_constructors() -> None:
    """Code makes quantities without text."""
    assert str(Quantity.of(2)) == "2"
    assert str(Quantity.of_milli(1500)) == "1500m"
    assert str(Quantity.of_bytes(4 * 2**30)) == "4Gi"
    assert str(Quantity.of_bytes(1000)) == "1k"
    assert str(Quantity.of(2) * 3) == "6"
    assert float(parse_quantity("500m")) == 0.5
