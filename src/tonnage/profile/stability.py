"""Whether the figures of a profile can be believed: do repeated measurements agree with each other?

A profile is read long after it was measured, when nobody can tell any more what else ran on the machine.
So whatever was measured more than once is compared, and the machine itself is watched. Only what was
measured is judged: a figure that is missing makes no check, rather than one that always holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from tonnage.profile.load_parts import CurvePoint
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Check, Stability, Startup

DRIFT_MAX: Final = 0.10
"""How far the thirds of a measurement may lie apart, over their median."""
SPREAD_MAX: Final = 0.25
"""How wide the middle half of the batch times may be, over their median."""
SHORT_BATCH_S: Final = 50e-6
"""Below this median [s] a batch is short: reading the clock, calling into the runtime and a single timer
interrupt, some microseconds together, are then a share of the batch that no calmer machine takes away."""
SHORT_DRIFT_MAX: Final = 0.25
"""``DRIFT_MAX`` of a short batch."""
SHORT_SPREAD_MAX: Final = 0.50
"""``SPREAD_MAX`` of a short batch."""
LOAD_SPREAD_MAX: Final = 0.50
"""``SPREAD_MAX`` of load times; each is one run of a fresh process, and there are few of them."""
SAME_RATE_RATIO: Final = 0.05
"""Rates that differ by no more, over the higher one, count as one rate."""
REPEAT_MAX: Final = 0.50
"""How far median latencies at one rate may lie apart, over the lower one."""
STEAL_MAX: Final = 0.02
"""Share of CPU time that the hypervisor may take for others."""
OTHERS_MAX: Final = 0.10
"""Share of the server's CPUs that programs which take no part may use."""
CLOCK_LAG_MAX_S: Final = 0.005
"""How late a sleeping process may wake at the 99th percentile [s]."""
RATIO_MAX: Final = 1e6
"""Ratios end here, since a document holds finite numbers only."""

NEXT: Final = "close what else runs, or repeat on a calmer machine"


def drift(thirds_s: Sequence[float]) -> float:
    """How far parts of one measurement lie apart, over their median.

    Args:
        thirds_s: Medians of the parts, each >= 0 [s].

    Returns:
        From 0, when all agree or there are fewer than two, to ``RATIO_MAX``.
    """
    if len(thirds_s) < 2:
        return 0.0
    return _over(max(thirds_s) - min(thirds_s), median(thirds_s))


def spread(quantiles: Mapping[str, float]) -> float:
    """The width of the middle half of a distribution, over its median.

    Args:
        quantiles: By name, as a ``Distribution`` has them, each >= 0.

    Returns:
        From 0 to ``RATIO_MAX``; 0 too where p25, p50 or p75 is missing.

    Source: the interquartile range over the median; it does not move with single outliers.
    """
    if not _has_quartiles(quantiles):
        return 0.0
    return _over(quantiles["p75"] - quantiles["p25"], quantiles["p50"])


def judge(
    *,
    batches: Sequence[Batch],
    startup: Startup | None,
    curve: Sequence[CurvePoint],
    steal_ratio: float | None,
    others_ratio: float | None,
    clock_lag_p99_s: float | None,
) -> Stability:
    """Compares what was measured more than once.

    Args:
        batches: Batches by size; those shorter than ``SHORT_BATCH_S`` get looser limits.
        startup: Start-up times.
        curve: Runs at each rate; a run that confirms is compared with the run of the search nearest in
            rate. Runs that did not hold are left out: when a queue grows, latency grows with the length
            of the run, so that two of them differ on the calmest machine.
        steal_ratio: CPU time that the hypervisor took over all CPU time, >= 0; None where unknown.
        others_ratio: CPU time of the server's CPUs that other programs took over all CPU time, >= 0; None
            where unknown.
        clock_lag_p99_s: 99th percentile of how late a sleeping process woke, >= 0 [s]; None where
            it was not measured.

    Returns:
        All checks, and a sentence for each that does not hold. Without a single check the figures are
        not called stable, since nothing shows that they are.
    """
    checks: list[Check] = []
    reasons: list[str] = []

    def compare(name: str, value: float, limit: float, *, unit: str = "") -> None:
        check = Check(name=name, value=value, limit=limit, holds=value <= limit)
        checks.append(check)
        if not check.holds:
            reasons.append(f"{name} is {_above(value, limit)}{unit}, above {limit:g}{unit}; {NEXT}")

    for batch in batches:
        short = _median_s(batch.steady_s) < SHORT_BATCH_S
        if len(batch.thirds_s) > 1:
            limit = SHORT_DRIFT_MAX if short else DRIFT_MAX
            compare(f"batch {batch.size}: drift of thirds", drift(batch.thirds_s), limit)
        if _repeated(batch.steady_s):
            limit = SHORT_SPREAD_MAX if short else SPREAD_MAX
            compare(f"batch {batch.size}: spread of times", spread(batch.steady_s.quantiles), limit)
    if startup is not None and _repeated(startup.load_s):
        compare("load time: spread", spread(startup.load_s.quantiles), LOAD_SPREAD_MAX)
    for rate_per_s, apart in _repeats(curve):
        compare(f"rate {rate_per_s:.6g}/s: difference of repeated median latencies", apart, REPEAT_MAX)
    if steal_ratio is not None:
        compare("machine: share of CPU time taken by the hypervisor", steal_ratio, STEAL_MAX)
    if others_ratio is not None:
        compare("machine: share of the server's CPUs taken by other programs", others_ratio, OTHERS_MAX)
    if clock_lag_p99_s is not None:
        compare("machine: lateness of timers (p99)", clock_lag_p99_s, CLOCK_LAG_MAX_S, unit=" s")
    if not checks:
        reasons.append("nothing was measured more than once, so nothing can be compared; measure for longer")
    return Stability(stable=not reasons, reasons=tuple(reasons), checks=tuple(checks))


def _repeats(curve: Sequence[CurvePoint]) -> list[tuple[float, float]]:
    """For each confirmation with a search run at its rate: the rate, and how far their medians differ."""
    usable = [point for point in curve if point.held is not False and "p50" in point.latency_s.quantiles]
    searches = [point for point in usable if point.purpose == "search"]
    found: list[tuple[float, float]] = []
    for confirm in usable:
        if confirm.purpose != "confirm":
            continue
        rate = confirm.rate_per_s
        near = min(searches, key=lambda point: abs(point.rate_per_s - rate), default=None)
        if near is None or abs(near.rate_per_s - rate) > SAME_RATE_RATIO * max(near.rate_per_s, rate):
            continue
        low, high = sorted((near.latency_s.quantiles["p50"], confirm.latency_s.quantiles["p50"]))
        found.append((rate, _over(high - low, low)))
    return found


def _repeated(times: Distribution) -> bool:
    return _has_quartiles(times.quantiles) and (times.count is None or times.count > 1)


def _has_quartiles(quantiles: Mapping[str, float]) -> bool:
    return all(name in quantiles for name in ("p25", "p50", "p75"))


def _median_s(times: Distribution) -> float:
    return times.quantiles.get("p50", times.mean)


def _over(difference: float, centre: float) -> float:
    """A ratio that is 0 without a difference, and large but finite over (almost) nothing."""
    if difference == 0:
        return 0.0
    return min(difference / centre, RATIO_MAX) if centre > 0 else RATIO_MAX


def _above(value: float, limit: float) -> str:
    """Three digits of a value, or all where three would make it look like its limit."""
    text = f"{value:.3g}"
    return text if float(text) > limit else repr(value)
