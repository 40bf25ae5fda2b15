"""Label selectors in text, and Go's numbers."""

from __future__ import annotations

import math

import pytest

from tonnage.hpa import numbers
from tonnage.hpa.selectors import SelectorError, parse_selector

LABELS = {"app": "web", "tier": "a", "weight": "7"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("app=web", True),
        ("app==web,tier!=b", True),
        (" app = web , tier in ( a , b ) ", True),
        ("tier notin (a)", False),
        ("gone notin (a)", True),
        ("gone!=a", True),
        ("gone=a", False),
        ("app", True),
        ("!app", False),
        ("!gone", True),
        ("weight>6,weight<8", True),
        ("weight>7", False),
        ("app>1", False),
        ("app=", False),
        ("example.com/app!=x", True),
    ],
)
def test_a_selector_matches_labels_as_upstreams(text, holds):
    assert parse_selector(text).matches(LABELS) is holds


@pytest.mark.parametrize("text", ["app=web,", "app=web,,", "=web", "app in a", "a b", "-app", "app=-", "x>y", "UPPER.com/a"])
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(SelectorError):
        parse_selector(text)


@pytest.mark.parametrize(
    ("number", "as32", "as64"),
    [
        (2.9, 2, 2),
        (-2.9, -2, -2),
        (2147483647.5, 2**31 - 1, 2147483647),
        (2147483648.0, -(2**31), 2147483648),
        (-2147483648.5, -(2**31), -2147483648),
        (9.3e18, -(2**31), -(2**63)),
        (math.inf, -(2**31), -(2**63)),
        (math.nan, -(2**31), -(2**63)),
    ],
)
def test_a_double_that_does_not_fit_becomes_the_smallest_integer(number, as32, as64):
    assert numbers.truncated32(number) == as32
    assert numbers.truncated64(number) == as64


def test_division_is_gos():
    assert [numbers.divided(*pair) for pair in ((7, 2), (-7, 2), (7, -2), (-(2**63), -1))] == [3, -3, -3, -(2**63)]
    assert numbers.quotient(1.0, 0.0) == math.inf
    assert numbers.quotient(-1.0, 0.0) == -math.inf
    assert numbers.quotient(1.0, -0.0) == -math.inf
    assert math.isnan(numbers.quotient(0.0, 0.0))
    assert math.isnan(numbers.ceiled(math.nan))
    assert numbers.ceiled(1.2) == 2.0


def test_integers_wrap():
    assert numbers.wrapped32(2**31) == -(2**31)
    assert numbers.wrapped64(-(2**63) - 1) == 2**63 - 1
