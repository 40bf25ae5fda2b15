"""A simulation confirms a plan, or makes it larger, or is told apart from it."""

from __future__ import annotations

import pytest
from plan_makers import make_profile, make_service

from tonnage.plan import Ask, plan_document
from tonnage.plan.confirm import ADDED_MAX, Observed, Trial, confirmed_plan

SERVICE, PROFILE = make_service(), make_profile()


class Fake:
    """A simulation in which each replica carries so much at a flat latency, and drops the rest.

    Args:
        each_per_s: What a replica carries.
        latency_s: Latency of what is answered.
    """

    def __init__(self, each_per_s: float, latency_s: float = 0.01) -> None:
        self.each_per_s = each_per_s
        self.latency_s = latency_s
        self.trials: list[Trial] = []

    def __call__(self, trial: Trial) -> Observed:
        self.trials.append(trial)
        requests = round(trial.rate_per_s * trial.duration_s)
        over = max(0.0, 1 - trial.replicas * self.each_per_s / trial.rate_per_s)
        return Observed(requests, round(requests * over), tuple(self.latency_s for _ in trial.percentiles))


def ask(rate: float = 4000) -> Ask:
    return Ask(service=SERVICE, profile=PROFILE, rate_per_s=rate)


def test_a_plan_that_the_simulation_holds_is_confirmed():
    """Each situation is simulated once, with its rate and its replicas."""
    fake = Fake(each_per_s=2000)
    plan = confirmed_plan(ask(), fake, seed=7)
    assert plan.confirmation is not None
    assert plan.confirmation.held
    assert plan.confirmation.added == 0
    assert [(t.name, t.replicas) for t in fake.trials] == [(s.name, s.replicas) for s in plan.states]
    assert {t.seed for t in fake.trials} == {7}
    assert [round(t.rate_per_s) for t in fake.trials] == [4000, 4800, 4000]
    assert plan.reasons[-1].value == "held"


def test_replicas_are_added_until_the_simulation_holds():
    """A replica that carries less than estimated needs more of them, and the plan says so."""
    plan = confirmed_plan(ask(), Fake(each_per_s=900), seed=0)
    assert plan.confirmation is not None
    assert plan.counts is not None
    assert plan.confirmation.held
    assert plan.confirmation.added == 1
    assert plan.counts.replicas == 6
    assert "1 more replicas than estimated" in plan.reasons[-1].because


def test_a_simulation_that_disagrees_for_good_is_said():
    """After a few more replicas the disagreement is reported and not hidden in a number."""
    plan = confirmed_plan(ask(), Fake(each_per_s=100), seed=0)
    assert plan.confirmation is not None
    assert not plan.confirmation.held
    assert plan.confirmation.added == ADDED_MAX
    assert plan.reasons[-1].value == "not held"
    assert "does not confirm" in plan.remarks[-1]


@pytest.mark.parametrize(("latency_s", "held"), [(0.02, True), (0.0201, False)])
def test_the_targets_are_judged(latency_s, held):
    """A latency at its target holds, above it it does not."""
    plan = confirmed_plan(ask(), Fake(each_per_s=9000, latency_s=latency_s), seed=0)
    assert plan.confirmation is not None
    assert plan.confirmation.held is held


def test_a_refused_plan_is_not_simulated():
    """What cannot hold is not tried."""
    fake = Fake(each_per_s=1000)
    plan = confirmed_plan(
        Ask(service=make_service(p99="1ms"), profile=PROFILE, rate_per_s=1000), fake, seed=0
    )
    assert plan.confirmation is None
    assert fake.trials == []


def test_the_document_has_the_runs():
    """Each run stands beside its estimate."""
    document = plan_document(confirmed_plan(ask(), Fake(each_per_s=2000), seed=0))
    runs = document["confirmation"]["runs"]
    assert [run["situation"] for run in runs] == [one["situation"] for one in document["estimate"]]
    assert runs[0]["latencySeconds"]["p99"] == 0.01
    assert runs[0]["estimatedSeconds"] == document["estimate"][0]["latencySeconds"]
