"""What the server itself costs for each request and for each batch: a line fitted to runs.

The CPU time that a run took outside of the model is a cost for each request and a further one for each
batch. Where each request is a batch of its own both are paid for it, where many share a batch they share
its cost: what a request costs, drawn over the batches that it stands for, is a line whose height at no batch
is the cost of the request and whose slope is the cost of the batch. Both are costs: a line that makes one of
them negative does not tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SPAN_MIN: Final = 0.05
"""Least range of batches for each request over which a slope can be told from noise."""
ERRORS_MIN: Final = 2.0
"""Standard errors that a slope must be above zero to be believed."""


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
        The fit; None without runs. Costs that cannot be told apart, because all batches had about the same
        size or because the slope is lost in noise, are one: that of the request.

    Source: weighted least squares on a line, with the standard error of its slope from the residuals.
    """
    total = sum(cost.requests for cost in costs)
    if not total:
        return None
    points = [(one.batches / one.requests, one.cpu_s / one.requests, one.requests) for one in costs]
    x_mean = sum(x * weight for x, _, weight in points) / total
    y_mean = sum(y * weight for _, y, weight in points) / total
    together = Fit(max(0.0, y_mean), 0.0, False, total)
    span = max(x for x, _, _ in points) - min(x for x, _, _ in points)
    if span < SPAN_MIN:
        return together
    moment = sum(w * (x - x_mean) ** 2 for x, _, w in points)
    slope = sum(w * (x - x_mean) * (y - y_mean) for x, y, w in points) / moment
    height = y_mean - slope * x_mean
    off = sum(w * (y - height - slope * x) ** 2 for x, y, w in points)
    scatter = off / max(1, len(points) - 2)  # variance of one request's cost
    error = math.sqrt(scatter / moment)
    if slope <= ERRORS_MIN * error or height < 0:
        return together
    return Fit(height, slope, True, total)
