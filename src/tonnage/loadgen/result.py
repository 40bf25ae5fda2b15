"""What a run says about the server, and whether the generator itself can be believed.

Percentiles are order statistics of all latencies, not estimates from buckets. The main latency is
taken from the intended time, over successes and over requests that timed out: those have waited at
least their timeout, and leaving them out would make a stalled server look fast. Fast failures, such
as a 503, are left out of it and counted by kind.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tonnage.loadgen.engine import succeeded
from tonnage.loadgen.outcome import GIVEN_UP, outcome_name
from tonnage.loadgen.plan import LoadPlan
from tonnage.loadgen.records import FloatArray, Records

LAG_TOLERATED_S = 0.001
"""A 99th percentile of the generator's own lag below this is never worth a warning."""

LAG_TOLERATED_RATIO = 0.1
"""Above ``LAG_TOLERATED_S``, the share of the latency's 99th percentile that may be our own lag."""

_QUANTILES = (0.5, 0.9, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Exact percentiles of some durations [s]; all NaN when there are none.

    Attributes:
        count: How many durations.
        p50_s: Median.
        p90_s: 90th percentile.
        p95_s: 95th percentile.
        p99_s: 99th percentile.
        p99_9_s: 99.9th percentile.
        max_s: Largest.
        mean_s: Arithmetic mean.
    """

    count: int
    p50_s: float
    p90_s: float
    p95_s: float
    p99_s: float
    p99_9_s: float
    max_s: float
    mean_s: float


@dataclass(frozen=True, slots=True)
class GeneratorLag:
    """How late the generator itself took arrivals up.

    Attributes:
        lag: Distribution of the lateness [s].
        late: Arrivals taken up more than 1 ms late.
        cpu_ratio: CPU time over elapsed time of the busiest generator process; 1 is a full core.
        kept_up: Whether the latencies can be believed.
        message: What is wrong and what to do, or empty.
    """

    lag: Distribution
    late: int
    cpu_ratio: float
    kept_up: bool
    message: str


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a run, by intended time.

    Attributes:
        second: Its start [s].
        offered: Requests intended in it.
        sent: Requests written in it.
        completed: Successes that ended in it.
        failures: Requests intended in it that did not succeed.
        p50_s: Median latency of those intended in it [s]; NaN without any.
        p99_s: 99th percentile of the same [s].
        max_s: Largest of the same [s].
    """

    second: int
    offered: int
    sent: int
    completed: int
    failures: int
    p50_s: float
    p99_s: float
    max_s: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The outcome of a run.

    Attributes:
        url: Where the load went.
        requests: Arrivals, each with an end.
        succeeded: Those with an expected status.
        duration_s: Length of the arrival process [s].
        elapsed_s: Until the last end, at least ``duration_s`` [s].
        offered_per_s: Arrivals over ``duration_s`` [requests/s].
        achieved_per_s: Successes over ``elapsed_s`` [requests/s].
        outcomes: Requests by outcome, most frequent first.
        latency: From the intended time, successes and timeouts (the main figure).
        latency_from_send: From the actual send, successes only: what a closed loop would see.
        send_delay: From the intended time to the send, of all that were sent.
        generator_lag: Whether the generator kept up.
        connections: Connections at the end, of all processes.
        reconnects: Connections opened beyond those.
        interrupted: Whether the user stopped the run.
        seconds: The run second by second.
        warnings: What a reader should know before believing the rest.
    """

    url: str
    requests: int
    succeeded: int
    duration_s: float
    elapsed_s: float
    offered_per_s: float
    achieved_per_s: float
    outcomes: dict[str, int]
    latency: Distribution
    latency_from_send: Distribution
    send_delay: Distribution
    generator_lag: GeneratorLag
    connections: int
    reconnects: int
    interrupted: bool
    seconds: tuple[Second, ...]
    warnings: tuple[str, ...]

    @property
    def failed(self) -> int:
        """Requests that did not succeed."""
        return self.requests - self.succeeded

    @property
    def error_ratio(self) -> float:
        """Failures over requests, 0 to 1; 0 without requests."""
        return self.failed / self.requests if self.requests else 0.0

    def to_json(self) -> dict[str, Any]:
        """Give plain values for JSON; a NaN becomes None."""
        plain = asdict(self) | {"failed": self.failed, "error_ratio": self.error_ratio}
        cleaned: dict[str, Any] = _without_nan(plain)
        return {"schema": "tonnage.dev/load-result/v1"} | cleaned


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a generator process knows beside its records.

    Attributes:
        cpu_ratio: Its CPU time over elapsed time.
        connections: Its connections at the end.
        opened: Connections it opened in all.
        interrupted: Whether it was stopped.
    """

    cpu_ratio: float
    connections: int
    opened: int
    interrupted: bool


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def distribution(durations_s: FloatArray) -> Distribution:
    """Compute exact percentiles by nearest rank: the q-th is the ceil(q*n)-th smallest."""
    count = int(durations_s.size)
    if count == 0:
        return Distribution(0, *[math.nan] * 7)
    ordered = np.sort(durations_s)
    # Rounded first, since 0.999 * 1000 is a hair above 999 in binary.
    ranks = [max(1, math.ceil(round(quantile * count, 6))) for quantile in _QUANTILES]
    p50_s, p90_s, p95_s, p99_s, p99_9_s = (float(ordered[rank - 1]) for rank in ranks)
    return Distribution(
        count, p50_s, p90_s, p95_s, p99_s, p99_9_s, max_s=float(ordered[-1]), mean_s=float(ordered.mean())
    )


def summarise(records: Records, plan: LoadPlan, facts: list[RunFacts]) -> LoadResult:
    """Compute everything that is said about a run.

    Args:
        records: Every request.
        plan: What was to be done.
        facts: One entry per generator process.
    """
    good = succeeded(records.status, plan.expect_status)
    given_up = np.isin(records.status, GIVEN_UP)
    latency = distribution(records.latency_s[good | given_up])
    interrupted = any(fact.interrupted for fact in facts)
    last_s = float(records.done_s.max()) if records.requests else 0.0
    # An interrupted run offered its load only until it was stopped.
    duration_s = min(plan.arrivals.duration_s, last_s) if interrupted else plan.arrivals.duration_s
    elapsed_s = max(duration_s, last_s)
    wait_s = records.sent_s - records.intended_s
    lag = _generator_lag(records, latency, max(fact.cpu_ratio for fact in facts))
    connections = sum(fact.connections for fact in facts)
    codes, counts = np.unique(records.status, return_counts=True)
    by_count = sorted(zip(counts.tolist(), codes.tolist(), strict=True), key=lambda pair: (-pair[0], pair[1]))
    return LoadResult(
        url=plan.target.url,
        requests=records.requests,
        succeeded=int(good.sum()),
        duration_s=duration_s,
        elapsed_s=elapsed_s,
        offered_per_s=records.requests / duration_s if duration_s else 0.0,
        achieved_per_s=int(good.sum()) / elapsed_s if elapsed_s else 0.0,
        outcomes={outcome_name(code): count for count, code in by_count},
        latency=latency,
        latency_from_send=distribution((records.done_s - records.sent_s)[good]),
        send_delay=distribution(wait_s[np.isfinite(wait_s)]),
        generator_lag=lag,
        connections=connections,
        reconnects=sum(fact.opened for fact in facts) - connections,
        interrupted=interrupted,
        seconds=time_series(records, plan.expect_status),
        warnings=_warnings(records, lag, latency, plan, interrupted=interrupted),
    )


def _generator_lag(records: Records, latency: Distribution, cpu_ratio: float) -> GeneratorLag:
    lag = distribution(records.lag_s)
    tolerated_s = LAG_TOLERATED_S
    if math.isfinite(latency.p99_s):
        tolerated_s = max(tolerated_s, LAG_TOLERATED_RATIO * latency.p99_s)
    kept_up = not lag.p99_s > tolerated_s
    message = ""
    if not kept_up:
        advice = (
            "it used its whole core: share the load with --processes"
            if cpu_ratio > 0.9
            else "something else took its core: give it one of its own"
        )
        message = (
            f"the load generator did not keep up: it took requests up {lag.p99_s * 1e3:.1f} ms late at the "
            f"99th percentile, which is part of the latencies shown; {advice}"
        )
    return GeneratorLag(lag, int((records.lag_s > 0.001).sum()), cpu_ratio, kept_up, message)


def _warnings(
    records: Records, lag: GeneratorLag, latency: Distribution, plan: LoadPlan, *, interrupted: bool
) -> tuple[str, ...]:
    warnings = [lag.message] if lag.message else []
    waited = records.sent_s - records.dispatched_s > 1e-4
    share = float(waited.mean()) if records.requests else 0.0
    if share > 0.01 and plan.keep_alive:  # else each waits for its own, as it does behind a Service
        warnings.append(
            f"{share:.0%} of requests waited for a free connection, so the server never saw more than "
            f"{plan.connections_max} at once; their wait is in the latencies; raise --connections-max "
            "if your users would not share connections"
        )
    given_up = int(np.isin(records.status, GIVEN_UP).sum())
    if given_up:
        warnings.append(
            f"{given_up} of {latency.count} latencies are lower bounds: those requests were given up "
            f"after {plan.timeout_s:g} s"
        )
    if interrupted:
        warnings.append("the run was interrupted; requests still in flight then are left out")
    return tuple(warnings)


def time_series(records: Records, expect_status: frozenset[int]) -> tuple[Second, ...]:
    """Cut a run into seconds of intended time; answers that come later add seconds at the end."""
    if records.requests == 0:
        return ()
    good = succeeded(records.status, expect_status)
    counted = good | np.isin(records.status, GIVEN_UP)
    seconds = int(max(records.intended_s[-1], records.done_s.max())) + 1
    edges = np.searchsorted(records.intended_s, np.arange(seconds + 1)).tolist()
    sent_at = records.sent_s[np.isfinite(records.sent_s)].astype(np.int64)
    sent = np.bincount(sent_at, minlength=seconds).tolist()
    completed = np.bincount(records.done_s[good].astype(np.int64), minlength=seconds).tolist()
    latency_s = records.latency_s
    rows = []
    for second in range(seconds):
        part = slice(edges[second], edges[second + 1])
        durations = distribution(latency_s[part][counted[part]])
        rows.append(
            Second(
                second=second,
                offered=part.stop - part.start,
                sent=sent[second],
                completed=completed[second],
                failures=int(np.count_nonzero(~good[part])),
                p50_s=durations.p50_s,
                p99_s=durations.p99_s,
                max_s=durations.max_s,
            )
        )
    return tuple(rows)
