"""Series for a page: shorter, with every peak and trough in them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tonnage.web.sampling import as_json, shortened

VALUES = st.one_of(st.floats(-1e9, 1e9), st.just(math.nan))


def test_short_series_stay_as_they_are():
    """Nothing is lost where nothing needs to be."""
    time_s = np.arange(10.0)
    times, columns = shortened(time_s, {"a": time_s}, rows_max=10)
    assert times is time_s
    assert columns["a"] is time_s


@given(arrays.arrays(np.float64, st.integers(1, 400), elements=VALUES), st.integers(1, 60))
def test_extremes_survive(values, half):
    """The least and the greatest value are kept, no value is invented, and the rows are few enough."""
    time_s = np.arange(values.size, dtype=np.float64)
    times, columns = shortened(time_s, {"a": values}, rows_max=2 * half)
    short = columns["a"]
    assert times.size == short.size <= max(2 * half, 2)
    known = values[np.isfinite(values)]
    kept = short[np.isfinite(short)]
    assert np.isin(kept, known).all()
    if known.size:
        assert (kept.min(), kept.max()) == (known.min(), known.max())
    assert (np.diff(times) >= 0).all()


def test_values_keep_the_order_in_which_they_came():
    """A rise stays a rise and a fall a fall."""
    time_s = np.arange(8.0)
    _, columns = shortened(time_s, {"up": time_s, "down": -time_s}, rows_max=4)
    assert columns["up"].tolist() == [0, 3, 4, 7]
    assert columns["down"].tolist() == [0, -3, -4, -7]


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, None), (math.inf, None), (0.0, 0), (12345.0, 12345), (0.123456, 0.1235), (1234.56, 1235), (-0.00012341, -0.0001234)],
)
def test_numbers_are_short(value, text):
    """Four figures, whole numbers whole, what is no number null."""
    assert as_json(np.array([value])) == [text]


@given(st.floats(1e-12, 1e12))
def test_four_figures_are_kept(value):
    """No number is off by more than one in two thousand."""
    (short,) = as_json(np.array([value]))
    assert short == pytest.approx(value, rel=5e-4)
