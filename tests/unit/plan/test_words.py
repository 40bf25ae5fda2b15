"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.plan.objective import rounded_down, rounded_up
from tonnage.plan.words import duration, money, number, percent, rate
from tonnage.units import parse_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0125, "12.5ms"),
        (4e-5, "40us"),
        (0.9999, "1s"),
        (79.0, "79s"),
        (300.0, "5m"),
        (math.inf, "never"),
    ],
)
def test_durations(seconds, text):
    """Three digits and a unit that fits."""
    assert duration(seconds) == text


@given(value=st.floats(1e-7, 1e5))
def test_a_rounded_latency_reads_back_as_it_is(value):
    """What is offered in an alternative is the number that was meant."""
    up = rounded_up(value)
    assert up >= value * (1 - 1e-8)
    if up < 120:
        assert parse_duration(duration(up)).seconds == pytest.approx(up, rel=1e-9)
    assert rounded_down(value) <= value * (1 + 1e-8)
    assert rounded_up(value) <= value * 1.0101
    assert rounded_down(value) >= value * 0.9899


def test_other_numbers():
    """Rates, shares and money."""
    assert [number(1234.5), number(0.1234), number(math.inf)] == ["1,234", "0.123", "unbounded"]
    assert (rate(20), percent(0.2)) == ("20 requests/s", "20%")
    assert [money(one, "EUR") for one in (1234.5, 12.5, 0.0816)] == ["1,234 EUR", "12.50 EUR", "0.0816 EUR"]
