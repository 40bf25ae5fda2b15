"""One open-loop run at one rate, and what it says.

The verdict counts requests, so that what was refused or never answered is not left out: see ``objective``.
Figures of concurrency come from the times at which each request was sent and answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tonnage.loadgen import LoadResult, Records
from tonnage.loadgen.outcome import GIVEN_UP
from tonnage.loadgen.view import show_duration
from tonnage.profile.load_parts import CurvePoint, InFlight, Objective
from tonnage.profile.part import Distribution
from tonnage.profile.quantiles import percentile_name
from tonnage.profile.running import Counters
from tonnage.profile.search import Verdict

SAMPLES_SUMMED_MAX: Final = 200_000
"""Latencies of one run that are summarised; more are thinned evenly, in order of length."""
RISE_MAX: Final = 0.5
"""Rise of the median latency within a run, over the objective's, that shows a queue that grows: such a rate
holds only because the run ends before the queue is too long."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether an objective held in one run.

    Attributes:
        verdict: As the search knows it.
        reason: Why it did not hold.
    """

    verdict: Verdict
    reason: str = ""


def judge_run(records: Records, result: LoadResult, objective: Objective) -> Judgement:
    """Hold a run against an objective.

    When the generator was late, the run counts against the server only if requests took too long from the
    moment that they were really taken up; otherwise it says nothing about the server.

    Args:
        records: Every request.
        result: What the generator says of itself.
        objective: What must hold.
    """
    if not records.requests:
        return Judgement("held")
    good = _good(records)
    if _percentile(records.latency_s, good, objective.percentile) <= objective.latency_s:
        rise_s = _rise_s(records, good)
        if rise_s <= RISE_MAX * objective.latency_s:
            return Judgement("held")
        return Judgement("failed", f"latency rose by {show_duration(rise_s)} in {result.duration_s:.3g} s")
    lag = result.generator_lag
    from_start_s = records.done_s - records.dispatched_s
    if not lag.kept_up and _percentile(from_start_s, good, objective.percentile) <= objective.latency_s:
        late = f"the load generator was {show_duration(lag.lag.p99_s)} late at p99"
        return Judgement("generator_limited", late)
    failed = float((~good).mean())
    name = percentile_name(objective.percentile)
    if failed > 1 - objective.percentile / 100:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in result.outcomes.items() if kind != "http_200")
        return Judgement("failed", f"{failed:.1%} of the requests failed ({kinds})")
    found_s = _percentile(records.latency_s, good, objective.percentile)
    return Judgement("failed", f"{name} was {show_duration(found_s)}")


def _good(records: Records) -> npt.NDArray[np.bool_]:
    return (records.status >= 200) & (records.status < 300)


def _rise_s(records: Records, good: npt.NDArray[np.bool_]) -> float:
    """How much the median latency rose from the first fifth of the requests to the last [s]."""
    latency_s = records.latency_s[good]
    fifth = latency_s.size // 5
    if not fifth:
        return 0.0
    return float(np.median(latency_s[-fifth:]) - np.median(latency_s[:fifth]))


def _percentile(latency_s: Floats, good: npt.NDArray[np.bool_], percentile: float) -> float:
    """By nearest rank over all requests, of which those that failed took for ever [s]."""
    ordered = np.sort(np.where(good, latency_s, np.inf))
    rank = max(1, int(np.ceil(round(percentile / 100 * ordered.size, 6))))
    return float(ordered[rank - 1])


def in_flight(sent_s: Floats, done_s: Floats, duration_s: float) -> InFlight:
    """Requests between their send and their end, over the time of a run.

    Args:
        sent_s: When each was sent [s]; NaN when it never was.
        done_s: When each ended [s], >= its ``sent_s``.
        duration_s: Length of the run [s], > 0; time after it is left out.
    """
    was_sent = np.isfinite(sent_s)
    starts = np.clip(sent_s[was_sent], 0.0, duration_s)
    ends = np.clip(done_s[was_sent], 0.0, duration_s)
    times = np.concatenate([[0.0], starts, ends])
    steps = np.concatenate([[0.0], np.ones(starts.size), -np.ones(ends.size)])
    # at one time ends count before starts, so that back-to-back requests are one in flight
    order = np.lexsort((steps, times))
    levels = np.cumsum(steps[order])
    held_s = np.diff(np.append(times[order], duration_s))
    levels, held_s = levels[held_s > 0], held_s[held_s > 0]
    by_level = np.argsort(levels, kind="stable")
    reached_s = np.cumsum(held_s[by_level])
    rank = min(int(np.searchsorted(reached_s, 0.99 * duration_s)), levels.size - 1)
    return InFlight(
        mean=max(0.0, float((levels * held_s).sum() / duration_s)),
        p99=float(levels[by_level][rank]),
        max=float(levels.max()),
    )


def curve_point(
    *,
    purpose: Literal["search", "confirm", "curve"],
    rate_per_s: float,
    records: Records,
    result: LoadResult,
    before: Counters,
    after: Counters,
    judgement: Judgement,
) -> CurvePoint | None:
    """What a run adds to the curve; None when no request was answered or given up, so there is no latency.

    Args:
        purpose: Why it was made.
        rate_per_s: What was offered [1/s].
        records: Every request.
        result: The generator's summary.
        before: The server's counters before the run.
        after: ... and when it had answered everything.
        judgement: Whether the objective held.
    """
    counted = _good(records) | np.isin(records.status, GIVEN_UP)
    if not counted.any():
        return None
    ordered = np.sort(records.latency_s[counted])
    step = -(-ordered.size // SAMPLES_SUMMED_MAX)
    elapsed_s = after.at_s - before.at_s
    batches, items = after.batches - before.batches, after.items - before.items
    known = judgement.verdict != "generator_limited"
    return CurvePoint(
        purpose=purpose,
        rate_per_s=rate_per_s,
        achieved_per_s=result.achieved_per_s,
        requests=records.requests,
        duration_s=result.duration_s,
        latency_s=Distribution.of(ordered[::step].tolist()).model_copy(update={"count": int(ordered.size)}),
        error_ratio=float((~_good(records)).mean()),
        in_flight=in_flight(records.sent_s, records.done_s, result.duration_s),
        cpu_ratio=(after.cpu_s - before.cpu_s) / elapsed_s,
        batch_size_mean=items / batches if batches else None,
        batches=int(batches),
        compute_s=after.compute_s - before.compute_s,
        held=judgement.verdict == "held" if known else None,
        reason=judgement.reason,
    )
