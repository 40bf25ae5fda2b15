"""What the server itself costs, fitted to runs at several rates.

The CPU time that a run took outside of the model is a cost for each request and a further one for each
batch. At a low rate each request is a batch, at a high one many share it: what a request costs, drawn over
the batches that it stands for, is a line whose height at no batch is the cost of the request and whose
slope is the cost of the batch. Both are costs, so neither may be below zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SPAN_MIN: Final = 0.05
"""Least range of batches for each request over which a slope can be told from noise."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run cost outside of the model.

    Attributes:
        cpu_s: CPU time outside of the model, idle time's share taken out [s].
        requests: Requests answered, >= 1.
        batches: Batches that they were answered in, >= 1.
    """

    cpu_s: float
    requests: int
    batches: int


@dataclass(frozen=True, slots=True)
class Fit:
    """The two costs.

    Attributes:
        per_request_s: For each request [s], >= 0.
        per_batch_s: For each batch on top [s], >= 0.
        separate: Whether the runs told the two apart; otherwise all is put on the request.
        requests: Requests of all runs.
    """

    per_request_s: float
    per_batch_s: float
    separate: bool
    requests: int


def fit_overhead(costs: Sequence[Cost]) -> Fit | None:
    """Fit the two costs to runs, each weighted by its requests.

    Args:
        costs: One for each run.

    Returns:
        The fit; None without runs.

    Source: non-negative least squares in two unknowns, where the constrained optimum is the free one or
    lies on an axis.
    """
    total = sum(cost.requests for cost in costs)
    if not total:
        return None
    points = [(one.batches / one.requests, one.cpu_s / one.requests, one.requests) for one in costs]
    x_mean = sum(x * weight for x, _, weight in points) / total
    y_mean = sum(y * weight for _, y, weight in points) / total
    span = max(x for x, _, _ in points) - min(x for x, _, _ in points)
    if span < SPAN_MIN:
        return Fit(max(0.0, y_mean), 0.0, False, total)
    slope = sum(w * (x - x_mean) * (y - y_mean) for x, y, w in points) / sum(
        w * (x - x_mean) ** 2 for x, _, w in points
    )
    height = y_mean - slope * x_mean
    if slope < 0:
        return Fit(max(0.0, y_mean), 0.0, True, total)
    if height < 0:
        on_axis = sum(w * x * y for x, y, w in points) / sum(w * x * x for x, _, w in points)
        return Fit(0.0, max(0.0, on_axis), True, total)
    return Fit(height, slope, True, total)
