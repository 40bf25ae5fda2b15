"""How long the model takes for a batch: from what was measured, or from a formula.

A law is data; the compiled kernel draws from it. What was measured is kept as the inverse of its
distribution function, tabulated at even steps of probability for each measured size: a uniform number
gives a time on the straight line between two entries, and sizes between two measured ones lie on the
straight line between their times at the same probability, so that a slow draw is slow at every size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tonnage.errors import Problem, SpecError

STEPS: Final = 1024
"""Steps of probability in a table: the last one, above 99.9%, is still a whole step."""

Shape = Literal["deterministic", "exponential", "lognormal"]


@dataclass(frozen=True, slots=True)
class ParametricService:
    """A formula: mean ``batch_s + n * item_s`` for n items, with one shape.

    Attributes:
        item_s: Time for each item [s, >= 0].
        batch_s: Time for each batch [s, >= 0].
        shape: Distribution around the mean.
        variation: Standard deviation over mean, for ``lognormal`` [> 0].

    Raises:
        SpecError: A field is out of its range.
    """

    item_s: float = 0.0
    batch_s: float = 0.0
    shape: Shape = "deterministic"
    variation: float = 0.2

    def __post_init__(self) -> None:
        for name, value in (("item_s", self.item_s), ("batch_s", self.batch_s)):
            if not 0 <= value < math.inf:
                raise SpecError([Problem(name, f"must be >= 0 and finite, got {value}")])
        if self.item_s + self.batch_s <= 0:
            raise SpecError([Problem("item_s", "must be > 0 where batch_s is 0, got 0")])
        if self.shape not in ("deterministic", "exponential", "lognormal"):
            message = f"must be deterministic, exponential or lognormal, got {self.shape}"
            raise SpecError([Problem("shape", message)])
        if not 0 < self.variation < math.inf:
            raise SpecError([Problem("variation", f"must be > 0 and finite, got {self.variation}")])

    def mean_s(self, size: int) -> float:
        """Mean time of a batch of ``size`` items [s]."""
        return self.batch_s + size * self.item_s


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredService:
    """Measured times by batch size.

    Attributes:
        sizes: Measured batch sizes, ascending, each >= 1.
        inverse: Time at probability k / STEPS [s], shape ``(len(sizes), STEPS + 1)``, rows ascending,
            read-only.

    Raises:
        SpecError: Sizes are not ascending, or a row is not ascending, finite and >= 0.
    """

    sizes: tuple[int, ...]
    inverse: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        sizes = list(self.sizes)
        if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise SpecError([Problem("sizes", f"must be ascending, without repeats and >= 1, got {sizes}")])
        inverse = np.array(self.inverse, dtype=np.float64)
        if inverse.shape != (len(sizes), STEPS + 1):
            message = f"must have shape ({len(sizes)}, {STEPS + 1}), got {inverse.shape}"
            raise SpecError([Problem("inverse", message)])
        if not np.all(np.isfinite(inverse)) or np.any(inverse < 0) or np.any(np.diff(inverse, axis=1) < 0):
            raise SpecError([Problem("inverse", "must be finite, ascending and >= 0 in each row, got other")])
        inverse.setflags(write=False)
        object.__setattr__(self, "inverse", inverse)

    def mean_s(self, size: int) -> float:
        """Mean time of a batch of ``size`` items [s], as the kernel draws it."""
        rows = (self.inverse[:, 1:] + self.inverse[:, :-1]).mean(axis=1) / 2
        largest = self.sizes[-1]
        return float(np.interp(min(size, largest), self.sizes, rows)) * max(1.0, size / largest)

    @classmethod
    def from_samples(cls, samples: Mapping[int, Sequence[float]]) -> MeasuredService:
        """Make it from what was measured.

        Args:
            samples: Batch size to times [s], at least one each, in any order.
        """
        grid = np.arange(STEPS + 1) / STEPS
        rows = []
        for size in sorted(samples):
            ordered = np.sort(np.asarray(samples[size], dtype=np.float64))
            if ordered.size == 0:
                raise SpecError([Problem(f"samples[{size}]", "must hold at least one time, got none")])
            # each sample stands for an equal share of probability, at its middle
            middles = (np.arange(ordered.size) + 0.5) / ordered.size
            rows.append(np.interp(grid, middles, ordered))
        return cls(tuple(sorted(samples)), np.array(rows))

    @classmethod
    def from_quantiles(
        cls, quantiles: Mapping[int, Mapping[float, float]], means: Mapping[int, float] | None = None
    ) -> MeasuredService:
        """Make it from kept quantiles.

        Args:
            quantiles: Batch size to {percentile [%]: time [s]}, at least one each; constant beyond the ends.
            means: Batch size to mean [s]; where given, the row is scaled to it, since throughput hangs on
                the mean and quantiles do not tell it.
        """
        grid = np.arange(STEPS + 1) / STEPS
        rows = []
        for size in sorted(quantiles):
            points = sorted(quantiles[size].items())
            if not points:
                raise SpecError([Problem(f"quantiles[{size}]", "must hold at least one quantile, got none")])
            row = np.interp(grid, [percent / 100 for percent, _ in points], [value for _, value in points])
            mean = (means or {}).get(size)
            if mean is not None and row.sum() > 0:
                row *= mean / float((row[1:] + row[:-1]).mean() / 2)
            rows.append(row)
        return cls(tuple(sorted(quantiles)), np.array(rows))


ServiceLaw = ParametricService | MeasuredService
