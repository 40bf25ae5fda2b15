"""Ties the confirmation of a plan to the twin's request world: one situation, every request played."""

from __future__ import annotations

import math
from dataclasses import replace

from tonnage.plan.ask import Ask
from tonnage.plan.confirm import Observed, Simulate, Trial
from tonnage.plan.replica import QueueModel, ReplicaModel
from tonnage.traffic import PoissonArrivals
from tonnage.twin.inputs.serving import ServingFacts, server_model
from tonnage.twin.requests import Balancing, RequestConfig, RequestWorld, plan_of


def simulate_with(ask: Ask, model: ReplicaModel) -> Simulate | None:
    """A function that plays a situation in the twin; None where the profile has no service times to play.

    Deadlines are left out: a late answer counts as late here and not as a refusal, as the objective does.
    """
    if not isinstance(model, QueueModel):
        return None
    facts = ServingFacts(
        behavior=None, service=ask.service, profile=ask.profile, service_time_s=None, cores=ask.cores
    )
    server = replace(server_model(facts), deadline_s=math.inf)
    config = RequestConfig(balancing=Balancing.RANDOM, round_trip_s=model.law.fixed_s)

    def simulate(trial: Trial) -> Observed:
        arrivals = plan_of(PoissonArrivals(trial.rate_per_s, trial.duration_s), seed=trial.seed)
        world = RequestWorld(config, (server,), arrivals, slots_max=trial.replicas, seed=trial.seed)
        for slot in range(trial.replicas):
            world.start(slot)
            world.set_routed(slot, True)
        # what is under way at the end is played out, so that no slow answer is left unseen
        world.advance(trial.duration_s)
        world.advance(trial.duration_s + max(60.0, trial.duration_s))
        series, balance = world.series(), world.balance()
        latencies = (series.quantile_s(percentile / 100) for percentile in trial.percentiles)
        return Observed(
            requests=balance.arrived,
            dropped=balance.arrived - balance.answered,
            latencies_s=tuple(math.inf if latency is None else latency for latency in latencies),
        )

    return simulate
