"""What the first request after a pause costs more: caches that went cold, a core that went to sleep.

A processor that has nothing to do loses the model's weights and the server's code from its caches, to its
neighbours or to its own sleep. The longer the pause the more is lost, until nothing is left to lose, so
that this is a rising table and not a number. It matters: a model of a third of a millisecond may take
three times that after a pause of twenty, and a server that is busy never pauses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Self


@dataclass(frozen=True, slots=True)
class PauseCost:
    """Extra time of the first request after a pause, by the pause's length.

    Attributes:
        points: (pause [s, > 0], extra [s, >= 0]) ascending in both; between them a straight line, which
            begins at no extra for no pause; beyond the last its extra. Empty for no extra at all.
    """

    points: tuple[tuple[float, float], ...] = ()

    @classmethod
    def rising(cls, measured: Iterable[tuple[float, float]]) -> Self:
        """From measurements in any order: the nearest table that never falls, and below zero is none.

        Args:
            measured: (pause [s], extra [s]); of one pause the mean, and none for no pause.

        Source: pool adjacent violators, the least-squares fit under order (Barlow et al., Statistical
        Inference under Order Restrictions, 1972, section 1.2).
        """
        same: dict[float, list[float]] = {}
        for pause_s, extra_s in measured:
            if pause_s > 0:
                same.setdefault(pause_s, []).append(extra_s)
        pools: list[tuple[float, list[float]]] = []
        for pause_s in sorted(same):
            mean_s, pauses = fmean(same[pause_s]), [pause_s]
            while pools and pools[-1][0] >= mean_s:
                before_s, before = pools.pop()
                mean_s = (before_s * len(before) + mean_s * len(pauses)) / (len(before) + len(pauses))
                pauses = before + pauses
            pools.append((mean_s, pauses))
        points = tuple((pause_s, max(0.0, mean_s)) for mean_s, pauses in pools for pause_s in pauses)
        return cls(points) if points and points[-1][1] > 0 else cls()

    def after(self, pause_s: float) -> float:
        """Extra after one pause [s].

        Args:
            pause_s: Its length [s, >= 0].
        """
        left_s = left_extra_s = 0.0
        for right_s, right_extra_s in self.points:
            if pause_s < right_s:
                share = (pause_s - left_s) / (right_s - left_s)
                return left_extra_s + share * (right_extra_s - left_extra_s)
            left_s, left_extra_s = right_s, right_extra_s
        return left_extra_s

    def mean(self, rate_per_s: float) -> float:
        """Mean extra after pauses that end with the next of Poisson arrivals [s].

        Args:
            rate_per_s: Of the arrivals [1/s, > 0].

        Source: such a pause is exponential (it has no memory), and E[f(G)] is the integral of
        f'(g) P(G > g), here over the straight pieces of f.
        """
        total_s = left_s = left_extra_s = 0.0
        for right_s, right_extra_s in self.points:
            slope = (right_extra_s - left_extra_s) / (right_s - left_s)
            total_s += slope * (math.exp(-rate_per_s * left_s) - math.exp(-rate_per_s * right_s)) / rate_per_s
            left_s, left_extra_s = right_s, right_extra_s
        return total_s
