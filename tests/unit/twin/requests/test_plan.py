"""Each process is played in the cheapest form that is still exact."""

from __future__ import annotations

import numpy as np
import pytest

from tonnage.errors import SpecError
from tonnage.traffic import (
    ConstantArrivals,
    CountArrivals,
    CountTrace,
    DiurnalArrivals,
    FlashArrivals,
    MmppArrivals,
    PoissonArrivals,
    TimestampTrace,
    added,
    arrivals_of,
    clipped,
)
from tonnage.twin.requests import (
    ArrivalPlan,
    ParametricService,
    RequestConfig,
    RequestWorld,
    ServerModel,
    plan_of,
)

pytestmark = pytest.mark.timeout(600)  # the first test compiles the kernel

QUICK = ServerModel(service=ParametricService(item_s=1e-9), size_max=1)


def played(plan: ArrivalPlan, *, interval_s: float = 1.0, seed: int = 0) -> RequestWorld:
    """One idle pod of no service time to speak of; its batches start at the arrivals."""
    config = RequestConfig(interval_s=interval_s, batch_log_max=200_000)
    world = RequestWorld(config, (QUICK,), plan, slots_max=1, seed=seed)
    world.start(0)
    world.set_routed(0, True)
    world.advance(plan.duration_s + 1.0)
    return world


def starts(world: RequestWorld) -> np.ndarray:
    return np.array([line.start_s for line in world.batch_log()])


TRACE = CountArrivals(CountTrace(2.0, np.array([3.0, 0.5, 7.0])))


@pytest.mark.parametrize(
    ("process", "kind"),
    [
        (PoissonArrivals(10, 60), "rates"),
        (DiurnalArrivals(10, 15, 60, period_s=60), "rates"),
        (FlashArrivals(1, 10, 60, at_s=10), "rates"),
        (MmppArrivals((1, 10), (5, 5), 60), "rates"),
        (added((PoissonArrivals(10, 60), FlashArrivals(1, 10, 60, at_s=10))), "rates"),
        (clipped(PoissonArrivals(10, 60), duration_s=20), "rates"),
        (TRACE, "counts-poisson"),
        (CountArrivals(TRACE.trace, "constant"), "counts-even"),
        (ConstantArrivals(10, 60), "counts-even"),
        (arrivals_of(TimestampTrace(np.array([0.0, 1.0]), 1.0)), "times"),
        (added((TRACE, PoissonArrivals(10, 60))), "times"),
    ],
)
def test_every_process_has_a_form(process, kind):
    """Paths become rates, traces counts, and only what is neither comes as single times."""
    plan = plan_of(process, seed=1)
    assert plan.kind == kind
    assert plan.duration_s == process.duration_s
    world = played(plan)
    assert world.balance().answered == world.balance().arrived
    arrived = world.balance().arrived
    if kind.startswith("counts"):
        assert arrived == process.requests_expected
    elif not isinstance(process, MmppArrivals):
        assert arrived == pytest.approx(process.requests_expected, abs=5 * process.requests_expected**0.5)


def test_even_arrivals_are_where_the_process_puts_them():
    """A constant rate in the kernel gives the process' own times, to the last bit but one."""
    process = ConstantArrivals(7.0, 5.0)
    expected = np.concatenate(list(process.chunks(np.random.default_rng(0))))
    assert starts(played(plan_of(process, seed=0))) == pytest.approx(expected, rel=1e-14)


def test_evenly_filled_bins_are_as_in_the_load_generator():
    """Bins of a trace with even spacing have the same times in the kernel as over the wire."""
    process = CountArrivals(TRACE.trace, "constant")
    expected = np.concatenate(list(process.chunks(np.random.default_rng(0))))
    assert starts(played(plan_of(process, seed=0))) == pytest.approx(expected, rel=1e-14)


def test_a_clipped_process_ends_at_its_end():
    """Nothing arrives at or after the end, and the start is that of the whole."""
    whole = starts(played(plan_of(PoissonArrivals(50, 60), seed=3)))
    part = starts(played(plan_of(clipped(PoissonArrivals(50, 60), duration_s=20), seed=3)))
    assert part.tolist() == whole[whole < 20].tolist()


def test_gaps_along_a_path_are_exponential():
    """Through two rates and a silence, gaps have the mean of their rate, and none falls into the silence."""
    process = added((FlashArrivals(0, 1000, 40, at_s=0, hold_s=20), FlashArrivals(0, 3000, 40, at_s=30, hold_s=10)))
    times = starts(played(plan_of(process, seed=0)))
    assert not np.any((times > 20) & (times < 30))
    for low, high, rate in ((0, 20, 1000), (30, 40, 3000)):
        gaps = np.diff(times[(times > low) & (times < high)])
        assert gaps.mean() * rate == pytest.approx(1, abs=4 / gaps.size**0.5)
        assert gaps.std() * rate == pytest.approx(1, abs=8 / gaps.size**0.5)


def test_arrivals_in_a_bin_are_uniform():
    """A bin with a known count fills it evenly: the mean place is the middle, at the variance of a twelfth."""
    process = CountArrivals(CountTrace(10.0, np.array([40_000.0])))
    times = starts(played(plan_of(process, seed=0))) / 10
    assert times.size == 40_000
    assert times.mean() == pytest.approx(0.5, abs=0.006)
    assert times.var() == pytest.approx(1 / 12, abs=0.002)
    assert np.all(np.diff(times) >= 0)


def test_the_seed_of_the_plan_decides_bursts():
    """Bursts come from the plan's seed, the arrivals in them from the world's."""
    process = MmppArrivals((1, 100), (5, 5), 60)
    one, two, other = (plan_of(process, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.values, two.values)
    assert one.edges_s.size != other.edges_s.size or not np.array_equal(one.edges_s, other.edges_s)


def test_what_cannot_be_is_refused():
    """Segments must ascend, and rates be numbers >= 0."""
    with pytest.raises(SpecError, match="edges_s: must be ascending and >= 0"):
        ArrivalPlan("rates", np.array([0.0, 0.0]), np.array([1.0]), 1.0, 1.0)
    with pytest.raises(SpecError, match="values: must be finite and >= 0"):
        ArrivalPlan("rates", np.array([0.0, 1.0]), np.array([-1.0]), 1.0, 1.0)
