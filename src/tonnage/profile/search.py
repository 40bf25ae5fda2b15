"""Which rate to offer next while looking for the highest one that a server sustains.

The whole decision is one function of the trials made so far, so that it can be tried against made-up
servers without a clock, and so that a search is explained by its trials alone. Rates grow or shrink in
proportion until one held and a higher one did not; then the gap is halved until it is small; then the
best rate has to hold once more in a longer run.

Every trial is open-loop: requests start when they are due, whatever the answers do. A generator that
cannot keep that up says nothing about the server, which is why its verdict is one of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Purpose = Literal["search", "confirm"]
Verdict = Literal["held", "failed", "generator_limited"]

FIRST_SHARE: Final = 0.5
"""The first trial's share of the estimate: likely to hold, and not far from the answer."""
SHRINK_POWER: Final = 2
"""A rate that did not hold shrinks by ``growth`` to this power: when even half of the estimate was too
much the estimate is worth little, and going too low costs one halving more, while going down slowly
costs many trials of an overloaded server, each followed by a queue to be drained."""
STEPS_DOWN_MAX: Final = 4
"""Confirmations below the first one."""
RATE_CEILING_PER_S: Final = 1e9
"""Where growth ends without a ``rate_max_per_s``; no server is that fast."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run at one rate and what came of it.

    Attributes:
        rate_per_s: Requests offered [1/s].
        purpose: Whether it looked for the rate or was the longer run that confirms it.
        verdict: Whether the objective held, did not, or the generator could not offer the rate.
        reason: Why it did not hold.
    """

    rate_per_s: float
    purpose: Purpose
    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchLimits:
    """Where a search starts and ends.

    Attributes:
        start_per_s: Estimate of the capacity, > 0 [1/s].
        rate_max_per_s: Highest rate to try; when it holds there it is the answer [1/s].
        rate_min_per_s: Lowest rate to try; when it does not hold there it holds nowhere [1/s].
        tolerance: Halving ends when the gap over the rate that did not hold is no larger; in (0, 1).
        trials_max: Trials in all, confirmations included.
        growth: Factor from a rate that held to the next, > 1.

    Raises:
        ValueError: A field is out of its range.
    """

    start_per_s: float
    rate_max_per_s: float | None = None
    rate_min_per_s: float = 1.0
    tolerance: float = 0.05
    trials_max: int = 24
    growth: float = 1.5

    def __post_init__(self) -> None:
        _check(0 < self.start_per_s < math.inf, "start_per_s", "a finite number above 0", self.start_per_s)
        _check(
            0 < self.rate_min_per_s <= RATE_CEILING_PER_S,
            "rate_min_per_s",
            f"above 0 and at most {RATE_CEILING_PER_S:g}",
            self.rate_min_per_s,
        )
        _check(
            self.rate_max_per_s is None or self.rate_min_per_s <= self.rate_max_per_s < math.inf,
            "rate_max_per_s",
            f"finite and at least rate_min_per_s ({self.rate_min_per_s:g})",
            self.rate_max_per_s,
        )
        _check(0 < self.tolerance < 1, "tolerance", "above 0 and below 1", self.tolerance)
        _check(self.trials_max >= 1, "trials_max", "at least 1", self.trials_max)
        _check(1 < self.growth < math.inf, "growth", "a finite number above 1", self.growth)

    @property
    def ceiling_per_s(self) -> float:
        """Highest rate to try [1/s]."""
        return RATE_CEILING_PER_S if self.rate_max_per_s is None else self.rate_max_per_s


@dataclass(frozen=True, slots=True)
class Try:
    """Make this trial next.

    Attributes:
        rate_per_s: Requests to offer [1/s].
        purpose: ``confirm`` asks for a longer run.
    """

    rate_per_s: float
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Found:
    """The search is over.

    Attributes:
        sustainable_per_s: The rate that held in the longer run, or, when none did, the highest that held
            in the search; below every rate that did not hold; None for none [1/s].
        confirmed: Whether it held in the longer run.
        generator_limited: Whether the generator, not the server, set the bound above it; the rate is
            then a lower bound of what the server carries.
        reason: What ended the search, in words.
    """

    sustainable_per_s: float | None
    confirmed: bool
    generator_limited: bool
    reason: str


@dataclass(frozen=True, slots=True)
class _Bracket:
    """Between which rates the answer lies: the best that held, and the lowest trial that did not."""

    held_per_s: float | None
    above: Trial | None

    @property
    def generator_limited(self) -> bool:
        return self.above is not None and self.above.verdict == "generator_limited"


