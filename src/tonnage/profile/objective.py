"""The latency that must hold: read from text, and held against what was measured.

A request that failed, whatever the failure, did not meet its latency: an objective of p99 = 100 ms says
that 99 of 100 requests are answered with success within 100 ms. A server that refuses the rest at once
would otherwise look as if it carried any load.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.profile.load_parts import Capacity, CurvePoint, Objective
from tonnage.profile.parts import ModelProfile
from tonnage.profile.quantiles import percentile_name, percentile_of
from tonnage.units import UnitError, parse_duration

_FORM: Final = re.compile(r"\s*(p[0-9]+(?:\.[0-9]+)?)\s*(?:<=|=)\s*(\S+)\s*")


def parse_objective(text: str) -> Objective:
    """Read an objective as an option has it.

    Args:
        text: Such as ``p99=100ms``.

    Raises:
        SpecError: It is no percentile and duration.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise SpecError([Problem("--objective", f"must be like p99=100ms, got {text!r}")])
    try:
        percentile, latency_s = percentile_of(found[1]), parse_duration(found[2]).seconds
    except (ValueError, UnitError) as error:
        hint = error.hint if isinstance(error, UnitError) else None
        raise SpecError([Problem("--objective", f"{error}, got {text!r}", hint=hint)]) from None
    if latency_s <= 0:
        raise SpecError([Problem("--objective", f"must be a latency > 0, got {text!r}")])
    return Objective(percentile=percentile, latency_s=latency_s, origin="option")


def met(point: CurvePoint, objective: Objective) -> bool:
    """Whether a point of a curve that somebody else measured meets an objective."""
    failed_max = 1 - objective.percentile / 100
    return point.latency_s.at(objective.percentile) <= objective.latency_s and point.error_ratio <= failed_max


def with_capacity(profile: ModelProfile, objective: Objective) -> ModelProfile:
    """Read off an imported curve what it carries inside an objective.

    Args:
        profile: An import; without a curve it comes back as it is, since service times alone tell no rate.
        objective: What must hold.

    Returns:
        The profile with a capacity: the highest rate that holds, and below which every rate holds.

    Raises:
        SpecError: The curve tells nothing of the objective's percentile.
    """
    if not profile.curve:
        return profile
    highest = max(percentile_of(name) for point in profile.curve for name in point.latency_s.quantiles)
    if objective.percentile > highest:
        name, known = percentile_name(objective.percentile), percentile_name(highest)
        message = f"must be a percentile that the curve tells, which ends at {known}, got {name}"
        raise SpecError([Problem("--objective", message)])
    curve = tuple(point.model_copy(update={"held": met(point, objective)}) for point in profile.curve)
    best = _last_held(curve)
    broken = next((point for point in curve if not point.held), None)
    if best is None:
        reason = "the objective did not hold at the lowest rate of the curve"
    elif broken is None:
        reason = "the objective held at every rate of the curve; higher ones were not measured"
    else:
        rate = f"{broken.rate_per_s:.6g}/s"
        reason = f"the objective did not hold at {rate}; rates between are not in the curve"
    capacity = Capacity(
        objective=objective,
        sustainable_per_s=best.rate_per_s if best is not None else None,
        in_flight=best.in_flight if best is not None else None,
        p50_s=best.latency_s.at(50) if best is not None else None,
        p99_s=best.latency_s.at(99) if best is not None else None,
        reason=reason,
    )
    return profile.model_copy(update={"curve": curve, "capacity": capacity})


def _last_held(curve: Sequence[CurvePoint]) -> CurvePoint | None:
    best: CurvePoint | None = None
    for point in curve:
        if not point.held:
            break
        best = point
    return best


def shown_objective(objective: Objective) -> str:
    """``p99 <= 100 ms`` for people."""
    latency_s = objective.latency_s
    amount = f"{latency_s:g} s" if latency_s >= 1 else f"{latency_s * 1e3:g} ms"
    return f"{percentile_name(objective.percentile)} <= {amount}"
