"""How times and numbers are written."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.wording import counted, show_latency, show_number, show_ratio, show_span, show_time


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (show_time, 0.0, "0:00:00"),
        (show_time, 130.5, "0:02:10.5"),
        (show_time, 59.96, "0:01:00"),
        (show_time, 90_000.0, "25:00:00"),
        (show_span, 38.0, "38 s"),
        (show_span, 133.0, "2.22 min"),
        (show_span, 7_200.0, "2 h"),
        (show_span, math.inf, "without end"),
        (show_latency, 0.0824, "82.4 ms"),
        (show_latency, 0.00041666, "417 µs"),
        (show_latency, 0.99996, "1 s"),
        (show_latency, 2.5, "2.5 s"),
        (show_latency, math.nan, "none"),
        (show_number, 1234567.0, "1,234,567"),
        (show_number, 0.12345, "0.123"),
        (show_number, math.nan, "none"),
        (show_ratio, 0.001, "0.1%"),
        (show_ratio, 1.0, "100%"),
        (show_ratio, 0.0, "0%"),
        (show_ratio, 1e-9, "<0.001%"),
        (show_ratio, 1 - 1e-9, ">99.999%"),
    ],
)
def test_values_are_written(write, value, text):
    """Each value has the text that a person expects."""
    assert write(value) == text


def test_nouns_follow_their_count():
    """One is singular, others are plural."""
    assert [counted(n, "pod") for n in (0, 1, 2000)] == ["0 pods", "1 pod", "2,000 pods"]
    assert counted(2, "retry") == "2 retries"


@given(st.floats(0, 1))
def test_a_share_that_is_not_all_is_never_written_as_all(ratio):
    """Neither 0% nor 100% is said of anything else."""
    assert (show_ratio(ratio) == "0%") == (ratio == 0)
    assert (show_ratio(ratio) == "100%") == (ratio == 1)
