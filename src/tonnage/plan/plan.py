"""Makes a plan: sizes the service, judges whether it can be, prices it, and writes down why.

One pass, in the order in which a person would argue: what one replica carries, how many are needed, how
they are updated, what the traffic does, what it costs. Each step returns its part of the plan and the
reasons for its numbers; nothing is looked up again afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tonnage.plan.ask import Ask, bounds_of, following_of, model_of, remarks_of, spread_of
from tonnage.plan.costs import cost_of, packed
from tonnage.plan.demand import range_of
from tonnage.plan.document import (
    Given,
    Reason,
    Refusal,
    Replica,
    Rollout,
    Scaling,
    ServingPlan,
    State,
)
from tonnage.plan.feasibility import HOPELESS, Case, nearest, refusals_of
from tonnage.plan.objective import PERCENTILES, Target, targets_of
from tonnage.plan.price import Packing
from tonnage.plan.reasons import count_reasons, rollout_reasons, scaling_reasons
from tonnage.plan.replica import (
    CurveModel,
    MeasuredBound,
    QueueModel,
    ReplicaModel,
    comparisons,
    measured_bound,
    sustainable_per_s,
)
from tonnage.plan.sizing import Counts, Spread, needed, surge_for
from tonnage.plan.words import duration, percent, rate

_FAR: Final = (0.75, 1.25)
"""Estimate over measurement, outside of which a reader is told."""
_SHOWN: Final = tuple(percentile for _, percentile in PERCENTILES)


@dataclass(frozen=True, slots=True)
class _Sized:
    """What sizing found.

    Attributes:
        counts: Replicas; None where no number of them does.
        rollout: The rolling update; None without counts.
        refusals: Why not.
        scaling: For the traffic; None without.
    """

    counts: Counts | None
    rollout: Rollout | None
    refusals: tuple[Refusal, ...]
    scaling: Scaling | None = None


def make_plan(ask: Ask) -> ServingPlan:
    """Plans a service.

    Args:
        ask: What is asked, what was measured, what there is.

    Returns:
        A plan; ``feasible`` says whether the objective can hold, ``refusals`` why not.

    Raises:
        ValueError: The profile has neither service times nor a usable curve.
    """
    targets = targets_of(ask.service)
    model = model_of(ask)
    bound = _measured(ask, targets)
    replica, reasons = _replica(ask, model, targets, bound)
    case = Case(
        model=model,
        rate_per_s=ask.rate_per_s,
        targets=targets,
        headroom_ratio=ask.headroom_ratio,
        spread=spread_of(ask),
        unavailable=0,
        wait_max_s=ask.wait_max_s,
        bounds=bounds_of(ask),
        measured=bound,
        least=ask.least,
    )
    sized = _sized(ask, case, replica.sustainable_per_s)
    plan = ServingPlan(
        name=ask.service.name,
        profile=f"{ask.profile.metadata.name}, measured {ask.profile.metadata.created}",
        rate_per_s=ask.rate_per_s,
        targets=targets,
        headroom_ratio=ask.headroom_ratio,
        survive=ask.survive,
        replica=replica,
        counts=sized.counts,
        scaling=sized.scaling,
        rollout=sized.rollout,
        gpus=ask.gpus,
        refusals=sized.refusals,
        remarks=(*remarks_of(ask, model), *_doubts(replica)),
    )
    if sized.counts is None or sized.rollout is None:
        return replace(plan, reasons=tuple(reasons))
    fit = packed(ask, sized.counts)
    counts = _on_nodes(sized.counts, fit, case.spread)
    reasons += count_reasons(ask, case.spread, counts, replica.sustainable_per_s, fit)
    reasons += rollout_reasons(ask, counts, sized.rollout)
    reasons += scaling_reasons(ask, sized.scaling)
    if sized.refusals:
        return replace(plan, counts=counts, reasons=tuple(reasons))
    cost, why, remarks = cost_of(ask, counts, sized.scaling)
    return replace(
        plan,
        counts=counts,
        states=_states(ask, model, targets, counts, sized.rollout),
        cost=cost,
        reasons=(*reasons, *why),
        remarks=(*plan.remarks, *remarks),
    )


def _doubts(replica: Replica) -> tuple[str, ...]:
    """Says so where the estimate is far from what was measured at the same rates."""
    off = [one for one in replica.comparisons if not _FAR[0] <= one.ratio <= _FAR[1]]
    if not off:
        return ()
    worst = max(off, key=lambda one: abs(math.log(one.ratio)) if 0 < one.ratio < math.inf else math.inf)
    text = (
        f"at {len(off)} of {len(replica.comparisons)} measured rates the estimate is off by more than a "
        f"quarter: at {rate(worst.rate_per_s)} p{worst.percentile:g} was {duration(worst.measured_s)}, "
        f"the estimate is {duration(worst.estimated_s)}"
    )
    return (text,)


def _on_nodes(counts: Counts, fit: Packing | None, spread: Spread) -> Counts:
    """The counts with what goes with a rented node, where several replicas are put on one."""
    if fit is None or spread.kind != "node" or spread.order:
        return counts
    return replace(counts, lost=min(fit.per_node, counts.replicas - counts.serving))


def _measured(ask: Ask, targets: Sequence[Target]) -> MeasuredBound | None:
    """The profile's own search, where it was made with the settings of the document."""
    settings = ask.profile.settings
    if settings is not None and (settings.workers, settings.size_max) != (ask.workers, ask.size_max):
        return None
    return measured_bound(ask.profile, targets)


