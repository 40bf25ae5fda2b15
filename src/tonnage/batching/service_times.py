"""How long a batch of a given size takes, as far as is known now.

Kept per size class (powers of two up to the largest batch), because what a deadline needs is the
time of *about this many* items, and one number per exact size would never be measured often enough.
Each class holds an exponentially weighted mean and mean deviation, seeded by warm-up, and the least time
ever seen: the mean says what to expect, the deviation how far a promise must stay from it, and the least
what is possible when all that is known may be out of date.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

DEVIATIONS: Final = 3.0
"""Mean absolute deviations that a promise keeps from a deadline.

For a normal distribution the 99th percentile is 2.33 standard deviations, 2.9 mean absolute deviations,
above the mean; the times of batches that run one after the other add up as the root of their number.
"""
WORTHWHILE_SHARE: Final = 0.95
"""Of the best throughput of any batch size, what the size in use must reach."""
WORTHWHILE_S_MIN: Final = 0.001
"""Largest batches below this are never cut: what surrounds a batch costs more than a larger one loses."""
BATCH_OVERHEAD_S: Final = 0.0001
"""What one more batch costs around the model: gathering, a thread's turn, sharing out the answers."""


def size_classes(size_max: int) -> tuple[int, ...]:
    """Batch sizes that stand for all others: powers of two below ``size_max``, and ``size_max``.

    Args:
        size_max: Items in the largest batch [>= 1].

    Returns:
        Ascending sizes without repeats, such as (1, 2, 4, 8, 10) for 10.
    """
    sizes = []
    size = 1
    while size < size_max:
        sizes.append(size)
        size *= 2
    sizes.append(size_max)
    return tuple(sizes)


def worthwhile_size(steady: Sequence[tuple[int, float]]) -> int:
    """The smallest batch that is about as good for throughput as the best.

    On a CPU a batch beyond the caches may take more time for each item than a smaller one, and every
    item of a larger batch waits longer for nothing.

    Args:
        steady: (batch size, seconds) ascending, at least one.

    Returns:
        One of the sizes; the largest where its batch is too short to matter.
    """
    largest, largest_s = steady[-1]
    if largest_s < WORTHWHILE_S_MIN:
        return largest
    rates = {size: size / (seconds + BATCH_OVERHEAD_S) for size, seconds in steady}
    enough = WORTHWHILE_SHARE * max(rates.values())
    return next(size for size, rate in rates.items() if rate >= enough)


class ServiceTimes:
    """Expected seconds of one batch by its size, learnt from what batches took.

    Args:
        size_max: Items in the largest batch [>= 1].
        weight: Weight of a new observation in the running mean, in (0, 1].
    """

    __slots__ = ("_class_of", "_deviation_s", "_least_s", "_mean_s", "_size_max", "_weight")

    def __init__(self, size_max: int, weight: float = 0.1) -> None:
        self._size_max = size_max
        self._weight = weight
        classes = size_classes(size_max)
        self._mean_s = [0.0] * len(classes)
        self._deviation_s = [0.0] * len(classes)
        self._least_s = [math.inf] * len(classes)
        # index of the smallest class that holds a batch of the given size
        self._class_of = [
            next(i for i, size in enumerate(classes) if size >= max(n, 1)) for n in range(size_max + 1)
        ]

    def seed(self, measured: Iterable[tuple[int, float]]) -> None:
        """Start from measured (size, seconds) pairs, as warm-up gives them."""
        for size, seconds in measured:
            i = self._class_of[min(size, self._size_max)]
            self._mean_s[i] = seconds
            self._least_s[i] = min(self._least_s[i], seconds)

    def observe(self, size: int, seconds: float) -> None:
        """Learn that a batch of ``size`` items took ``seconds`` [s, >= 0]."""
        i = self._class_of[min(size, self._size_max)]
        mean = self._mean_s[i]
        off = seconds - mean
        if mean == 0.0:
            self._mean_s[i] = seconds
        else:
            self._mean_s[i] = mean + self._weight * off
            self._deviation_s[i] += self._weight * (abs(off) - self._deviation_s[i])
        if seconds < self._least_s[i]:
            self._least_s[i] = seconds

    def of(self, size: int) -> float:
        """Expected time of a batch of ``size`` items [s]; 0 where nothing is known yet."""
        return self._mean_s[self._class_of[min(size, self._size_max)]]

    def least(self, size: int) -> float:
        """The shortest that a batch of about ``size`` items has taken [s]; 0 where nothing is known yet."""
        least = self._least_s[self._class_of[min(size, self._size_max)]]
        return least if least != math.inf else 0.0

    def until_answered(self, waiting_items: int, own_items: int, gather_max: int | None = None) -> float:
        """Time from a free model to the answer of a request that joins the queue's end, all but surely.

        Args:
            waiting_items: Items queued before it [>= 0].
            own_items: Its own items [>= 1].
            gather_max: Items that are gathered into one batch [1 to size_max]; None for size_max.

        Returns:
            Seconds: the full batches before its own, and its own, with ``DEVIATIONS`` of their sum.
        """
        full = gather_max or self._size_max
        before, rest = divmod(waiting_items, full)
        if rest and rest + own_items > full:
            before, rest = before + 1, 0
        i, j = self._class_of[full], self._class_of[min(rest + own_items, self._size_max)]
        spread_s = math.sqrt(before * self._deviation_s[i] ** 2 + self._deviation_s[j] ** 2)
        return before * self._mean_s[i] + self._mean_s[j] + DEVIATIONS * spread_s
