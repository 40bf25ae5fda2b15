"""Durations in logarithmic buckets: 1% relative error, mergeable by addition.

Their layout is ``contract.latency_buckets``: 0.1 s, the objective of nearly everyone, is a bound.
A percentile of several servers is the percentile of their summed buckets, which a mean of
percentiles is not.

Source: the idea of HdrHistogram and DDSketch; bounds are ``0.1 * 2**(i / 36)`` seconds.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tonnage.contract import latency_buckets as layout

BUCKETS: Final = layout.BUCKETS
Counts = npt.NDArray[np.int64]

OCTAVE_BOUNDS_S: Final = tuple(0.1 * 2.0**k for k in range(-layout.OCTAVES_BELOW, layout.OCTAVES_ABOVE + 1))
"""Bounds that Prometheus is shown [s]."""


def indices(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The bucket of each duration.

    Args:
        seconds: Durations [s]; of any sign, NaN not allowed.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        # a value on a bound belongs to the bucket below it, as Prometheus' "le" has it
        octaves = np.log2(np.maximum(seconds, 1e-9) / 0.1) + layout.OCTAVES_BELOW
    index = np.ceil(octaves * layout.PER_OCTAVE - 1e-9)
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
    return layout.middle_s(int(np.searchsorted(np.cumsum(counts), rank)))


def at_octaves(counts: npt.NDArray[Any]) -> list[int]:
    """How many durations are at or below each of ``OCTAVE_BOUNDS_S``, and in all."""
    cumulative = np.cumsum(counts)
    bounded = [int(cumulative[k * layout.PER_OCTAVE]) for k in range(len(OCTAVE_BOUNDS_S))]
    return [*bounded, int(cumulative[-1])]
