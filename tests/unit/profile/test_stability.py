"""Whether figures can be believed: each comparison, its limit and its sentence."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.profile.load_parts import CurvePoint
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Stability, Startup
from tonnage.profile.stability import RATIO_MAX, SHORT_BATCH_S, drift, judge, spread

MS = 1e-3
US = 1e-6
NEXT = "close what else runs, or repeat on a calmer machine"


def times(p50: float, *, wide: float = 0.0, count: int | None = 100) -> Distribution:
    """A distribution whose middle half is ``wide`` times its median."""
    low, high = p50 * (1 - wide / 2), p50 * (1 + wide / 2)
    return Distribution(count=count, mean=p50, quantiles={"p25": low, "p50": p50, "p75": high})


def batch(size: int, p50: float = 10 * MS, *, wide: float = 0.0, thirds: tuple[float, ...] = ()) -> Batch:
    return Batch(size=size, steady_s=times(p50, wide=wide), thirds_s=tuple(p50 * third for third in thirds))


def startup(load: Distribution) -> Startup:
    other = times(1.0)
    return Startup(process_s=other, load_s=load, first_batch_s=other, warmup_s=other, ready_s=other)


def point(
    purpose: Literal["search", "confirm", "curve"], rate: float, p50: float, held: bool | None = True
) -> CurvePoint:
    return CurvePoint(
        purpose=purpose,
        rate_per_s=rate,
        achieved_per_s=rate,
        latency_s=times(p50),
        error_ratio=0,
        held=held,
    )


def judged(
    *batches: Batch,
    load: Distribution | None = None,
    curve: tuple[CurvePoint, ...] = (),
    steal: float | None = None,
    others: float | None = None,
    lag: float | None = None,
) -> Stability:
    return judge(
        batches=batches,
        startup=None if load is None else startup(load),
        curve=curve,
        steal_ratio=steal,
        others_ratio=others,
        clock_lag_p99_s=lag,
    )


def test_drift_is_the_range_over_the_median() -> None:
    """Thirds of 10, 11 and 12 drift by 2/11; fewer than two do not drift."""
    assert drift([10, 12, 11]) == pytest.approx(2 / 11)
    assert drift([10]) == 0
    assert drift([]) == 0


def test_spread_is_the_middle_half_over_the_median() -> None:
    """Quartiles 8, 10 and 13 spread by half; without them there is no spread to tell."""
    assert spread({"p25": 8, "p50": 10, "p75": 13, "p99": 1000}) == 0.5
    assert spread({"p50": 10, "p99": 1000}) == 0
    assert spread({}) == 0


@given(st.lists(st.floats(0, allow_infinity=False), max_size=5))
def test_drift_is_always_a_number_that_a_document_holds(thirds: list[float]) -> None:
    """Drift is finite and not negative, and 0 when all thirds agree."""
    value = drift(thirds)
    assert 0 <= value <= RATIO_MAX
    if len(set(thirds)) <= 1:
        assert value == 0


@given(st.lists(st.floats(0, allow_infinity=False), min_size=3, max_size=3).map(sorted))
def test_spread_is_always_a_number_that_a_document_holds(values: list[float]) -> None:
    """Spread is finite and not negative, even around a median of 0."""
    value = spread(dict(zip(("p25", "p50", "p75"), values, strict=True)))
    assert 0 <= value <= RATIO_MAX


@given(st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=5), st.floats(1e-3, 1e3))
def test_drift_knows_no_unit_and_no_order(thirds: list[float], scale: float) -> None:
    """Drift is the same in any unit and for thirds in any order."""
    turned = [third * scale for third in reversed(thirds)]
    assert drift(turned) == pytest.approx(drift(thirds), rel=1e-6, abs=1e-12)


def test_a_calm_measurement_is_stable() -> None:
    """When every comparison holds, all are listed and none is a reason."""
    found = judged(
        batch(1, wide=0.1, thirds=(1, 1.02, 1.01)),
        batch(8, wide=0.2, thirds=(1, 1, 1.05)),
        load=times(0.5, wide=0.3, count=5),
        curve=(point("search", 100, 10 * MS), point("confirm", 100, 12 * MS)),
        steal=0.001,
        lag=0.0005,
    )
    assert found.stable
    assert found.reasons == ()
    assert [check.name for check in found.checks] == [
        "batch 1: drift of thirds",
        "batch 1: spread of times",
        "batch 8: drift of thirds",
        "batch 8: spread of times",
        "load time: spread",
        "rate 100/s: difference of repeated median latencies",
        "machine: share of CPU time taken by the hypervisor",
        "machine: lateness of timers (p99)",
    ]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            judged(batch(8, thirds=(1, 1, 1.2))),
            "batch 8: drift of thirds is 0.2, above 0.1",
        ),
        (judged(batch(4, wide=0.5)), "batch 4: spread of times is 0.5, above 0.25"),
        (judged(load=times(1.0, wide=0.8)), "load time: spread is 0.8, above 0.5"),
        (
            judged(curve=(point("search", 100, 10 * MS), point("confirm", 100, 40 * MS))),
            "rate 100/s: difference of repeated median latencies is 3, above 0.5",
        ),
        (judged(steal=0.07), "machine: share of CPU time taken by the hypervisor is 0.07, above 0.02"),
        (
            judged(others=0.4),
            "machine: share of the server's CPUs taken by other programs is 0.4, above 0.1",
        ),
        (judged(lag=0.02), "machine: lateness of timers (p99) is 0.02 s, above 0.005 s"),
        (judged(lag=0.0050001), "machine: lateness of timers (p99) is 0.0050001 s, above 0.005 s"),
    ],
)
def test_what_does_not_hold_is_said_with_its_figure(found: Stability, reason: str) -> None:
    """Each comparison beyond its limit gives one sentence: figure, limit and what to do next."""
    assert not found.stable
    assert found.reasons == (f"{reason}; {NEXT}",)
    assert [check.holds for check in found.checks].count(False) == 1


def test_short_batches_get_looser_limits() -> None:
    """What condemns a batch of 1 ms is tolerated below 50 us, where timers are a share of the time."""
    short = judged(batch(1, 20 * US, wide=0.4, thirds=(1, 1, 1.2)))
    long = judged(batch(1, 1 * MS, wide=0.4, thirds=(1, 1, 1.2)))
    assert short.stable
    assert [check.holds for check in long.checks] == [False, False]
    assert not judged(batch(1, 20 * US, wide=0.6)).stable
    assert not judged(batch(1, 20 * US, thirds=(1, 1, 1.3))).stable


def test_the_50_us_limit_itself_is_not_short() -> None:
    """A batch of exactly 50 us is judged as any other."""
    assert not judged(batch(1, SHORT_BATCH_S, wide=0.4)).stable


def test_what_was_measured_once_makes_no_check() -> None:
    """A single load, no thirds and a mean alone are not compared with anything."""
    alone = Batch(size=1, steady_s=Distribution(mean=1.0), thirds_s=(1.0,))
    found = judged(alone, load=times(1.0, count=1), steal=0.0)
    assert [check.name for check in found.checks] == ["machine: share of CPU time taken by the hypervisor"]


def test_figures_without_any_check_are_not_called_stable() -> None:
    """Where nothing was compared nothing shows that the figures can be believed."""
    found = judged()
    assert not found.stable
    assert found.checks == ()
    assert "nothing can be compared" in found.reasons[0]


@pytest.mark.parametrize(
    "curve",
    [
        (point("search", 100, 1 * MS), point("confirm", 120, 9 * MS)),
        (point("search", 100, 1 * MS), point("curve", 100, 9 * MS)),
        (point("search", 100, 1 * MS), point("confirm", 100, 9 * MS, held=False)),
        (point("search", 100, 9 * MS, held=False), point("confirm", 100, 1 * MS)),
        (point("confirm", 100, 1 * MS), point("confirm", 100, 9 * MS)),
    ],
)
def test_runs_that_are_no_repeat_are_not_compared(curve: tuple[CurvePoint, ...]) -> None:
    """Other rates, other purposes and overloaded runs say nothing about repeatability."""
    assert judged(curve=curve).checks == ()


def test_a_confirmation_is_compared_with_the_nearest_search() -> None:
    """Of several runs within 5% of its rate, the nearest one counts."""
    near = point("search", 99, 10 * MS)
    found = judged(curve=(point("search", 96, 1 * MS), near, point("confirm", 100, 11 * MS)))
    assert [check.value for check in found.checks] == pytest.approx([0.1])


figures = st.floats(0, 1e3)


@given(
    st.lists(st.tuples(figures, st.floats(0, 2), st.lists(st.floats(0, 3), max_size=3)), max_size=4),
    st.none() | figures,
    st.none() | figures,
)
def test_stable_says_what_the_checks_say(
    rows: list[tuple[float, float, list[float]]], steal: float | None, lag: float | None
) -> None:
    """Stable means at least one check and all within limits; each that is not has one reason."""
    batches = [
        batch(i + 1, p50, wide=wide, thirds=tuple(thirds)) for i, (p50, wide, thirds) in enumerate(rows)
    ]
    found = judged(*batches, steal=steal, lag=lag)
    failing = [check for check in found.checks if not check.holds]
    assert all(check.holds == (check.value <= check.limit) for check in found.checks)
    assert all(math.isfinite(check.value) for check in found.checks)
    assert found.stable == (bool(found.checks) and not failing)
    if found.checks:
        assert [reason.split(" is ")[0] for reason in found.reasons] == [check.name for check in failing]
