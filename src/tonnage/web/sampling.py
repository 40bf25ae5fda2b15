"""Long series made short enough for a page, without losing a peak or a trough.

Intervals are gathered into buckets of equal width; each bucket keeps the least and the greatest value of
each series, in the order in which they came. All series share one row of times, so that they are read
together under one cursor; a value's time is then off by at most one bucket.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tonnage.twin.result import FloatArray

ROWS_MAX: Final = 40_000
"""Rows of a page with one run: every second of eleven hours, or every four seconds of a day."""
_DIGITS: Final = 4


def shortened(
    time_s: FloatArray, columns: Mapping[str, FloatArray], *, rows_max: int = ROWS_MAX
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Reduce series to at most ``rows_max`` rows.

    Args:
        time_s: Start of each interval [s], ascending.
        columns: Series of the same length; nan where there is no value.
        rows_max: Rows to keep at most [>= 2].

    Returns:
        Times and series of one length; unchanged when they are short enough. The greatest and the least
        value of every series, and of every bucket of it, are among its values.
    """
    size = time_s.size
    if size <= rows_max:
        return time_s, dict(columns)
    width = math.ceil(size / (rows_max // 2))
    buckets = math.ceil(size / width)
    padded = np.append(time_s, np.full(buckets * width - size, time_s[-1]))
    starts = padded.reshape(buckets, width)
    times = np.stack((starts[:, 0], starts[:, width // 2]), axis=1).ravel()
    return times, {name: _extremes(values, buckets, width) for name, values in columns.items()}


def _extremes(values: FloatArray, buckets: int, width: int) -> FloatArray:
    """The least and the greatest of each bucket, in the order in which they came."""
    table = np.append(values, np.full(buckets * width - values.size, np.nan)).reshape(buckets, width)
    known = np.isfinite(table)
    low = np.where(known, table, np.inf)
    high = np.where(known, table, -np.inf)
    first, second = low.argmin(axis=1), high.argmax(axis=1)
    pair = np.stack((np.minimum(first, second), np.maximum(first, second)), axis=1)
    chosen: FloatArray = np.take_along_axis(table, pair, axis=1).ravel()
    return chosen


def as_json(values: FloatArray) -> list[Any]:
    """Values with four figures, whole ones as integers, nan as null: what a plot can show, and short."""
    known = np.isfinite(values) & (values != 0)
    sizes = np.ones(values.shape)
    with np.errstate(over="ignore"):
        sizes[known] = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(np.abs(values[known]))))
    # Whole numbers stay exact.
    whole = np.isfinite(values) & (values == np.rint(values))
    rounded = np.where(whole, values, np.rint(values * sizes) / sizes)
    return [_short(value) for value in rounded.tolist()]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value
