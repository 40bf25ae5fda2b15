"""What a batch and a request cost in the running server, told from its runs under load.

A batch in the server takes longer than alone, since real traffic shares its caches; the server's own cost
under load is less than around an idle model, since one waking serves many requests. Both are seen where
they count: in the time in the model and the CPU time of every run that held. What the first request after
a pause costs more is known by itself and is taken out first, or it would be spread over all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tonnage.profile.load_parts import AfterIdle, CurvePoint
from tonnage.profile.overhead import Fit
from tonnage.profile.parts import Batch
from tonnage.profile.pauses import PauseCost
from tonnage.profile.quantiles import proportional

ROUNDS: Final = 8
"""The extra after a pause is what is above the cost without one, and that is what the rest tells: solved in
turns, which settle after three or four."""
SPREAD_MIN: Final = 1.3
"""Largest over smallest mean batch size from which a batch's cost and a request's can be told apart."""
SCALE_MIN, SCALE_MAX = 0.3, 3.0
"""Costs under load that differ more than so from those around an empty model are not believed."""
RATIO_MIN, RATIO_MAX = 0.8, 2.0
"""Times of batches that differ more than so from those alone were measured beside something else."""


@dataclass(frozen=True, slots=True)
class InServer:
    """What the runs tell.

    Attributes:
        batch_ratio: Time of a batch over its time alone, where no pause went before it; None where unknown.
        fit: The server's own costs; None where they are not known.
    """

    batch_ratio: float | None
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class _Run:
    """One run that held, per worker where that matters.

    Attributes:
        requests: Requests answered.
        batches: Batches run.
        size: Items of a batch on average.
        compute_s: Time in the model [s].
        cpu_s: CPU time of the server [s].
        fresh: Requests that found a worker idle.
        rate_per_s: Arrivals at one worker [1/s].
    """

    requests: float
    batches: float
    size: float
    compute_s: float
    cpu_s: float
    fresh: float
    rate_per_s: float


def in_server(
    points: Sequence[CurvePoint],
    batches: Sequence[Batch],
    after_idle: Sequence[AfterIdle],
    fit: Fit | None,
    *,
    workers: int,
    idle_ratio: float,
) -> InServer:
    """Look at all runs that held.

    Args:
        points: Runs under load.
        batches: Times alone, at least one.
        after_idle: Requests after pauses; may be empty.
        fit: The server's costs around an empty model; None where they could not be measured.
        workers: Processes that share the port [>= 1].
        idle_ratio: CPU time over elapsed time without requests, which is not the requests' [>= 0].
    """
    runs = [run for point in points if (run := _run(point, workers, idle_ratio)) is not None]
    if not runs:
        return InServer(None, fit)
    ratio = _batch_ratio(runs, batches, after_idle)
    return InServer(ratio, _costs(runs, batches, after_idle, fit) if fit is not None else None)


def _run(point: CurvePoint, workers: int, idle_ratio: float) -> _Run | None:
    if not point.held or point.error_ratio > 0 or not point.requests:
        return None
    if not point.batches or not point.compute_s or point.cpu_ratio is None or not point.duration_s:
        return None
    busy = max(0.0, point.cpu_ratio - idle_ratio)
    # Poisson arrivals see the share of time that a worker is idle
    fresh = point.requests * max(0.0, 1.0 - min(1.0, busy / workers))
    return _Run(
        requests=point.requests,
        batches=point.batches,
        size=point.batch_size_mean or 1.0,
        compute_s=point.compute_s,
        cpu_s=busy * point.duration_s,
        fresh=min(fresh, point.batches),
        rate_per_s=point.achieved_per_s / workers,
    )


def _batch_ratio(runs: Sequence[_Run], batches: Sequence[Batch], idle: Sequence[AfterIdle]) -> float | None:
    alone = {float(batch.size): batch.steady_s.mean for batch in batches}
    one_s = proportional(alone, 1.0)
    alone_s = sum(run.batches * proportional(alone, run.size) for run in runs)
    if alone_s <= 0:
        return None
    ratio = 1.0
    for _ in range(ROUNDS):
        cold = PauseCost.rising((each.pause_s, each.compute_s - ratio * one_s) for each in idle)
        extra_s = sum(run.fresh * cold.mean(run.rate_per_s) for run in runs)
        ratio = (sum(run.compute_s for run in runs) - extra_s) / alone_s
    return ratio if RATIO_MIN <= ratio <= RATIO_MAX else None


def _costs(runs: Sequence[_Run], batches: Sequence[Batch], idle: Sequence[AfterIdle], fit: Fit) -> Fit:
    """The server's own costs under load, told apart where batches differed in size, else scaled.

    Source: least squares on two costs, each run weighted by its requests.
    """
    # CPU time of a batch over its time, which is more than 1 with several threads
    threads = sum(batch.cpu_s or batch.steady_s.mean for batch in batches)
    threads /= sum(batch.steady_s.mean for batch in batches)
    sizes = [run.requests / run.batches for run in runs]
    apart = max(sizes) >= SPREAD_MIN * min(sizes)
    found = fit
    for _ in range(ROUNDS):
        both_s = found.per_request_s + found.per_batch_s
        cold = PauseCost.rising(
            (each.pause_s, each.cpu_s - threads * each.compute_s - both_s) for each in idle
        )
        rows = [
            (
                run.batches / run.requests,
                (run.cpu_s - threads * run.compute_s - run.fresh * cold.mean(run.rate_per_s)) / run.requests,
                run.requests,
            )
            for run in runs
        ]
        found = _line(rows, fit) if apart else _scaled(rows, fit)
    return found


def _line(rows: Sequence[tuple[float, float, float]], fit: Fit) -> Fit:
    """(batches, cost) of each request with its weight, to the two costs."""
    total = sum(weight for _, _, weight in rows)
    x_mean = sum(x * weight for x, _, weight in rows) / total
    y_mean = sum(y * weight for _, y, weight in rows) / total
    moment = sum(weight * (x - x_mean) ** 2 for x, _, weight in rows)
    slope = sum(weight * (x - x_mean) * (y - y_mean) for x, y, weight in rows) / moment
    height = y_mean - slope * x_mean
    if slope < 0 or height < 0:
        return _scaled(rows, fit)
    return Fit(height, slope, True, fit.requests)


def _scaled(rows: Sequence[tuple[float, float, float]], fit: Fit) -> Fit:
    """The costs around an empty model, both by the factor that the runs ask for."""
    expected = sum(weight * (fit.per_request_s + x * fit.per_batch_s) for x, _, weight in rows)
    seen = sum(weight * y for _, y, weight in rows)
    factor = seen / expected if expected > 0 else 1.0
    if not SCALE_MIN <= factor <= SCALE_MAX:
        return fit
    return Fit(factor * fit.per_request_s, factor * fit.per_batch_s, fit.separate, fit.requests)
