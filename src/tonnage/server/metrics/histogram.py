"""Durations in logarithmic buckets: 1% relative error, mergeable by addition.

Buckets are 36 to the octave and laid so that 0.1 s, the objective of nearly everyone, is a bound.
A percentile of several servers is the percentile of their summed buckets, which a mean of
percentiles is not.

Source: the idea of HdrHistogram and DDSketch; bounds are ``0.1 * 2**(i / 36)`` seconds.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

PER_OCTAVE: Final = 36
OCTAVES_BELOW: Final = 13  # of 0.1 s: 12.2 microseconds
OCTAVES_ABOVE: Final = 10  # of 0.1 s: 102.4 seconds
BUCKETS: Final = (OCTAVES_BELOW + OCTAVES_ABOVE) * PER_OCTAVE + 2
"""With one bucket below the first bound and one above the last."""

Counts = npt.NDArray[np.int64]

OCTAVE_BOUNDS_S: Final = tuple(0.1 * 2.0**k for k in range(-OCTAVES_BELOW, OCTAVES_ABOVE + 1))
"""Bounds that Prometheus is shown [s]."""


def indices(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bucket of each duration.

    Args:
        seconds: Durations [s]; of any sign, NaN not allowed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # a value on a bound belongs to the bucket below it, as Prometheus' "le" has it
        octaves = np.log2(np.maximum(seconds, 1e-9) / 0.1) + OCTAVES_BELOW
    index = np.ceil(octaves * PER_OCTAVE - 1e-9)
    return np.clip(index, 0, BUCKETS - 1).astype(np.int64)


def add(counts: Counts, seconds: npt.NDArray[np.float64]) -> None:
    """Count durations into ``counts`` of shape [BUCKETS]."""
    counts += np.bincount(indices(seconds), minlength=BUCKETS)


def quantile(counts: npt.NDArray[Any], q: float) -> float | None:
    """The duration below which a share ``q`` of the counted ones lies.

    Args:
        counts: Shape [BUCKETS].
        q: In (0, 1].

    Returns:
        Seconds, the geometric middle of the bucket that holds the quantile; None when it is empty.
    """
    total = int(counts.sum())
    if total == 0:
        return None
    rank = max(1, int(np.ceil(q * total)))
    index = int(np.searchsorted(np.cumsum(counts), rank))
    middle = (index - 0.5) / PER_OCTAVE if index > 0 else 0.0
    top = OCTAVES_BELOW + OCTAVES_ABOVE
    return float(0.1 * 2.0 ** (min(middle, top) - OCTAVES_BELOW))


def at_octaves(counts: npt.NDArray[Any]) -> list[int]:
    """How many durations are at or below each of ``OCTAVE_BOUNDS_S``, and in all."""
    cumulative = np.cumsum(counts)
    bounded = [int(cumulative[k * PER_OCTAVE]) for k in range(OCTAVES_BELOW + OCTAVES_ABOVE + 1)]
    return [*bounded, int(cumulative[-1])]
