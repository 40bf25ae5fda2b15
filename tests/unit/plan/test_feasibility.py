"""Refusals agree with sizing, and what is offered instead can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from tonnage.plan.feasibility import Bound, Case, refusals_of
from tonnage.plan.objective import Target
from tonnage.plan.replica import MeasuredBound, sustainable_per_s
from tonnage.plan.sizing import Spread
from tonnage.units import parse_duration


@dataclass(frozen=True)
class Textbook:
    """An M/M/1 replica: every percentile of its latency is known."""

    served_per_s: float = 100.0

    @property
    def capacity_per_s(self) -> float:
        return 0.995 * self.served_per_s

    def latencies_s(self, rate_per_s: float, percentiles: Sequence[float]) -> tuple[float, ...]:
        if rate_per_s > self.capacity_per_s * (1 + 1e-12):
            return tuple(math.inf for _ in percentiles)
        mean_s = 1 / (self.served_per_s - rate_per_s)
        return tuple(-mean_s * math.log(1 - percentile / 100) for percentile in percentiles)


MODEL = Textbook()
cases = st.builds(
    lambda rate, p99, ratio, kind, most: Case(
        model=MODEL,
        rate_per_s=rate,
        targets=(Target(99.0, p99),),
        headroom_ratio=ratio,
        spread=Spread(kind),
        unavailable=0,
        bounds=(Bound("max-replicas", "spec.scaling.maxReplicas", most, "it says so"),) if most else (),
    ),
    st.floats(1.0, 5000.0),
    st.floats(0.01, 5.0),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.sampled_from(["none", "node"]),
    st.sampled_from([0, 1, 2, 5, 20, 100]),
)


def carried(case: Case) -> float:
    return sustainable_per_s(case.model, case.targets)


@given(case=cases)
def test_an_objective_is_refused_exactly_when_its_size_exceeds_a_bound(case):
    sustainable = carried(case)
    refusals = refusals_of(case, sustainable)
    if sustainable <= 0:
        assert [one.code for one in refusals] == ["unloaded-latency"]
    else:
        too_many = case.counts(sustainable).replicas > case.replicas_max
        assert bool(refusals) == too_many


@given(case=cases)
def test_what_is_offered_instead_can_hold(case):
    for refusal in refusals_of(case, carried(case)):
        for one in refusal.alternatives:
            changed = case
            if one.field == "spec.objective.latency":
                text = one.value.removeprefix("{p99: ").removesuffix("}")
                changed = replace(case, targets=(Target(99.0, parse_duration(text).seconds),))
            elif one.field == "spec.objective.requestsPerSecond":
                changed = replace(case, rate_per_s=float(one.value))
            else:
                changed = replace(case, bounds=(replace(case.bounds[0], replicas=int(one.value)),))
            assert refusals_of(changed, carried(changed)) == (), one


@given(case=cases, looser=st.floats(1.0, 20.0))
def test_a_looser_objective_never_needs_more_replicas(case, looser):
    slack = replace(case, targets=(Target(99.0, case.targets[0].latency_s * looser),))
    tight, loose = carried(case), carried(slack)
    assert loose >= tight
    if tight > 0:
        assert slack.counts(loose).replicas <= case.counts(tight).replicas


@given(case=cases, share=st.floats(0.01, 1.0))
def test_less_rate_is_never_refused_where_more_is_not(case, share):
    if not refusals_of(case, carried(case)):
        less = replace(case, rate_per_s=case.rate_per_s * share)
        assert not refusals_of(less, carried(less))


def test_an_unloaded_latency_above_the_target_is_refused_with_the_nearest():
    """M/M/1 at 100/s answers 99% within 46.1 ms when it is idle; 40 ms can never hold."""
    case = Case(MODEL, 1000.0, (Target(99.0, 0.04),), 0.2, Spread("node"), 0)
    (refusal,) = refusals_of(case, carried(case))
    assert refusal.code == "unloaded-latency"
    assert refusal.path == "spec.objective.latency.p99"
    assert refusal.message == "must be at least what a lone request takes: 46.1ms at p99, got 40ms"
    assert [one.value for one in refusal.alternatives] == ["{p99: 48.5ms}", "{p99: 91.7ms}"]


def test_a_batch_delay_that_alone_breaks_the_target_is_named():
    """What the wait for company adds is told from what the model takes."""

    class Waiting(Textbook):
        def latencies_s(self, rate_per_s: float, percentiles: Sequence[float]) -> tuple[float, ...]:
            return tuple(one + 0.02 for one in Textbook.latencies_s(self, rate_per_s, percentiles))

    case = Case(Waiting(), 1000.0, (Target(99.0, 0.05),), 0.2, Spread("node"), 0, wait_max_s=0.02)
    (refusal,) = refusals_of(case, carried(case))
    assert refusal.code == "batch-delay"
    assert refusal.message == (
        "must leave time for the batch delay: a lone request waits 20ms for company (batching.waitMax) "
        "and is answered after 66.1ms, got 50ms"
    )
    assert refusal.alternatives[0].field == "spec.batching.waitMax"


def test_a_bound_is_named_with_what_sets_it():
    """The message has the count that is needed, the one that there may be, and why."""
    bound = Bound("quota", "ResourceQuota/team", 4, "it leaves 4 GPUs, and a replica takes 1")
    case = Case(MODEL, 500.0, (Target(99.0, 0.1),), 0.0, Spread("none"), 0, bounds=(bound,))
    (refusal,) = refusals_of(case, carried(case))
    assert (refusal.code, refusal.path) == ("quota", "ResourceQuota/team")
    assert refusal.message == (
        "must allow 10 replicas for 500 requests/s, got 4: it leaves 4 GPUs, and a replica takes 1"
    )
    assert [one.field for one in refusal.alternatives] == [
        "ResourceQuota/team",
        "spec.objective.requestsPerSecond",
    ]


def test_no_room_for_one_replica_is_refused():
    """A cluster where not even one replica fits has no plan."""
    case = Case(
        MODEL,
        10.0,
        (Target(99.0, 1.0),),
        0.0,
        Spread("none"),
        0,
        bounds=(Bound("stock", "--nodes", 0, "full"),),
    )
    (refusal,) = refusals_of(case, carried(case))
    assert (refusal.code, refusal.message) == ("no-node", "must have room for one replica, got none: full")


def test_a_single_zone_is_refused_when_a_zone_is_to_be_lost():
    """There is nowhere to go, and the way out is not to ask for it."""
    case = Case(MODEL, 10.0, (Target(99.0, 1.0),), 0.0, Spread("zone", domains=1), 0)
    (refusal,) = refusals_of(case, carried(case))
    assert refusal.code == "spread"
    assert refusal.alternatives[0].field == "--survive"


def test_an_objective_that_measuring_found_at_no_rate_is_refused():
    """The model may say what it likes: the real server did not hold it."""
    measured = MeasuredBound(0.0, 99.0, 0.1)
    case = Case(MODEL, 10.0, (Target(99.0, 0.1),), 0.0, Spread("none"), 0, measured=measured)
    (refusal,) = refusals_of(case, 0.0)
    assert refusal.code == "measured"
    assert refusal.message == "must hold at some rate: measuring found none at which p99 <= 100ms held"
