"""Durations, rates and counts: exact, and refused with a next step."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.units import (
    COUNT_PATTERN,
    DURATION_PATTERN,
    Duration,
    Rate,
    UnitError,
    format_count,
    parse_count,
    parse_duration,
    parse_rate,
)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0s", 0),
        ("100ms", 100_000_000),
        ("1.5s", 1_500_000_000),
        ("2m", 120 * 10**9),
        ("1h", 3600 * 10**9),
        ("1h30m", 5400 * 10**9),
        ("1d", 86_400 * 10**9),
        ("250us", 250_000),
        ("250µs", 250_000),
        ("7ns", 7),
        ("0.1s", 100_000_000),
        ("1m0.000000001s", 60 * 10**9 + 1),
    ],
)
def test_a_duration_is_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    """Every unit and combination means its exact number of nanoseconds."""
    assert parse_duration(text) == Duration(nanoseconds)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "30",
            "must be a duration with a unit, such as 100ms, 30s or 5m",
            "write 30s, or 30ms for milliseconds",
        ),
        ("", "must be a duration with a unit, such as 100ms, 30s or 5m", None),
        ("-1s", "must be a duration with a unit, such as 100ms, 30s or 5m", None),
        ("1 s", "must be a duration with a unit, such as 100ms, 30s or 5m", None),
        ("1y", "must be a duration with a unit, such as 100ms, 30s or 5m", None),
        ("٣s", "must be a duration with a unit, such as 100ms, 30s or 5m", None),
        ("30m1h", "must name each unit once, the largest first, such as 1h30m", None),
        ("1s1s", "must name each unit once, the largest first, such as 1h30m", None),
        ("0.5ns", "must be a whole number of nanoseconds", None),
        ("999999d", "must be from 0s to 292 years", None),
    ],
)
def test_a_malformed_duration_says_what_must_hold(text: str, message: str, hint: str | None) -> None:
    """The message names the form, and a bare number is told its unit."""
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert (str(caught.value), caught.value.hint) == (message, hint)


@given(st.integers(0, 2**63 - 1))
def test_a_duration_reads_back_as_it_was_written(nanoseconds: int) -> None:
    """Writing and reading gives the same nanoseconds, for every duration there is."""
    duration = Duration(nanoseconds)
    assert parse_duration(str(duration)) == duration


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_durations_order_as_their_lengths(one: int, other: int) -> None:
    """Comparing durations is comparing nanoseconds."""
    assert (Duration(one) < Duration(other)) == (one < other)


def test_a_duration_is_written_with_its_largest_whole_unit() -> None:
    """1.5 s is 1500ms and 300 s is 5m; days are written in hours."""
    assert [str(parse_duration(text)) for text in ("1.5s", "300s", "90s", "1d", "0ms")] == [
        "1500ms",
        "5m",
        "90s",
        "24h",
        "0s",
    ]


def test_seconds_are_the_nearest_float() -> None:
    """100 ms are the float 0.1, not a sum of rounding errors."""
    assert parse_duration("100ms").seconds == 0.1
    assert parse_duration("1.5s").is_whole_seconds is False
    assert parse_duration("2m").is_whole_seconds is True


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("4096", 4096), ("10k", 10_000), ("1.5M", 1_500_000), ("2G", 2 * 10**9)]
)
def test_a_count_takes_suffixes_of_thousands(text: str, count: int) -> None:
    """k, M and G multiply by a thousand, a million and a milliard, exactly."""
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text", ["", "-1", "1.5", "10K", "1e3", "1,000", "0.0001k", "k", "9" * 65, "9999999999G"]
)
def test_what_is_no_whole_count_is_refused(text: str) -> None:
    """Fractions, signs, exponents, other suffixes and numbers beyond 2**63 - 1 are refused."""
    with pytest.raises(UnitError):
        parse_count(text)


def test_a_rate_may_be_a_fraction() -> None:
    """0.1 requests a second are exactly a tenth."""
    assert parse_rate("0.1").exact_per_second == Fraction(1, 10)
    assert str(parse_rate("0.1")) == "0.1"
    assert parse_rate("10k").per_second == 10_000.0


@given(st.integers(0, 2**63 - 1))
def test_a_count_reads_back_as_it_was_written(count: int) -> None:
    """Writing a count with its largest suffix loses nothing."""
    assert parse_count(format_count(count)) == count


@given(st.integers(0, 10**15), st.integers(0, 9))
def test_a_rate_reads_back_as_it_was_written(digits: int, places: int) -> None:
    """Every decimal rate is written as a decimal number that means it."""
    rate = Rate(Fraction(digits, 10**places))
    assert parse_rate(str(rate)) == rate


@given(st.text(max_size=12))
def test_any_text_is_a_value_or_a_unit_error(text: str) -> None:
    """No text makes a parser fail in another way."""
    for parse in (parse_duration, parse_rate, parse_count):
        try:
            parse(text)
        except UnitError:
            pass


def test_a_negative_value_cannot_be_made() -> None:
    """The constructors refuse what no text can say."""
    with pytest.raises(UnitError):
        Duration(-1)
    with pytest.raises(UnitError):
        Rate(Fraction(-1))


@given(st.text(alphabet="0123456789.kMGmnsuhdµ -e", max_size=10))
def test_the_published_patterns_take_all_that_the_parsers_take(text: str) -> None:
    """An editor that checks the pattern never refuses what the program reads."""
    for parse, pattern in ((parse_duration, DURATION_PATTERN), (parse_rate, COUNT_PATTERN)):
        try:
            parse(text)
        except UnitError:
            continue
        assert re.search(pattern, text)
