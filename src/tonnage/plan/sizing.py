"""How many replicas: for the rate, with one failure domain gone, and while a rolling update is under way.

Three counts are taken and the largest wins:

* the rate and the head-room on top, at what one replica carries inside the objective;
* the rate itself, when the fullest node (or zone) is lost;
* the rate itself, when a rolling update holds replicas back.

A node and an update at once are not planned for, and the head-room may be used up by either.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

REPLICAS_MAX: Final = 100_000
"""The most that a document can ask for."""

Survive = Literal["none", "node", "zone"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Over which failure domains replicas fall, and how evenly.

    Attributes:
        order: The domain of each further replica, as the scheduler would place them one after the other;
            empty where no nodes were given.
        domains: How many domains there are, where only that is known [>= 1]; None for one to each replica.
        kind: What is lost at once.
    """

    kind: Survive = "node"
    order: tuple[str, ...] = ()
    domains: int | None = None

    def lost(self, replicas: int) -> int:
        """Replicas that go when the fullest domain goes, of so many [>= 1]."""
        if self.kind == "none":
            return 0
        if self.order:
            placed = Counter(self.order[:replicas])
            beyond = max(0, replicas - len(self.order))
            # what is not placed cannot be lost; it is refused elsewhere
            return min(replicas, max(placed.values()) + (beyond if len(placed) == 1 else 0))
        if self.domains is not None:
            return math.ceil(replicas / self.domains)
        return min(1, replicas)


@dataclass(frozen=True, slots=True)
class Counts:
    """Replicas and where each number comes from.

    Attributes:
        replicas: The answer: the largest of the others.
        serving: For the rate alone.
        with_headroom: For the rate and the head-room on top.
        with_loss: So that enough are left when the fullest domain is gone; None where no number does.
        with_update: So that enough are left during a rolling update.
        lost: Replicas in the fullest domain, of ``replicas``.
    """

    replicas: int
    serving: int
    with_headroom: int
    with_loss: int | None
    with_update: int
    lost: int


def needed(rate_per_s: float, sustainable_per_s: float) -> int:
    """Replicas that carry a rate [>= 1].

    Source: by conditional splitting, requests that fall on n replicas at random are n independent
    Poisson processes of an n-th of the rate (Ross, Introduction to Probability Models, 12th ed.,
    proposition 5.2); each holds the objective up to its sustainable rate.
    """
    # a rate that is a whole multiple must not need one more for a bit of binary
    return max(1, math.ceil(rate_per_s / sustainable_per_s * (1 - 1e-12)))


def size_for(
    rate_per_s: float,
    sustainable_per_s: float,
    *,
    headroom_ratio: float,
    spread: Spread,
    unavailable: int,
) -> Counts:
    """Counts replicas.

    Args:
        rate_per_s: To be carried by all [1/s, > 0].
        sustainable_per_s: What one carries inside the objective [1/s, > 0].
        headroom_ratio: Rate on top, as a share of it [>= 0].
        spread: How replicas are spread over what may be lost.
        unavailable: Replicas that a rolling update holds back at a time [>= 0].
    """
    serving = needed(rate_per_s, sustainable_per_s)
    with_headroom = needed(rate_per_s * (1 + headroom_ratio), sustainable_per_s)
    with_loss = _with_loss(serving, spread)
    with_update = serving + unavailable
    replicas = max(with_headroom, with_loss or serving, with_update)
    # more replicas may fill the fullest domain further
    while with_loss is not None and replicas - spread.lost(replicas) < serving:
        replicas += 1
    return Counts(replicas, serving, with_headroom, with_loss, with_update, spread.lost(replicas))


def _with_loss(serving: int, spread: Spread) -> int | None:
    if spread.kind == "none":
        return serving
    ceiling = min(REPLICAS_MAX, 4 * serving + 4 + len(spread.order))
    for replicas in range(serving, ceiling + 1):
        if replicas - spread.lost(replicas) >= serving:
            return replicas
    return None


def rate_of(
    replicas: int, sustainable_per_s: float, *, headroom_ratio: float, spread: Spread, unavailable: int
) -> float:
    """The highest rate for which so many replicas are enough [1/s]; 0 where none is.

    Args:
        replicas: How many there may be [>= 1].
        sustainable_per_s: What one carries [1/s, >= 0].
        headroom_ratio: Rate on top [>= 0].
        spread: How replicas are spread over what may be lost.
        unavailable: Replicas that a rolling update holds back at a time [>= 0].
    """
    left = max(0, min(replicas - spread.lost(replicas), replicas - unavailable))
    return sustainable_per_s * min(replicas / (1 + headroom_ratio), left)


def surge_for(replicas: int, spare: int | None) -> tuple[int, int]:
    """How a rolling update goes: (replicas on top, replicas missing) at a time.

    Args:
        replicas: In the service [>= 1].
        spare: Replicas that fit beside them; None where the stock is not known.

    Returns:
        A quarter on top where they fit and none missing; where nothing is spare, one missing.

    Source: 25% is the Deployment's own default, k8s.io/kubernetes v1.37.2, pkg/apis/apps/v1/defaults.go,
        SetDefaults_Deployment; a surge in percent rounds up, ResolveFenceposts in deployment/util.
    """
    quarter = math.ceil(replicas / 4)
    if spare is None:
        return quarter, 0
    return (min(quarter, spare), 0) if spare >= 1 else (0, 1)


def fullest(order: Sequence[str], replicas: int) -> str:
    """The domain with most of the first ``replicas``; empty when nothing is placed."""
    placed = Counter(order[:replicas])
    return placed.most_common(1)[0][0] if placed else ""
