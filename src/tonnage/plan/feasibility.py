"""Whether an objective can hold at all, and if not, the nearest one that can.

Some objectives hold with no number of replicas: the model alone takes longer than the target, or a batch
is held back for longer. Others need more replicas than there may be: the document's maximum, the room on the
nodes, a quota. Each is refused with what is in the way. The nearest objective keeps one half and gives
way in the other: the rate with the least latency that holds, and the latency with the highest rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final

from tonnage.plan.document import Alternative, Refusal
from tonnage.plan.objective import Target, rounded_down, rounded_up
from tonnage.plan.replica import HALVINGS, MeasuredBound, ReplicaModel, sustainable_per_s
from tonnage.plan.sizing import REPLICAS_MAX, Counts, Spread, rate_of, size_for
from tonnage.plan.words import duration, rate

HOPELESS: Final = ("unloaded-latency", "batch-delay", "measured")
"""Codes of what no number of replicas helps."""
_SHARES: Final = (0.05, 0.5)
"""Of the capacity, at which the nearest latencies are taken where replicas are not bounded: the least that is
within reason, and one that leaves a replica half of its work."""
_LATENCY_SLACK: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Bound:
    """How many replicas there may be.

    Attributes:
        code: ``max-replicas``, ``stock`` or ``quota``.
        path: The field or option that sets it.
        replicas: That many [>= 0].
        because: In words, what sets it.
        surge_counts: Whether replicas on top in a rolling update count too.
    """

    code: str
    path: str
    replicas: int
    because: str
    surge_counts: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked for.

    Attributes:
        model: The replica.
        rate_per_s: Rate to be carried [1/s, > 0].
        targets: Latencies to hold.
        headroom_ratio: Rate on top [>= 0].
        spread: How replicas are spread over what may be lost.
        unavailable: Replicas that a rolling update holds back at a time.
        wait_max_s: How long an unfilled batch may be held [s].
        bounds: On the number of replicas.
        measured: What measuring found, where it binds.
        least: Replicas at least, where the twin asked for more than the estimate [>= 1].
    """

    model: ReplicaModel
    rate_per_s: float
    targets: tuple[Target, ...]
    headroom_ratio: float
    spread: Spread
    unavailable: int
    wait_max_s: float = 0.0
    bounds: tuple[Bound, ...] = field(default=())
    measured: MeasuredBound | None = None
    least: int = 1

    def counts(self, sustainable: float, rate_per_s: float | None = None) -> Counts:
        """Counts replicas for the rate, or for another one, at what one replica carries [1/s, > 0]."""
        counts = size_for(
            self.rate_per_s if rate_per_s is None else rate_per_s,
            sustainable,
            headroom_ratio=self.headroom_ratio,
            spread=self.spread,
            unavailable=self.unavailable,
        )
        if counts.replicas >= self.least:
            return counts
        return replace(counts, replicas=self.least, lost=self.spread.lost(self.least))

    @property
    def replicas_max(self) -> int:
        """The tightest bound, or the most that a document can ask for."""
        return min([bound.replicas for bound in self.bounds] + [REPLICAS_MAX])


def refusals_of(case: Case, sustainable: float) -> tuple[Refusal, ...]:
    """Why the objective cannot hold; empty when it can.

    Args:
        case: What is asked for.
        sustainable: Rate that one replica carries inside the objective [1/s, >= 0].
    """
    hopeless = _hopeless(case, sustainable)
    if hopeless:
        return tuple(hopeless)
    counts = case.counts(sustainable)
    refusals: list[Refusal] = []
    if counts.with_loss is None:
        refusals.append(_unspread(case))
    for bound in case.bounds:
        if bound.replicas < 1:
            message = f"must have room for one replica, got none: {bound.because}"
            refusals.append(Refusal("no-node" if bound.code == "stock" else bound.code, bound.path, message))
        elif counts.replicas > bound.replicas:
            message = (
                f"must allow {counts.replicas} replicas for {rate(case.rate_per_s)}, "
                f"got {bound.replicas}: {bound.because}"
            )
            more = Alternative(bound.path, str(counts.replicas), f"room for {counts.replicas} replicas")
            given = (more, *nearest(case, sustainable))
            refusals.append(Refusal(bound.code, bound.path, message, given))
    return tuple(refusals)


