"""How long a batch of a given size takes, as far as is known now.

Kept per size class (powers of two up to the largest batch), because what a deadline needs is the
time of *about this many* items, and one number per exact size would never be measured often enough.
Each class holds an exponentially weighted mean, seeded by warm-up.
"""

from __future__ import annotations

from collections.abc import Iterable


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


class ServiceTimes:
    """Expected seconds of one batch by its size, learnt from what batches took.

    Args:
        size_max: Items in the largest batch [>= 1].
        weight: Weight of a new observation in the running mean, in (0, 1].
    """

    __slots__ = ("_class_of", "_mean_s", "_size_max", "_weight")

    def __init__(self, size_max: int, weight: float = 0.1) -> None:
        self._size_max = size_max
        self._weight = weight
        classes = size_classes(size_max)
        self._mean_s = [0.0] * len(classes)
        # index of the smallest class that holds a batch of the given size
        self._class_of = [
            next(i for i, size in enumerate(classes) if size >= max(n, 1)) for n in range(size_max + 1)
        ]

    def seed(self, measured: Iterable[tuple[int, float]]) -> None:
        """Start from measured (size, seconds) pairs, as warm-up gives them."""
        for size, seconds in measured:
            self._mean_s[self._class_of[min(size, self._size_max)]] = seconds

    def observe(self, size: int, seconds: float) -> None:
        """Learn that a batch of ``size`` items took ``seconds`` [s, >= 0]."""
        i = self._class_of[min(size, self._size_max)]
        mean = self._mean_s[i]
        self._mean_s[i] = seconds if mean == 0.0 else mean + self._weight * (seconds - mean)

    def of(self, size: int) -> float:
        """Expected time of a batch of ``size`` items [s]; 0 where nothing is known yet."""
        return self._mean_s[self._class_of[min(size, self._size_max)]]

    def until_answered(self, waiting_items: int, own_items: int) -> float:
        """Expected time from a free model to the answer of a request that joins the queue's end.

        Args:
            waiting_items: Items queued before it [>= 0].
            own_items: Its own items [>= 1].

        Returns:
            Seconds: the full batches before its own, and its own.
        """
        before, rest = divmod(waiting_items, self._size_max)
        if rest + own_items > self._size_max:
            before, rest = before + 1, 0
        return before * self.of(self._size_max) + self.of(rest + own_items)
