"""Objectives are read from text, and held against curves."""

from __future__ import annotations

import pytest

from tonnage.errors import SpecError
from tonnage.profile.importing import profile_from_csv
from tonnage.profile.objective import parse_objective, shown_objective, with_capacity
from tonnage.profile.parts import ModelProfile


def curve(text: str) -> ModelProfile:
    return profile_from_csv(text, source="f.csv", name="r", created="2026-01-01T00:00:00Z")


CURVE = "rate_per_second,p50_ms,p99_ms\n100,5,12\n200,6,130\n300,9,90\n"


@pytest.mark.parametrize(("text", "shown"), [("p99=100ms", "p99 <= 100 ms"), ("p99.9 <= 2s", "p99.9 <= 2 s")])
def test_an_objective_is_a_percentile_and_a_duration(text: str, shown: str) -> None:
    """Both ways of writing it are read."""
    assert shown_objective(parse_objective(text)) == shown


@pytest.mark.parametrize("text", ["", "p99", "99=1s", "p100=1s", "p0=1s", "p99=1", "p99=0s", "p99>=1s"])
def test_what_is_no_objective_is_told_so(text: str) -> None:
    """The message names the option and what was given."""
    with pytest.raises(SpecError, match=r"--objective: must be .*, got"):
        parse_objective(text)


def test_a_rate_above_one_that_broke_the_objective_is_not_promised() -> None:
    """300/s holds in the file, but 200/s does not, so 100/s is the answer."""
    made = with_capacity(curve(CURVE), parse_objective("p99=100ms"))
    assert made.capacity is not None
    assert made.capacity.sustainable_per_s == 100
    assert [point.held for point in made.curve] == [True, False, True]


def test_a_curve_that_breaks_it_everywhere_carries_nothing() -> None:
    """The sustainable rate is absent, and the reason says why."""
    made = with_capacity(curve(CURVE), parse_objective("p99=1ms"))
    assert made.capacity is not None
    assert made.capacity.sustainable_per_s is None
    assert "lowest rate" in made.capacity.reason


def test_failures_count_against_the_objective() -> None:
    """At p99 one percent may fail, and no more."""
    head = "rate_per_second,p50_ms,p99_ms,error_ratio\n"
    made = with_capacity(curve(head + "100,5,12,0.01\n200,6,13,0.02\n"), parse_objective("p99=100ms"))
    assert made.capacity is not None
    assert made.capacity.sustainable_per_s == 100


def test_a_percentile_beyond_the_curve_is_not_guessed() -> None:
    """A curve that ends at p99 says nothing of p99.9."""
    with pytest.raises(SpecError, match=r"ends at p99, got p99\.9"):
        with_capacity(curve(CURVE), parse_objective("p99.9=1s"))
