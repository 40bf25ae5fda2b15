"""Latency buckets with the layout of the server's own histogram, for the kernel and for reading.

36 to the octave, laid so that 0.1 s is a bound; a value on a bound belongs to the bucket below it. In the
kernel a bucket is found without a logarithm: the upper bits of a double name a cell that holds at most
one bound, a table gives the cell's first bucket, and one comparison decides.

The layout is ``contract.latency_buckets``; a test compares this with the server's own finding of buckets, on
bounds and random values.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tonnage.contract import latency_buckets as layout
from tonnage.twin.requests.compiled import inner

BUCKETS: Final = layout.BUCKETS

_CELL_BITS: Final = 7  # 128 cells to the octave
CELL_SHIFT: Final = 52 - _CELL_BITS
"""A double's bits shifted right by this are its cell's number, before ``FIRST_CELL`` is taken off."""


def _upper_bounds() -> npt.NDArray[np.float64]:
    """The largest value of each bucket [s]; the last has none."""
    steps = (np.arange(BUCKETS - 1) + 1e-9) / layout.PER_OCTAVE
    return np.append(0.1 * 2.0 ** (steps - layout.OCTAVES_BELOW), np.inf)


def _cells(upper: npt.NDArray[np.float64]) -> tuple[int, npt.NDArray[np.int16]]:
    """The number of the first cell, and for each cell the bucket of its least value."""
    first, last = (int(bound.view(np.int64)) >> CELL_SHIFT for bound in (upper[0], upper[-2]))
    edges = (np.arange(first, last + 2, dtype=np.int64) << CELL_SHIFT).view(np.float64)
    return first, np.searchsorted(upper, edges).astype(np.int16)


UPPER_S: Final = _upper_bounds()
"""Largest value of each bucket [s]; infinite for the last."""
FIRST_CELL, CELLS = _cells(UPPER_S)


def quantile(counts: npt.NDArray[Any], q: float) -> float | None:
    """The duration below which a share ``q`` of the counted ones lies.

    Args:
        counts: Shape ``(BUCKETS,)``.
        q: In (0, 1].

    Returns:
        Seconds, the geometric middle of the bucket that holds the quantile; None when it is empty.
    """
    found = float(quantiles(counts, (q,))[0])
    return None if np.isnan(found) else found


def quantiles(
    counts: npt.NDArray[Any], qs: tuple[float, ...], *, first: int = 0
) -> npt.NDArray[np.float64]:
    """Several quantiles at once [s]; NaN where nothing was counted.

    Args:
        counts: Counts of buckets ``first`` and on, as many as are given.
        qs: Each in (0, 1].
        first: Number of the first bucket given.
    """
    running = np.cumsum(counts)
    total = int(running[-1]) if running.size else 0
    if total == 0:
        return np.full(len(qs), np.nan)
    ranks = np.maximum(1, np.ceil(np.array(qs) * total))
    index = first + np.searchsorted(running, ranks)
    middle = np.where(index > 0, (index - 0.5) / layout.PER_OCTAVE, 0.0)
    top = layout.OCTAVES_BELOW + layout.OCTAVES_ABOVE
    return np.asarray(0.1 * 2.0 ** (np.minimum(middle, top) - layout.OCTAVES_BELOW))


@inner
def bucket_of(seconds: float, upper: npt.NDArray[np.float64], cells: npt.NDArray[np.int16]) -> int:
    """The bucket of a duration.

    Args:
        seconds: Any number but NaN [s].
        upper: ``UPPER_S``.
        cells: ``CELLS``.
    """
    cell = (np.float64(seconds).view(np.int64) >> CELL_SHIFT) - FIRST_CELL
    if seconds <= 0.0 or cell < 0:
        return 0
    if cell >= cells.size:
        return BUCKETS - 1
    bucket = np.int64(cells[cell])
    return int(bucket + 1 if seconds > upper[bucket] else bucket)
