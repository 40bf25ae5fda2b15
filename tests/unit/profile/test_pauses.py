"""What the first request after a pause costs more: a rising table, its values and its mean."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.profile.pauses import PauseCost

MEASURED = st.lists(st.tuples(st.floats(1e-5, 1.0), st.floats(-1e-3, 1e-2)), max_size=8)


@given(measured=MEASURED)
def test_a_longer_pause_never_costs_less(measured):
    """Noise that says otherwise is evened out, and nothing costs less than nothing."""
    cost = PauseCost.rising(measured)
    extras = [cost.after(pause_s) for pause_s in np.geomspace(1e-6, 2.0, 50)]
    assert all(a <= b + 1e-15 for a, b in zip(extras, extras[1:], strict=False))
    assert extras[0] >= 0


@given(measured=MEASURED)
def test_evening_out_keeps_the_sum_of_what_was_measured(measured):
    """Neighbours that contradict each other share their mean, as long as none is below zero."""
    positive = [(pause_s, abs(extra_s)) for pause_s, extra_s in dict(measured).items()]
    cost = PauseCost.rising(positive)
    assert sum(extra_s for _, extra_s in cost.points) == pytest.approx(sum(extra for _, extra in positive))


def test_between_pauses_the_cost_is_on_the_line_and_beyond_the_last_it_stays():
    cost = PauseCost(((0.001, 0.002), (0.003, 0.004)))
    found = [cost.after(pause_s) for pause_s in (0.0, 0.0005, 0.001, 0.002, 0.003, 9.0)]
    assert found == pytest.approx([0.0, 0.001, 0.002, 0.003, 0.004, 0.004])


@given(measured=MEASURED, rate=st.floats(0.5, 5000))
def test_the_mean_is_that_of_exponential_pauses(measured, rate):
    """Against the plain integral over the distribution of the pause."""
    cost = PauseCost.rising(measured)
    shares = (np.arange(4000) + 0.5) / 4000
    pauses = -np.log1p(-shares) / rate
    plain = float(np.mean([cost.after(float(pause_s)) for pause_s in pauses]))
    highest = cost.after(math.inf)
    assert cost.mean(rate) == pytest.approx(plain, abs=2e-3 * highest + 1e-12)


def test_nothing_measured_costs_nothing():
    assert PauseCost.rising([]) == PauseCost() == PauseCost.rising([(0.01, -0.001)])
    assert PauseCost().mean(10.0) == PauseCost().after(5.0) == 0.0