def nearest(case: Case, sustainable: float) -> tuple[Alternative, ...]:
    """The nearest objectives that can hold within the bounds: other latencies, another rate."""
    shares = _SHARES if not case.bounds else (0.0,)
    found = [_nearest_latency(case, share) for share in shares]
    found.append(_nearest_rate(case, sustainable))
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _hopeless(case: Case, sustainable: float) -> list[Refusal]:
    """What no number of replicas helps."""
    if not case.targets:
        return []
    unloaded = case.model.latencies_s(0.0, [target.percentile for target in case.targets])
    refusals = []
    for target, latency_s in zip(case.targets, unloaded, strict=True):
        if latency_s <= target.latency_s:
            continue
        path = f"spec.objective.latency.{target.name}"
        without_s = latency_s - case.wait_max_s
        if case.wait_max_s > 0 and without_s <= target.latency_s:
            message = (
                f"must leave time for the batch delay: a lone request waits {duration(case.wait_max_s)} for "
                f"company (batching.waitMax) and is answered after {duration(latency_s)}, "
                f"got {duration(target.latency_s)}"
            )
            shorter = Alternative("spec.batching.waitMax", "0s", "no batch delay")
            refusals.append(Refusal("batch-delay", path, message, (shorter, *nearest(case, 0.0))))
        else:
            takes = duration(latency_s) if math.isfinite(latency_s) else "a time that was not measured"
            message = (
                f"must be at least what a lone request takes: {takes} at {target.name}, "
                f"got {duration(target.latency_s)}"
            )
            refusals.append(Refusal("unloaded-latency", path, message, nearest(case, 0.0)))
    if not refusals and sustainable <= 0:
        measured = case.measured
        goal = f"p{measured.percentile:g} <= {duration(measured.latency_s)}" if measured is not None else "it"
        message = f"must hold at some rate: measuring found none at which {goal} held"
        refusals.append(Refusal("measured", "spec.objective.latency", message, nearest(case, 0.0)))
    return refusals


def _unspread(case: Case) -> Refusal:
    kind = case.spread.kind
    message = f"must have another {kind} to go to when one is lost, got a single {kind} for all replicas"
    keep = Alternative("--survive", "none", f"a plan that does not outlive the loss of its {kind}")
    return Refusal("spread", "--survive", message, (keep,))


def _nearest_latency(case: Case, share: float) -> Alternative | None:
    """The least latencies at which the rate holds within the bounds; None where none does.

    Args:
        case: What is asked for.
        share: Of the capacity, the least that a replica should carry [0 to 1].
    """
    model, replicas = case.model, case.replicas_max
    if not case.targets or replicas < 1:
        return None
    left = min(replicas - case.spread.lost(replicas), replicas - case.unavailable)
    if left < 1:
        return None
    each = max(
        case.rate_per_s * (1 + case.headroom_ratio) / replicas,
        case.rate_per_s / left,
        share * model.capacity_per_s,
    )
    # the search for a rate looks at these rates and no others
    grain = model.capacity_per_s / 2**HALVINGS
    each = math.ceil(each / grain * (1 - 1e-12)) * grain
    if each > model.capacity_per_s * (1 + 1e-12):
        return None
    each = min(each, model.capacity_per_s)
    latencies = model.latencies_s(each, [one.percentile for one in case.targets])
    if not all(math.isfinite(latency_s) for latency_s in latencies):
        return None
    targets = [
        Target(target.percentile, max(target.latency_s, rounded_up(latency_s * (1 + _LATENCY_SLACK))))
        for target, latency_s in zip(case.targets, latencies, strict=True)
    ]
    sustainable = sustainable_per_s(model, targets)
    if sustainable < each * (1 - 1e-9):
        return None
    counts = case.counts(sustainable)
    pairs = zip(targets, case.targets, strict=True)
    changed = [new for new, old in pairs if new.latency_s > old.latency_s]
    value = ", ".join(f"{target.name}: {duration(target.latency_s)}" for target in changed or targets)
    text = f"{value} holds at {rate(case.rate_per_s)} with {counts.replicas} replicas"
    return Alternative("spec.objective.latency", f"{{{value}}}", text)


def _nearest_rate(case: Case, sustainable: float) -> Alternative | None:
    """The highest rate at which the latencies hold within the bounds; None where none does."""
    if sustainable <= 0 or not case.bounds or case.replicas_max < 1:
        return None
    most = rounded_down(
        rate_of(
            case.replicas_max,
            sustainable,
            headroom_ratio=case.headroom_ratio,
            spread=case.spread,
            unavailable=case.unavailable,
        )
    )
    if most <= 0:
        return None
    text = f"{rate(most)} hold with {case.replicas_max} replicas"
    return Alternative("spec.objective.requestsPerSecond", f"{most:g}", text)
