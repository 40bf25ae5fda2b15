"""Quantities that are steps over time, kept as their changes and put on the grid of the series at the end."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


class Level:
    """A step function of time.

    Args:
        value: Its value from time 0 on.
    """

    __slots__ = ("_times", "_values")

    def __init__(self, value: float = 0.0) -> None:
        self._times: list[float] = [0.0]
        self._values: list[float] = [value]

    @property
    def value(self) -> float:
        """Its value now."""
        return self._values[-1]

    @property
    def max(self) -> float:
        """Its largest value so far; nan values are passed over."""
        known = [value for value in self._values if not math.isnan(value)]
        return max(known, default=math.nan)

    def set(self, time_s: float, value: float) -> None:
        """It is this from now on.

        Args:
            time_s: Now [s], not before the last change.
            value: The value.
        """
        if value == self._values[-1]:
            return
        if time_s == self._times[-1]:
            self._values[-1] = value
        else:
            self._times.append(time_s)
            self._values.append(value)

    def at(self, times_s: FloatArray) -> FloatArray:
        """Its values at times [s]; at a change, what it changed to."""
        places = np.searchsorted(np.array(self._times), times_s + 1e-9, side="right") - 1
        return np.array(self._values)[places]

    def integral(self, times_s: FloatArray) -> FloatArray:
        """Its integral from 0 to each of the times [value x s]."""
        changes = np.array(self._times)
        values = np.array(self._values)
        sums = np.concatenate([[0.0], np.cumsum(values[:-1] * np.diff(changes))])
        places = np.searchsorted(changes, times_s, side="right") - 1
        result: FloatArray = sums[places] + values[places] * (times_s - changes[places])
        return result