def _replica(
    ask: Ask, model: ReplicaModel, targets: Sequence[Target], bound: MeasuredBound | None
) -> tuple[Replica, list[Reason]]:
    estimated = sustainable_per_s(model, targets)
    sustainable = min(estimated, bound.rate_per_s) if bound is not None else estimated
    queue = isinstance(model, QueueModel)
    shown = [target.percentile for target in targets] or list(_SHOWN)
    replica = Replica(
        sustainable_per_s=sustainable,
        estimated_per_s=estimated,
        measured_per_s=bound.rate_per_s if bound is not None else None,
        capacity_per_s=model.capacity_per_s,
        method="queue" if queue else "curve",
        unloaded_s=tuple(zip(shown, model.latencies_s(0.0, shown), strict=True)),
        batch_size_max=model.law.size_max if isinstance(model, QueueModel) else None,
        workers=ask.workers,
        comparisons=comparisons(ask.profile, model, shown[-1]),
    )
    origin = "profile: batches and overhead" if queue else "profile: curve"
    given = [
        Given(f"target {one.name}", duration(one.latency_s), "spec.objective.latency") for one in targets
    ]
    given.append(Given("capacity with full batches", rate(replica.capacity_per_s), origin))
    if isinstance(model, QueueModel):
        given.append(Given("items gathered into a batch", str(model.law.size_max), "gatherMax or warm-up"))
        given.append(Given("workers, each with its own queue", str(ask.workers), "workers or CPU limit"))
    if bound is not None:
        goal = f"p{bound.percentile:g} <= {duration(bound.latency_s)}"
        given.append(Given(f"measured to hold {goal} up to", rate(bound.rate_per_s), "profile: capacity"))
    how = (
        "the highest rate at which the solved batch queue holds every target"
        if queue
        else "the highest rate at which the measured curve holds every target"
    )
    if bound is not None and bound.rate_per_s < estimated:
        how = "the highest rate at which measuring held an objective no stricter; the estimate is above it"
    lone = (Given("service time", "a batch of one", origin),)
    unloaded = ", ".join(f"p{p:g} {duration(value)}" for p, value in replica.unloaded_s)
    reasons = [
        Reason("replica.unloadedSeconds", unloaded, "a lone request in an idle replica", lone),
        Reason("replica.sustainablePerSecond", rate(sustainable), how, tuple(given)),
    ]
    return replica, reasons