def next_step(trials: Sequence[Trial], limits: SearchLimits) -> Try | Found:
    """Decides which trial to make next, or that the search is over.

    The answer lies in a bracket: above is the lowest rate that did not hold, below the highest that held
    and is lower than that one. A failure therefore outweighs a success at the same rate or a higher one:
    a rate is only worth promising when no lower one was ever seen to break the objective. A rate that the
    generator could not offer bounds the bracket just the same, and marks the answer as a lower bound.

    The last trial that ``trials_max`` allows is kept for a confirmation as soon as any rate held, since
    a rate that held for long is worth more than a narrower bracket.

    Args:
        trials: All trials so far, in order.
        limits: Where to start and when to end.

    Returns:
        The next trial, or the answer; always the answer after ``trials_max`` trials.
    """
    bracket = _bracket(trials)
    confirms = [trial for trial in trials if trial.purpose == "confirm"]
    confirmed = _confirmed(confirms, bracket)
    if confirmed is not None:
        # a rate that held in the search may lie just above it, but was not shown to last
        reason = _why_no_higher(_Bracket(confirmed, bracket.above), limits)
        return Found(confirmed, True, bracket.generator_limited, reason)
    if len(trials) >= limits.trials_max:
        return _unconfirmed(bracket, f"the limit of {limits.trials_max} trials was reached", limits)
    if confirms:
        return _confirm_lower(confirms, bracket, limits)
    if bracket.held_per_s is not None and len(trials) == limits.trials_max - 1:
        return Try(bracket.held_per_s, "confirm")
    return _search(trials, bracket, limits)


def _search(trials: Sequence[Trial], bracket: _Bracket, limits: SearchLimits) -> Try | Found:
    held, above = bracket.held_per_s, bracket.above
    if not trials:
        return Try(_within(limits.start_per_s * FIRST_SHARE, limits), "search")
    if held is None:
        assert above is not None, "a trial holds or does not"
        if above.rate_per_s <= limits.rate_min_per_s:
            return _unconfirmed(bracket, "the lowest rate to try did not hold", limits)
        # divided one at a time, since a power of a large growth has no float
        rate = above.rate_per_s
        for _ in range(SHRINK_POWER):
            rate /= limits.growth
        return Try(_within(rate, limits), "search")
    if above is None:
        if held >= limits.ceiling_per_s:
            return Try(held, "confirm")
        return Try(_within(held * limits.growth, limits), "search")
    if _narrow(held, above.rate_per_s, limits):
        return Try(held, "confirm")
    return Try(_middle(held, above.rate_per_s), "search")


def _confirm_lower(confirms: Sequence[Trial], bracket: _Bracket, limits: SearchLimits) -> Try | Found:
    above = bracket.above
    assert above is not None, "a confirmation did not hold, or something below it did not"
    if above.rate_per_s <= limits.rate_min_per_s:
        return _unconfirmed(bracket, "the lowest rate to try did not hold in a longer run", limits)
    if len(confirms) > STEPS_DOWN_MAX:
        return _unconfirmed(bracket, f"none of {len(confirms)} longer runs held", limits)
    return Try(_within(above.rate_per_s * (1 - limits.tolerance), limits), "confirm")


def _confirmed(confirms: Sequence[Trial], bracket: _Bracket) -> float | None:
    if not confirms or confirms[-1].verdict != "held":
        return None
    rate = confirms[-1].rate_per_s
    return rate if bracket.above is None or rate < bracket.above.rate_per_s else None


def _bracket(trials: Sequence[Trial]) -> _Bracket:
    # at one rate a failure of the server says more than a generator that could not offer it
    above = min(
        (trial for trial in trials if trial.verdict != "held"),
        key=lambda trial: (trial.rate_per_s, trial.verdict == "generator_limited"),
        default=None,
    )
    bound = math.inf if above is None else above.rate_per_s
    held = (t.rate_per_s for t in trials if t.verdict == "held" and t.rate_per_s < bound)
    return _Bracket(max(held, default=None), above)


def _narrow(held: float, above: float, limits: SearchLimits) -> bool:
    # the slack is for a step down by the tolerance, which binary fractions put a hair to either side
    gap_max = limits.tolerance * (1 + 1e-9) * above
    return above - held <= gap_max or not held < _middle(held, above) < above


def _middle(held: float, above: float) -> float:
    return held + (above - held) / 2


def _within(rate: float, limits: SearchLimits) -> float:
    return min(max(rate, limits.rate_min_per_s), limits.ceiling_per_s)


def _unconfirmed(bracket: _Bracket, what: str, limits: SearchLimits) -> Found:
    reason = f"{what}; {_why_no_higher(bracket, limits)}"
    return Found(bracket.held_per_s, False, bracket.generator_limited, reason)


def _why_no_higher(bracket: _Bracket, limits: SearchLimits) -> str:
    held, above = bracket.held_per_s, bracket.above
    if above is None:
        if held is not None and held >= limits.ceiling_per_s:
            return f"it held at the highest rate to try, {held:.6g}/s"
        return "no higher rate was tried"
    why = f": {above.reason}" if above.reason else ""
    if above.verdict == "generator_limited":
        text = f"the load generator could not offer {above.rate_per_s:.6g}/s{why}"
    else:
        text = f"the objective did not hold at {above.rate_per_s:.6g}/s{why}"
    if held is None:
        return f"{text}; no lower rate held"
    if not _narrow(held, above.rate_per_s, limits):
        return f"{text}; rates between {held:.6g}/s and that one are open"
    return text


def _check(holds: bool, field: str, what: str, got: object) -> None:
    if not holds:
        raise ValueError(f"{field}: must be {what}, got {got}")
