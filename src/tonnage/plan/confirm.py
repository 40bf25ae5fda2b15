"""Has a plan confirmed by a simulation, which is handed in, and adds replicas where it needs more.

Planning does not know the twin: it says which situations must hold and takes what was observed in each.
The estimate is exact for what it models, and the twin plays every request, so that the two differ only
where the twin knows more (an unfilled batch that is held, a bounded queue) or where chance does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from tonnage.plan.ask import Ask
from tonnage.plan.document import Checked, Confirmation, Given, Reason, ServingPlan, State
from tonnage.plan.objective import holds
from tonnage.plan.plan import make_plan
from tonnage.plan.words import duration, number

ADDED_MAX: Final = 5
"""Replicas that are added at most; a twin that asks for more disagrees, and that is what is said."""
REQUESTS: Final = 400_000
"""Requests of one run: a p99 rests on four thousand of them."""
DURATION_S_MIN: Final = 30.0
DURATION_S_MAX: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One situation to be simulated.

    Attributes:
        name: Of the situation.
        replicas: Replicas that serve [>= 1].
        rate_per_s: Poisson arrivals at all of them, each request at one at random [1/s, > 0].
        duration_s: Length [s, > 0].
        percentiles: Latencies that are wanted, each in (0, 100).
        seed: Of all chance [>= 0].
    """

    name: str
    replicas: int
    rate_per_s: float
    duration_s: float
    percentiles: tuple[float, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Observed:
    """What a simulation observed.

    Attributes:
        requests: Requests sent.
        dropped: Requests that were not answered.
        latencies_s: Latency at each percentile of the trial [s], in its order; infinite without answers.
    """

    requests: int
    dropped: int
    latencies_s: tuple[float, ...]


Simulate = Callable[[Trial], Observed]


def confirmed_plan(ask: Ask, simulate: Simulate, *, seed: int) -> ServingPlan:
    """Makes a plan that the simulation confirms, or that says it does not.

    Args:
        ask: What is asked of planning.
        simulate: Plays one situation.
        seed: Of all chance [>= 0].

    Returns:
        The plan with ``confirmation``; a plan that is refused comes back without one.
    """
    plan = make_plan(ask)
    if not plan.feasible or plan.counts is None:
        return plan
    first = plan.counts.replicas
    for added in range(ADDED_MAX + 1):
        assert plan.counts is not None
        runs = tuple(_checked(plan, state, simulate, seed) for state in plan.states)
        confirmation = Confirmation(runs, seed, added)
        if confirmation.held or added == ADDED_MAX:
            return _with(plan, confirmation)
        more = make_plan(replace(ask, least=first + added + 1))
        if not more.feasible:
            return _with(plan, confirmation)
        plan = more
    raise AssertionError("unreachable: the last round returns")


def _checked(plan: ServingPlan, state: State, simulate: Simulate, seed: int) -> Checked:
    percentiles = tuple(percentile for percentile, _ in state.latencies_s)
    total_per_s = state.rate_per_s * state.replicas
    duration_s = min(max(REQUESTS / total_per_s, DURATION_S_MIN), DURATION_S_MAX)
    trial = Trial(state.name, state.replicas, total_per_s, duration_s, percentiles, seed)
    observed = simulate(trial)
    latencies = dict(zip(percentiles, observed.latencies_s, strict=True))
    held = holds(plan.targets, [latencies[target.percentile] for target in plan.targets])
    return Checked(
        name=state.name,
        replicas=state.replicas,
        rate_per_s=total_per_s,
        requests=observed.requests,
        latencies_s=tuple(latencies.items()),
        dropped=observed.dropped,
        estimated_s=state.latencies_s,
        held=held and observed.dropped == 0 and observed.requests > 0,
    )


def _with(plan: ServingPlan, confirmation: Confirmation) -> ServingPlan:
    given = []
    for run in confirmation.runs:
        percentile, latency_s = run.latencies_s[-1]
        estimate_s = dict(run.estimated_s)[percentile]
        given.append(
            Given(
                f"{run.name}, {run.replicas} replicas",
                f"p{percentile:g} {duration(latency_s)}, {number(run.dropped)} dropped",
                f"twin, {number(run.requests)} requests; estimate {duration(estimate_s)}",
            )
        )
    if not confirmation.held:
        because = "every request was simulated, and the objective did not hold in every situation"
    elif confirmation.added:
        because = (
            f"every request was simulated; {confirmation.added} more replicas than estimated were needed"
        )
    else:
        because = "every request of each situation was simulated, and the objective held"
    value = "held" if confirmation.held else "not held"
    reason = Reason("confirmation", value, because, tuple(given))
    remarks = plan.remarks
    if not confirmation.held:
        remarks = (*remarks, "the twin does not confirm this plan: do not deploy it as it is")
    return replace(plan, confirmation=confirmation, reasons=(*plan.reasons, reason), remarks=remarks)
