"""From samples to the quantiles that a profile keeps, and back from quantiles to a value.

Kept quantiles are order statistics by nearest rank, as in the load generator, so none of them is a
value that was never seen; only what lies between two of them is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

PERCENTILES: Final = (1.0, 5.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)
"""What a profile keeps of a distribution [%]."""


def percentile_name(percentile: float) -> str:
    """``p99`` for 99 and ``p99.9`` for 99.9."""
    return f"p{percentile:g}"


def percentile_of(name: str) -> float:
    """99.9 for ``p99.9``.

    Raises:
        ValueError: The name is not p and a number above 0 and below 100.
    """
    try:
        percentile = float(name[1:])
    except ValueError:
        percentile = math.nan
    if not name.startswith("p") or not name[1:2].isdigit() or not 0 < percentile < 100:
        raise ValueError("must be p and a number above 0 and below 100, such as p50 or p99.9")
    return percentile


def nearest_rank(ordered: Sequence[float], percentile: float) -> float:
    """The smallest value that at least ``percentile`` % of all values do not exceed.

    Args:
        ordered: Ascending values, at least one.
        percentile: In (0, 100].

    Source: the nearest-rank definition: the ceil(q*n)-th smallest of n values.
    """
    # rounded first, since 0.999 * 1000 is a hair above 999 in binary
    rank = max(1, math.ceil(round(percentile / 100 * len(ordered), 6)))
    return ordered[rank - 1]


def quantiles_of(samples: Sequence[float]) -> dict[str, float]:
    """The kept quantiles of some samples by name, ascending; empty without samples."""
    if not samples:
        return {}
    ordered = sorted(samples)
    return {percentile_name(one): nearest_rank(ordered, one) for one in PERCENTILES}


def interpolated(points: Mapping[float, float], x: float) -> float:
    """The value at ``x`` on the line through ``points``, held constant beyond its ends.

    Args:
        points: Ascending x to y; at least one.
        x: Where.
    """
    xs = list(points)
    if x <= xs[0]:
        return points[xs[0]]
    for left, right in zip(xs, xs[1:], strict=False):
        if x <= right:
            share = (x - left) / (right - left)
            return points[left] * (1 - share) + points[right] * share
    return points[xs[-1]]


def proportional(points: Mapping[float, float], x: float) -> float:
    """Like ``interpolated``, but beyond the last point the value grows in proportion to ``x``.

    Args:
        points: Ascending x, each > 0, to y; at least one.
        x: Where.
    """
    last = max(points)
    return interpolated(points, min(x, last)) * max(1.0, x / last)
