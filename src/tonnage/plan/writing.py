"""Writes a ``ServingPlan`` as plain data, for JSON.

The form is versioned and stable: what is not known is left out, numbers keep six digits, durations are
seconds, and keys come in the same order every time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tonnage.plan.document import Confirmation, Cost, Reason, Refusal, Replica, Scaling, ServingPlan

API_VERSION: Final = "tonnage.dev/v1alpha1"
KIND: Final = "ServingPlan"
_DIGITS: Final = 6


def plan_document(plan: ServingPlan) -> dict[str, Any]:
    """The plan as plain data."""
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": plan.name},
        "feasible": plan.feasible,
        "objective": {
            "requestsPerSecond": plan.rate_per_s,
            "latencySeconds": {target.name: target.latency_s for target in plan.targets},
            "headroomRatio": plan.headroom_ratio,
            "survive": plan.survive,
        },
        "profile": plan.profile,
        "replica": _replica(plan.replica),
        **_sizes(plan),
        "scaling": None if plan.scaling is None else _scaling(plan.scaling),
        "cost": None if plan.cost is None else _cost(plan.cost),
        "estimate": [
            {
                "situation": state.name,
                "replicas": state.replicas,
                "requestsPerSecondEach": state.rate_per_s,
                "latencySeconds": _latencies(state.latencies_s),
            }
            for state in plan.states
        ],
        "confirmation": None if plan.confirmation is None else _confirmation(plan.confirmation),
        "refusals": [_refusal(refusal) for refusal in plan.refusals],
        "reasons": [_reason(reason) for reason in plan.reasons],
        "remarks": list(plan.remarks),
    }
    plain: dict[str, Any] = _plain(document)
    return plain


def _sizes(plan: ServingPlan) -> dict[str, Any]:
    counts, rollout = plan.counts, plan.rollout
    if counts is None:
        return {}
    return {
        "replicas": {
            "count": counts.replicas,
            "serving": counts.serving,
            "withHeadroom": counts.with_headroom,
            "withLoss": counts.with_loss,
            "withUpdate": counts.with_update,
            "lost": counts.lost,
        },
        "rollout": None
        if rollout is None
        else {
            "maxSurge": rollout.max_surge,
            "maxUnavailable": rollout.max_unavailable,
            "durationSeconds": rollout.duration_s,
        },
        "gpus": {
            "perReplica": plan.gpus,
            "running": plan.gpus * counts.replicas,
            "peak": plan.gpus * plan.replicas_peak,
        },
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "path": refusal.path,
        "message": refusal.message,
        "alternatives": [
            {"field": one.field, "value": one.value, "text": one.text} for one in refusal.alternatives
        ],
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "path": reason.path,
        "value": reason.value,
        "because": reason.because,
        "given": [{"name": one.name, "value": one.value, "origin": one.origin} for one in reason.given],
    }


def _replica(replica: Replica) -> dict[str, Any]:
    return {
        "sustainablePerSecond": replica.sustainable_per_s,
        "estimatedPerSecond": replica.estimated_per_s,
        "measuredPerSecond": replica.measured_per_s,
        "capacityPerSecond": replica.capacity_per_s,
        "method": replica.method,
        "unloadedSeconds": _latencies(replica.unloaded_s),
        "batchSizeMax": replica.batch_size_max,
        "workers": replica.workers,
        "comparisons": [
            {
                "ratePerSecond": one.rate_per_s,
                "percentile": one.percentile,
                "measuredSeconds": one.measured_s,
                "estimatedSeconds": one.estimated_s,
            }
            for one in replica.comparisons
        ],
    }


def _scaling(scaling: Scaling) -> dict[str, Any]:
    return {
        "minReplicas": scaling.range.minimum,
        "maxReplicas": scaling.range.highest,
        "lowest": scaling.range.lowest,
        "rise": scaling.range.rise,
        "meanReplicas": scaling.range.mean,
        "behindSeconds": scaling.following.behind_s,
        "keptSeconds": scaling.following.kept_s,
        "windowSeconds": scaling.window_s,
        "ratesPerSecond": dict(scaling.rates_per_s),
    }


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "currency": cost.currency,
        "prices": cost.prices,
        "example": cost.example,
        "instance": cost.instance or None,
        "replicasPerNode": cost.packing.per_node if cost.packing is not None else None,
        "nodes": cost.nodes,
        "perHour": cost.per_hour,
        "perMonth": cost.per_month,
        "perMonthMin": cost.per_month_min,
        "perMonthMax": cost.per_month_max,
        "perMonthMean": cost.per_month_mean,
    }


def _confirmation(confirmation: Confirmation) -> dict[str, Any]:
    return {
        "held": confirmation.held,
        "seed": confirmation.seed,
        "replicasAdded": confirmation.added,
        "runs": [
            {
                "situation": run.name,
                "replicas": run.replicas,
                "requestsPerSecond": run.rate_per_s,
                "requests": run.requests,
                "latencySeconds": _latencies(run.latencies_s),
                "estimatedSeconds": _latencies(run.estimated_s),
                "dropped": run.dropped,
                "held": run.held,
            }
            for run in confirmation.runs
        ],
    }


def _latencies(pairs: tuple[tuple[float, float], ...]) -> dict[str, float | None]:
    return {f"p{percentile:g}": value for percentile, value in pairs}


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
