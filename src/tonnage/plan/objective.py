"""What must hold: a rate, and latencies at percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tonnage.spec.service import ModelService

PERCENTILES: Final = (("p50", 50.0), ("p95", 95.0), ("p99", 99.0))
"""The percentiles that a document can name."""
_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A latency that must hold at a percentile.

    Attributes:
        percentile: Of all requests, in (0, 100).
        latency_s: Bound [s, > 0].
    """

    percentile: float
    latency_s: float

    def __post_init__(self) -> None:
        if not 0 < self.percentile < 100:
            raise ValueError(f"percentile: must be in (0, 100), got {self.percentile}")
        if not 0 < self.latency_s < math.inf:
            raise ValueError(f"latency_s: must be > 0 and finite, got {self.latency_s}")

    @property
    def name(self) -> str:
        """Such as ``p99``."""
        return f"p{self.percentile:g}"


def targets_of(service: ModelService) -> tuple[Target, ...]:
    """The latencies of a document's objective, by ascending percentile."""
    latency = service.spec.objective.latency
    bounds = [(percentile, getattr(latency, name)) for name, percentile in PERCENTILES]
    return tuple(Target(percentile, bound.seconds) for percentile, bound in bounds if bound is not None)


def holds(targets: Sequence[Target], latencies_s: Sequence[float]) -> bool:
    """Whether latencies, one for each target in order, are within their bounds."""
    pairs = zip(targets, latencies_s, strict=True)
    return all(latency_s <= target.latency_s for target, latency_s in pairs)


def rounded_up(value: float) -> float:
    """The next number of three significant digits at or above a value > 0."""
    return _rounded(value, math.ceil)


def rounded_down(value: float) -> float:
    """The next number of three significant digits at or below a value >= 0."""
    return _rounded(value, math.floor) if value > 0 else 0.0


def _rounded(value: float, turn: object) -> float:
    power = math.floor(math.log10(value)) - _DIGITS + 1
    # 1e-9 keeps 0.1 from becoming 0.101 by a bit of binary
    slack = 1e-9 if turn is math.ceil else -1e-9
    scaled = value / 10.0**power - slack
    whole = math.ceil(scaled) if turn is math.ceil else math.floor(scaled)
    return float(f"{whole * 10.0**power:.{_DIGITS}g}")
