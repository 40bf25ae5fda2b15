"""A plan from end to end: numbers, reasons, situations, the document."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_makers import make_profile, make_service

from tonnage.kube.quantity import Quantity
from tonnage.plan import Ask, ServingPlan, make_plan, plan_document
from tonnage.plan.ask import model_of
from tonnage.plan.demand import Demand
from tonnage.plan.objective import Target, targets_of
from tonnage.plan.price import example_prices
from tonnage.plan.replica import CurveModel, measured_bound, sustainable_per_s
from tonnage.plan.stock import Quota, Stock

PROFILE = make_profile()


def planned(rate: float = 1000.0, service=None, **more) -> ServingPlan:
    return make_plan(
        Ask(service=service or make_service(), profile=more.pop("profile", PROFILE), rate_per_s=rate, **more)
    )


def stock(names: str, *, complete: bool = True) -> Stock:
    placed = tuple(names)
    unknown = tuple("" for _ in placed)
    return Stock(placed, unknown, unknown, tuple(None for _ in placed), complete, "0/3 nodes", 3)


def test_a_plan_holds_its_objective_in_every_situation():
    """With all replicas, with head-room used up, and with a node lost."""
    plan = planned(10_000)
    assert plan.feasible
    assert plan.counts is not None
    assert [state.name for state in plan.states] == ["all replicas", "20% more requests", "a node lost"]
    for state in plan.states:
        assert dict(state.latencies_s)[99.0] <= 0.02, state.name
    assert plan.states[2].replicas == plan.counts.replicas - 1


def test_one_replica_less_would_not_hold():
    """The count is the least: without one of them the head-room breaks the objective."""
    plan = planned(10_000, survive="none")
    assert plan.counts is not None
    model = model_of(Ask(service=make_service(), profile=PROFILE, rate_per_s=10_000))
    assert model.latencies_s(12_000 / (plan.counts.replicas - 1), [99.0])[0] > 0.02


def test_every_number_has_a_reason():
    """Each part of the document that is decided here is explained by its path."""
    demand = Demand(60.0, np.array([100.0] * 60 + [2000.0] * 60))
    plan = planned(1000, demand=demand, prices=example_prices())
    document = plan_document(plan)
    paths = {reason.path for reason in plan.reasons}
    assert paths >= {
        "replica.sustainablePerSecond",
        "replica.unloadedSeconds",
        "replicas.serving",
        "replicas.withHeadroom",
        "replicas.withLoss",
        "replicas.count",
        "rollout",
        "scaling.behindSeconds",
        "scaling.minReplicas",
        "scaling.maxReplicas",
        "scaling.meanReplicas",
        "cost.nodes",
        "cost.perMonth",
    }
    for path in paths:
        value = document
        for step in path.split("."):
            assert step in value, path
            value = value[step]
    assert all(reason.because and reason.given for reason in plan.reasons)


def test_a_step_in_the_traffic_sets_minimum_and_maximum():
    """A jump from 100 to 8,000 requests/s outruns scaling, so its replicas must be there before."""
    plan = planned(1000, demand=Demand(60.0, np.array([100.0] * 60 + [8000.0] * 60)))
    assert plan.scaling is not None
    assert plan.scaling.range.lowest == 2
    assert plan.scaling.range.rise == 7
    assert plan.scaling.range.highest == 8
    assert any("above the rate" in remark for remark in plan.remarks)


def test_room_for_no_replica_on_top_takes_one_away():
    """Where the stock is full, a rolling update has one missing, and the rate is still carried."""
    plan = planned(1000, stock=stock("abc"), headroom_ratio=1.0, survive="node")
    full = planned(1000, stock=stock("ab"), headroom_ratio=0.0, survive="node")
    assert plan.rollout is not None
    assert full.rollout is not None
    assert (plan.rollout.max_surge, plan.rollout.max_unavailable) == (1, 0)
    assert (full.rollout.max_surge, full.rollout.max_unavailable) == (0, 1)
    assert full.feasible


def test_a_full_cluster_without_any_slack_is_refused():
    """One node for the one replica: nothing on top, nothing missing, so no update keeps the objective."""
    plan = planned(1000, stock=stock("a"), headroom_ratio=0.0, survive="none")
    assert [refusal.code for refusal in plan.refusals] == ["stock"]


def test_a_quota_bounds_the_replicas():
    """A quota of 4 CPUs is four replicas of one CPU."""
    quota = Quota("team", {"requests.cpu": Quantity.of(4)})
    plan = planned(10_000, quotas=(quota,), each={"cpu": Quantity.of(1)})
    assert [refusal.code for refusal in plan.refusals] == ["quota"]
    assert "ResourceQuota team leaves 4 of requests.cpu, and a replica takes 1" in plan.refusals[0].message


def test_a_refused_plan_says_so_in_its_document():
    """The document of a refused plan has the reason and the nearest objective, and no states."""
    service = make_service(p99="2ms")
    document = plan_document(planned(1000, service))
    assert document["feasible"] is False
    assert document["refusals"][0]["code"] == "unloaded-latency"
    assert document["refusals"][0]["alternatives"][0]["field"] == "spec.objective.latency"
    assert "replicas" not in document


def test_the_same_ask_gives_the_same_document():
    """Planning has no chance in it."""
    assert plan_document(planned(3000)) == plan_document(planned(3000))


def test_packing_leaves_what_a_lost_node_takes():
    """Several replicas share a rented node only as far as they can be missed together."""
    plan = planned(40_000, prices=example_prices(), headroom_ratio=0.2)
    assert plan.counts is not None
    assert plan.cost is not None
    assert plan.cost.packing is not None
    assert plan.cost.packing.per_node > 1
    assert plan.counts.lost == plan.cost.packing.per_node
    assert plan.counts.replicas - plan.counts.lost >= plan.counts.serving


def test_the_servers_own_search_bounds_the_estimate():
    """Where the real server held this objective up to a rate, no more is planned for."""
    capacity = {
        "objective": {"percentile": 99, "latencySeconds": 0.02, "origin": "document"},
        "sustainablePerSecond": 700.0,
    }
    profile = make_profile(capacity=capacity)
    plan = planned(profile=profile)
    assert plan.replica.sustainable_per_s == 700.0
    assert plan.replica.estimated_per_s > 700.0
    looser = planned(service=make_service(p99="30ms"), profile=profile)
    assert looser.replica.measured_per_s is None
    limited = make_profile(capacity=capacity | {"generatorLimited": True})
    assert measured_bound(limited, targets_of(make_service())) is None


def test_a_search_with_other_settings_says_nothing():
    """A capacity that was measured with other batches does not bind, and that is said."""
    capacity = {
        "objective": {"percentile": 99, "latencySeconds": 0.02, "origin": "document"},
        "sustainablePerSecond": 700.0,
    }
    plan = planned(service=make_service(size_max=8), profile=make_profile(capacity=capacity))
    assert plan.replica.measured_per_s is None
    assert "the profile was measured with sizeMax 16, the document says 8" in plan.remarks


def test_workers_that_share_a_gpu_are_doubted():
    """Four processes on one GPU are not four times as fast, and the plan says that it took them to be."""
    more = "  resources: {cpu: 4, memory: 8Gi, gpu: {count: 1}}\n"
    shared = planned(service=make_service(more=more))
    alone = planned(service=make_service(more=more + "  server: {workers: 1}\n"))
    assert any("4 workers share 1 GPU" in remark for remark in shared.remarks)
    assert not any("share" in remark for remark in alone.remarks)


def test_without_a_latency_the_capacity_is_the_limit():
    """An objective of only a rate takes what full batches carry."""
    plan = planned(service=make_service(p99=None))
    assert plan.replica.sustainable_per_s == plan.replica.capacity_per_s
    assert plan.feasible


def point(rate: float, p50: float, p99: float, errors: float = 0.0) -> dict:
    return {
        "purpose": "curve",
        "ratePerSecond": rate,
        "achievedPerSecond": rate,
        "latencySeconds": {"mean": p50, "quantiles": {"p50": p50, "p99": p99}},
        "errorRatio": errors,
    }


def test_a_curve_alone_is_read_off():
    """Without service times, the rate lies on the line between two measured ones."""
    profile = make_profile(
        batches=[],
        curve=[
            point(100, 0.005, 0.010),
            point(200, 0.006, 0.030),
            point(400, 0.009, 0.2),
            point(500, 1, 2, errors=0.1),
        ],
    )
    ask = Ask(service=make_service(), profile=profile, rate_per_s=1000)
    model = model_of(ask)
    assert isinstance(model, CurveModel)
    assert model.capacity_per_s == 400
    assert sustainable_per_s(model, [Target(99.0, 0.02)]) == pytest.approx(150, rel=2e-3)
    assert model.latencies_s(500, [99.0]) == (math.inf,)
    assert model.latencies_s(100, [99.9]) == (math.inf,)
    plan = make_plan(ask)
    assert plan.replica.method == "curve"
    assert plan.feasible


def test_the_estimate_is_shown_beside_what_was_measured():
    """At each measured rate a reader sees by how much the estimate is off."""
    profile = make_profile(curve=[point(500, 0.0045, 0.0080), point(1000, 0.0065, 0.0130)])
    plan = planned(profile=profile)
    assert [round(one.ratio, 1) for one in plan.replica.comparisons] == [1.0, 1.0]
    assert plan.remarks == ()


def test_an_estimate_far_from_what_was_measured_is_said():
    """A reader is told where the model of the queue and the real server disagree."""
    profile = make_profile(curve=[point(500, 0.0045, 0.0080), point(1000, 0.0065, 0.0300)])
    (remark,) = planned(profile=profile).remarks
    assert remark == (
        "at 1 of 2 measured rates the estimate is off by more than a quarter: at 1,000 requests/s p99 was "
        "30ms, the estimate is 12.9ms"
    )


@given(
    low=st.floats(10, 20_000),
    more=st.floats(1.0, 3.0),
    p99_ms=st.sampled_from([5, 10, 20, 50]),
    looser=st.sampled_from([1, 2, 4]),
)
@settings(max_examples=4, deadline=None)
def test_more_rate_or_a_tighter_objective_never_needs_fewer(low, more, p99_ms, looser):
    prices = example_prices()
    tight = make_service(p99=f"{p99_ms}ms")
    loose = make_service(p99=f"{p99_ms * looser}ms")
    first, second = planned(low, tight, prices=prices), planned(low * more, tight, prices=prices)
    third = planned(low, loose, prices=prices)
    assert first.counts is not None
    assert second.counts is not None
    assert third.counts is not None
    assert second.counts.replicas >= first.counts.replicas
    assert third.counts.replicas <= first.counts.replicas


def test_replicas_that_the_twin_asked_for_are_counted():
    """A least count is kept, and named among what the count comes from."""
    ask = Ask(service=make_service(), profile=PROFILE, rate_per_s=1000, least=5)
    plan = make_plan(ask)
    assert plan.counts is not None
    assert plan.counts.replicas == 5
    assert make_plan(replace(ask, least=1)).counts != plan.counts
    count = next(reason for reason in plan.reasons if reason.path == "replicas.count")
    assert ("asked for by the twin", "5") in [(one.name, one.value) for one in count.given]
