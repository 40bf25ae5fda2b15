"""Service times on an even lattice of time, and the arrivals that fall into each length of it.

The queue of ``queueing.py`` is solved in numbers: time is cut into equal steps, a service time becomes
weights on steps, and what happens during it is a row of a Poisson table. A time between two steps is
split between them so that its mean is kept, because the mean decides whether a queue is stable.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def on_lattice(times_s: FloatArray, weights: FloatArray, *, step_s: float, steps: int) -> FloatArray:
    """Probabilities of each number of steps, means kept.

    Args:
        times_s: Times [s, >= 0], shape ``(rows, cells)``; each at most ``(steps - 1) * step_s``.
        weights: Probability of each cell, shape ``(cells,)``.
        step_s: Length of a step [s, > 0].
        steps: Lattice points, from 0 on [>= 2].

    Returns:
        Shape ``(rows, steps)``; each row sums to 1.
    """
    places = np.minimum(times_s / step_s, steps - 1)
    below = np.minimum(places.astype(np.int64), steps - 2)
    share = places - below
    rows = np.broadcast_to(np.arange(times_s.shape[0])[:, None], below.shape)
    result = np.zeros((times_s.shape[0], steps))
    np.add.at(result, (rows, below), weights * (1 - share))
    np.add.at(result, (rows, below + 1), weights * share)
    return result


def poisson_table(means: FloatArray, *, columns: int) -> FloatArray:
    """Probabilities of 0, 1, ... arrivals for each mean.

    Args:
        means: Expected arrivals [>= 0], shape ``(rows,)``.
        columns: How many counts, from 0 on [>= 1].

    Returns:
        Shape ``(rows, columns)``; what lies beyond the last column is left out.
    """
    counts = np.arange(columns, dtype=np.float64)
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.maximum(counts[1:], 1.0)))))
    with np.errstate(divide="ignore"):
        logs = np.log(means)[:, None]
    # 0 * log 0 is 0 here: no arrival in no time is certain
    terms = np.where(counts[None, :] == 0, 0.0, counts[None, :] * np.where(np.isfinite(logs), logs, 0.0))
    table = np.exp(terms - means[:, None] - log_factorial[None, :])
    table[means == 0, 1:] = 0.0
    return np.asarray(table, dtype=np.float64)


def counts_needed(mean: float) -> int:
    """Columns of a Poisson table beyond which less than 1e-10 remains.

    Args:
        mean: Largest mean in it [>= 0].
    """
    return math.ceil(mean + 7.0 * math.sqrt(mean) + 20.0)


def decay_of(rate_per_s: float, times_s: FloatArray, weights: FloatArray, size: int) -> float:
    """The ratio by which the chance of one more waiting request falls, for long queues.

    Args:
        rate_per_s: Arrivals [1/s, > 0].
        times_s: Times of a full batch [s], shape ``(cells,)``.
        weights: Their probabilities, shape ``(cells,)``.
        size: Items in a full batch; the queue must be stable [>= 1].

    Returns:
        In (0, 1).

    Source: the root in (0, 1) of y**size * A(1/y) = 1, where A(z) is the generating function of the
    arrivals during a full batch; Bailey, On queueing processes with bulk service, J. R. Stat. Soc. B
    16 (1954), and Chaudhry and Templeton, A First Course in Bulk Queues, 1983, chapter 3.
    """
    scaled = rate_per_s * times_s

    def excess(x: float) -> float:
        exponents = scaled * (x - 1)
        largest = float(exponents.max())
        return largest + math.log(float(weights @ np.exp(exponents - largest))) - size * math.log(x)

    high = 2.0
    while excess(high) <= 0 and high < 1e12:
        high = 1 + 2 * (high - 1)
    low = 1.0
    # the function is negative between 1 and the root; halve on the logarithm of the distance from 1
    near = 1e-9
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if middle - 1 < near:
            break
        if excess(middle) <= 0:
            low = middle
        else:
            high = middle
    return 1 / high
