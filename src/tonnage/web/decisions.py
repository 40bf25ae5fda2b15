"""The decisions of the autoscaler as a table: what it saw, what it did, and in whose words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tonnage.twin.records import MetricSeen, ScalingDecision
from tonnage.twin.wording import show_number

_ROWS_MAX: Final = 20_000
"""Decisions of three and a half days; of a longer run those remain that changed something."""


def decision_table(decisions: Iterable[ScalingDecision]) -> dict[str, Any]:
    """Make the rows.

    Args:
        decisions: In order.

    Returns:
        ``decisions``, one row each, and ``strings``, which their traces and conditions point into: most
        decisions of a day say the same.
    """
    strings: dict[str, int] = {}
    rows = []
    before: ScalingDecision | None = None
    for one in decisions:
        rows.append(_row(one, before, strings))
        before = one
    if len(rows) > _ROWS_MAX:
        rows = [row for row in rows if row["changed"]][:_ROWS_MAX]
    return {"decisions": rows, "strings": list(strings)}


def _row(one: ScalingDecision, before: ScalingDecision | None, strings: dict[str, int]) -> dict[str, Any]:
    def index(text: str) -> int:
        return strings.setdefault(text, len(strings))

    return {
        "at_s": one.at_s,
        "replicas": one.spec_replicas,
        "desired": one.desired,
        "rescaled": one.rescaled,
        "changed": one.rescaled or before is None or _standing(one) != _standing(before),
        "outcome": _outcome(one),
        "decided_by": _decided_by(one),
        "words": _words(one),
        "metrics": [_metric(metric) for metric in one.metrics],
        "conditions": [[index(text) for text in condition] for condition in one.conditions],
        "trace": [index(step) for step in one.trace],
    }


def _standing(one: ScalingDecision) -> tuple[tuple[str, str, str], ...]:
    """Conditions without their messages, which have numbers in them."""
    return tuple((kind, status, reason) for kind, status, reason, _ in one.conditions)


def _outcome(one: ScalingDecision) -> str:
    if one.rescaled:
        return f"{'up' if one.desired > one.spec_replicas else 'down'} to {one.desired}"
    if any(metric.error for metric in one.metrics) and all(metric.proposal is None for metric in one.metrics):
        return "could not decide"
    return "no change"


def _decided_by(one: ScalingDecision) -> str:
    """The metric that proposed most, as that is the one that counts."""
    proposals = [(metric.proposal, metric.name) for metric in one.metrics if metric.proposal is not None]
    if not proposals:
        read = [metric.name for metric in one.metrics if metric.error is None]
        named = [name for name in read if name in one.reason]
        return (named or read or ["–"])[0] if one.rescaled or len(one.metrics) == 1 else "–"
    most = max(proposal for proposal, _ in proposals)
    return next(name for proposal, name in proposals if proposal == most)


def _words(one: ScalingDecision) -> str:
    if one.reason:
        return one.reason
    for kind, status in (("ScalingActive", "False"), ("AbleToScale", "False"), ("ScalingLimited", "True")):
        for condition in one.conditions:
            if condition[:2] == (kind, status):
                return condition[3] or condition[2]
    return next((condition[3] for condition in one.conditions if condition[0] == "AbleToScale"), "")


def _metric(metric: MetricSeen) -> dict[str, str]:
    return {
        "name": metric.name,
        "current": "–" if metric.current is None else show_number(metric.current),
        "target": show_number(metric.target),
        "proposal": "–" if metric.proposal is None else str(metric.proposal),
        "error": metric.error or "",
    }
