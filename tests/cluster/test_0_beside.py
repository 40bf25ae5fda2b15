"""How two courses of replicas are compared."""

from __future__ import annotations

import pytest

from cluster.beside import apart, area, at, outside, sequence

REAL = ((0.0, 2), (10.0, 4), (30.0, 2))


def test_a_course_is_its_last_step() -> None:
    """Before the first step holds the first count."""
    assert [at(REAL, time) for time in (-1.0, 0.0, 9.9, 10.0, 29.0, 99.0)] == [2, 2, 2, 4, 4, 2]
    assert sequence(REAL) == [2, 4, 2]


def test_the_area_is_replicas_times_time() -> None:
    """Steps beyond the end count nothing."""
    assert area(REAL, 40.0) == 20 + 80 + 20
    assert area(REAL, 20.0) == 20 + 40


def test_a_course_is_not_apart_from_itself() -> None:
    """Five seconds late at both ends of a step of two are ten of forty seconds, two replicas apart."""
    late = ((0.0, 2), (15.0, 4), (35.0, 2))
    assert apart(REAL, REAL, 40.0) == 0
    assert apart(REAL, late, 40.0) == pytest.approx(0.5)


def test_what_comes_late_within_the_slack_is_not_outside() -> None:
    """A course that steps late is inside within that time, and outside beyond it; another count is always outside."""
    late = ((0.0, 2), (15.0, 4), (35.0, 2))
    assert outside(REAL, [late], 40.0, 5.0) == 0
    assert outside(REAL, [late], 40.0, 1.0) == pytest.approx(0.2)
    assert outside(((0.0, 9),), [late], 40.0, 5.0) == 1
