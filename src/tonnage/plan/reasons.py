"""Why the counts of a plan are what they are, in words."""

from __future__ import annotations

from tonnage.plan.ask import Ask, following_of
from tonnage.plan.document import Given, Reason, Rollout, Scaling
from tonnage.plan.price import Packing
from tonnage.plan.sizing import Counts, Spread
from tonnage.plan.words import duration, number, percent, rate


def count_reasons(
    ask: Ask, spread: Spread, counts: Counts, sustainable: float, fit: Packing | None
) -> list[Reason]:
    """Why so many replicas."""
    asked = Given("rate", rate(ask.rate_per_s), ask.rate_origin)
    carried = Given("a replica carries", rate(sustainable), "replica.sustainablePerSecond")
    reasons = [
        Reason(
            "replicas.serving",
            str(counts.serving),
            "rate over what a replica carries, rounded up",
            (asked, carried),
        ),
        Reason(
            "replicas.withHeadroom",
            str(counts.with_headroom),
            "the same for the rate and the head-room",
            (asked, Given("head-room", percent(ask.headroom_ratio), "--headroom"), carried),
        ),
    ]
    if ask.survive != "none" and counts.with_loss is not None:
        where = _where_from(ask, spread, fit)
        lost = Given(f"in the fullest {ask.survive}", f"{counts.lost} of {counts.replicas}", where)
        because = f"so many that, without the fullest {ask.survive}, those that serve the rate are left"
        reasons.append(Reason("replicas.withLoss", str(counts.with_loss), because, (lost,)))
    counted = [("serving", counts.serving), ("with head-room", counts.with_headroom)]
    if ask.survive != "none" and counts.with_loss is not None:
        counted.append((f"without the fullest {ask.survive}", counts.with_loss))
    counted.append(("during an update", counts.with_update))
    if ask.least > 1:
        counted.append(("asked for by the twin", ask.least))
    given = tuple(Given(name, str(value), "above") for name, value in counted)
    reasons.append(Reason("replicas.count", str(counts.replicas), "the largest of these", given))
    return reasons


def _where_from(ask: Ask, spread: Spread, fit: Packing | None) -> str:
    """How it is known what goes with a node or zone."""
    if spread.order:
        return "the scheduler's placement on --nodes"
    if spread.domains is not None:
        return "--zones" if ask.zones is not None else "a single zone, no --zones"
    if fit is not None:
        return f"put on {fit.instance.name}, ended by {fit.bound_by}"
    return "one replica to a node, assumed"


def rollout_reasons(ask: Ask, counts: Counts, rollout: Rollout) -> list[Reason]:
    """Why a rolling update goes as it does, and how many GPUs run."""
    value = f"maxSurge {rollout.max_surge}, maxUnavailable {rollout.max_unavailable}"
    if rollout.max_unavailable:
        because = "there is no room for one on top: one is missing at a time, and one more is kept for it"
    else:
        because = "a quarter on top where there is room, none missing"
    given = [Given("replicas", str(counts.replicas), "replicas.count")]
    if rollout.duration_s is not None:
        given.append(Given("takes about", duration(rollout.duration_s), "startup.readySeconds for each turn"))
    reasons = [Reason("rollout", value, because, tuple(given))]
    if ask.gpus:
        reasons.append(
            Reason(
                "gpus.running",
                str(ask.gpus * counts.replicas),
                "replicas times GPUs of one",
                (Given("GPUs of a replica", str(ask.gpus), "spec.resources.gpu.count"),),
            )
        )
    return reasons


def scaling_reasons(ask: Ask, scaling: Scaling | None) -> list[Reason]:
    """Why that minimum and that maximum."""
    if scaling is None:
        return []
    found, window = scaling.range, duration(scaling.window_s)
    _, parts = following_of(ask)
    late = tuple(Given(name, duration(seconds), origin) for name, seconds, origin in parts)
    low = Given("replicas for the lowest rate", str(found.lowest), f"traffic over {window}")
    if found.rise > found.lowest:
        because = (
            f"rises faster than {duration(scaling.following.behind_s)} meet replicas that are there already"
        )
    elif found.rise:
        because = "what the lowest rate needs, which is enough for the rises that outrun scaling too"
    else:
        because = "what the lowest rate needs; no rise outruns scaling"
    return [
        Reason(
            "scaling.behindSeconds",
            duration(scaling.following.behind_s),
            "from a rise of the rate to ready replicas, without image pulls and new nodes",
            late,
        ),
        Reason(
            "scaling.minReplicas",
            str(found.minimum),
            because,
            (low, Given("replicas for rises that outrun scaling", str(found.rise), f"traffic over {window}")),
        ),
        Reason(
            "scaling.maxReplicas",
            str(found.highest),
            "replicas for the highest rate, head-room and loss included",
            (Given("peak rate", rate(scaling.peak_per_s), f"over {window}, spec.server.latencyWindow"),),
        ),
        Reason(
            "scaling.meanReplicas",
            number(found.mean),
            "replicas over the traffic when they follow it between minimum and maximum",
            (Given("kept after a fall", duration(scaling.following.kept_s), "behavior.scaleDown"),),
        ),
    ]