def _sized(ask: Ask, case: Case, sustainable: float) -> _Sized:
    """Sizes for an update with replicas on top, and again with one missing where nothing fits on top."""
    refusals = refusals_of(case, sustainable)
    if refusals and sustainable <= 0:
        return _Sized(None, None, refusals)
    counts = case.counts(sustainable)
    room = min((bound.replicas for bound in case.bounds if bound.surge_counts), default=None)
    scaling = _scaling(ask, case, sustainable)
    most = max(counts.replicas, scaling.range.highest if scaling is not None else 0)
    spare = None if room is None else max(0, room - most)
    surge, unavailable = surge_for(counts.replicas, spare)
    if not refusals and unavailable:
        case = replace(case, unavailable=unavailable)
        refusals = refusals_of(case, sustainable)
        counts = case.counts(sustainable)
        scaling = _scaling(ask, case, sustainable)
    if not refusals and scaling is not None:
        refusals = _traffic_refusals(case, scaling, sustainable)
    ready = ask.profile.startup.ready_s.at(99) if ask.profile.startup is not None else None
    turns = math.ceil(counts.replicas / max(1, surge + unavailable))
    rollout = Rollout(surge, unavailable, turns * ready if ready is not None else None)
    if any(one.code in HOPELESS for one in refusals):
        return _Sized(None, None, refusals)
    return _Sized(counts, rollout, refusals, scaling)


def _scaling(ask: Ask, case: Case, sustainable: float) -> Scaling | None:
    if ask.demand is None:
        return None
    following, _ = following_of(ask)
    window_s = ask.service.spec.server.latency_window.seconds
    demand = ask.demand
    found = range_of(
        demand,
        following,
        window_s=window_s,
        serving=lambda per_s: needed(per_s, sustainable),
        sized=lambda per_s: replace(case, least=1).counts(sustainable, per_s).replicas,
    )
    windows = sorted({1.0, 10.0, 60.0, window_s, following.behind_s})
    rates = [(f"p{p:g} of {duration(window_s)}", demand.percentile_per_s(p, window_s)) for p in (50, 95, 99)]
    rates += [
        (f"peak of {duration(one)}", demand.peak_per_s(one))
        for one in windows
        if demand.bin_s <= one <= demand.duration_s
    ]
    return Scaling(found, following, window_s, demand.peak_per_s(window_s), tuple(rates))


def _traffic_refusals(case: Case, scaling: Scaling, sustainable: float) -> tuple[Refusal, ...]:
    """Bounds that the highest rate of the traffic does not fit into."""
    highest = scaling.range.highest
    peak = replace(case, rate_per_s=scaling.peak_per_s)
    return tuple(
        Refusal(
            bound.code,
            bound.path,
            f"must allow {highest} replicas for the traffic's peak of {rate(scaling.peak_per_s)} over "
            f"{duration(scaling.window_s)}, got {bound.replicas}: {bound.because}",
            nearest(peak, sustainable),
        )
        for bound in case.bounds
        if highest > bound.replicas
    )


def _states(
    ask: Ask, model: ReplicaModel, targets: Sequence[Target], counts: Counts, rollout: Rollout
) -> tuple[State, ...]:
    shown = sorted({*_SHOWN, *(target.percentile for target in targets)})
    if isinstance(model, CurveModel):
        shown = [one for one in shown if math.isfinite(model.latencies_s(0.0, [one])[0])]
    situations = [("all replicas", counts.replicas, 1.0)]
    if ask.headroom_ratio > 0:
        more = f"{percent(ask.headroom_ratio)} more requests"
        situations.append((more, counts.replicas, 1 + ask.headroom_ratio))
    if counts.lost and counts.replicas > counts.lost:
        situations.append((f"a {ask.survive} lost", counts.replicas - counts.lost, 1.0))
    if rollout.max_unavailable and counts.replicas > rollout.max_unavailable:
        situations.append(("rolling update", counts.replicas - rollout.max_unavailable, 1.0))
    states = []
    for name, replicas, factor in situations:
        each = ask.rate_per_s * factor / replicas
        latencies_s = model.latencies_s(each, shown)
        states.append(State(name, replicas, each, tuple(zip(shown, latencies_s, strict=True))))
    return tuple(states)
