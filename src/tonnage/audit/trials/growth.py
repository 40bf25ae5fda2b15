"""Trials of autoscalers: what they make of a load that grows, comes and goes, or is hardly there."""

from __future__ import annotations

from typing import Any, Final

from tonnage.audit.trials.case import DEPLOYMENT, HPA, Case, Trial, happening, span_text, steps
from tonnage.audit.trials.telling import HAPPENS_S, told_scaling
from tonnage.kube.paths import format_path
from tonnage.twin.wording import counted, show_latency, show_number, show_span

_UNKNOWN: Final = "what its metrics measure is not known; --metric NAME=MEANING says it"
_USUAL: Final = 0.5
_NEARLY: Final = 0.9
"""Share of what replicas carry at which requests wait, and no queue grows for ever."""
_MOST: Final = 0.8
"""Share of what the most replicas carry that a grown load is at most."""
_FAST_PER_S: Final = 5000.0
"""From this rate on runs are shorter, so that an answer comes in seconds."""
_WAVE_S: Final = 180.0
_WAVES: Final = 4


def waits_to_grow(case: Case) -> Trial | str:
    """TNG074: the load grows to three times in one step and stays."""
    fields = {"spec.behavior.scaleUp.stabilizationWindowSeconds": 0}
    return _grown(case, [case.change(HPA, fields)], "with no window")


def divided(case: Case) -> Trial | str:
    """TNG076: the same, with a latency that is divided by the replicas."""
    metric = next((one for one in _metrics(case) if one.type != "Pods" and one.seconds is not None), None)
    if metric is None:
        return _UNKNOWN
    path, target = format_path(metric.target_path), metric.target
    fields = {path: {"type": "Value", "value": str(target.get("averageValue"))}}
    high = _NEARLY * case.known.capacity_per_s * case.replicas
    return _grown(case, [case.change(HPA, fields)], "with a target of type Value", high)


def out_of_reach(case: Case) -> Trial | str:
    """TNG062: little load, and a target that the model does not reach alone."""
    metric, unloaded_s = case.latency(), case.workload.context.measured.unloaded_s_p99
    if metric is None or unloaded_s is None:
        return _UNKNOWN
    target_s = 2.5 * unloaded_s
    form = "averageValue" if metric.target.get("averageValue") is not None else "value"
    amount = target_s * (1000 if metric.is_milliseconds else 1)
    written = f"{max(1, round(amount * 1000))}m"
    fields = {f"{format_path(metric.target_path)}.{form}": written}
    rate = case.known.rate_per_s or 0.2 * case.known.capacity_per_s * case.replicas
    spec = _spec(case, 900.0)
    if spec is None:
        return _UNKNOWN
    spec["traffic"] = {"type": "poisson", "rate": rate}
    spec["objective"] = {"latency": {"p99": span_text(target_s)}}
    return _scaled(
        case, spec, [case.change(HPA, fields)],
        f"{show_number(rate)} requests/s, which {counted(case.replicas, 'replica')} carry five times",
        f"with a target of {show_latency(target_s)}",
    )  # fmt: skip


def swings(case: Case) -> Trial | str:
    """TNG065: the load comes and goes every three minutes."""
    spec = _spec(case, HAPPENS_S + 2 * _WAVES * _WAVE_S)
    if spec is None:
        return _UNKNOWN
    low, high = _low(case), _high(case)
    times = [(HAPPENS_S + turn * _WAVE_S, low if turn % 2 else high) for turn in range(2 * _WAVES)]
    spec["traffic"] = steps((0, low), *times)
    window_s = max(300, round(3 * case.ready_s))
    fields = {"spec.behavior.scaleDown.stabilizationWindowSeconds": window_s}
    return _scaled(
        case, spec, [case.change(HPA, fields)],
        f"{show_number(low)} and {show_number(high)} requests/s in turn, {show_span(_WAVE_S)} each",
        f"with a window of {window_s} s",
    )  # fmt: skip


def applied_again(case: Case) -> Trial | str:
    """TNG060: the manifest is applied again while the autoscaler holds more replicas than it says."""
    said, spec = case.workload.item.at("spec", "replicas"), _spec(case, 360.0)
    if spec is None or case.autoscaler is None:
        return _UNKNOWN
    most = case.autoscaler.replicas_max or said
    held = max(case.replicas, min(most, 3 * said, said + 20))
    if held <= said:
        return f"the autoscaler holds no more than the {said} replicas of the manifest"
    rate = case.known.rate_per_s or 0.6 * case.known.capacity_per_s * held
    spec["traffic"] = {"type": "poisson", "rate": rate}
    spec["start"] = {"replicas": held}
    spec["changes"] = [case.change(DEPLOYMENT, {"spec.replicas": None})]
    again = happening("edit", HAPPENS_S, target=case.target(DEPLOYMENT), set={"spec.replicas": said})
    return Trial(
        f"kubectl apply at {show_number(rate)} requests/s, when {counted(held, 'replica')} run",
        {**spec, "happenings": [again]},
        spec,
        "without spec.replicas",
        told_scaling,
        nodes=most,
        is_scaled=True,
        knows_nodes=False,
    )


def beyond_stock(case: Case) -> Trial | str:
    """TNG067 and TNG024: a load that needs all replicas, on the nodes that there are."""
    most = case.workload.replicas_max
    if not case.known.nodes:
        return "the twin knows nodes and no quotas"
    spec = _spec(case, 900.0)
    if spec is None:
        return _UNKNOWN
    rate = case.known.rate_per_s or _MOST * case.known.capacity_per_s * most
    spec["traffic"] = steps((0, min(rate, _low(case))), (HAPPENS_S, rate))
    room = case.workload.room(most) or 1
    carried = rate * room / most
    less = {**spec, "traffic": steps((0, min(carried, _low(case))), (HAPPENS_S, carried))}
    return Trial(
        f"{show_number(rate)} requests/s, for which {counted(most, 'replica')} are needed",
        spec,
        less,
        f"at the {show_number(carried)} requests/s that {counted(room, 'replica')} carry",
        told_scaling,
        nodes=most,
        is_scaled=True,
    )


def _grown(
    case: Case, repair: list[dict[str, Any]], said: str, high_per_s: float | None = None
) -> Trial | str:
    low, high = _low(case), high_per_s or _high(case)
    spec = _spec(case, 900.0 if high < _FAST_PER_S else 480.0)
    if spec is None:
        return _UNKNOWN
    spec["traffic"] = steps((0, low), (HAPPENS_S, high))
    grows = f"from {show_number(low)} to {show_number(high)} requests/s after a minute"
    return _scaled(case, spec, repair, f"{grows}, with {counted(case.replicas, 'replica')}", said)


def _scaled(
    case: Case, spec: dict[str, Any], repair: list[dict[str, Any]], tried: str, said: str
) -> Trial:
    most = case.workload.replicas_max
    return Trial(
        tried, spec, {**spec, "changes": repair}, said, told_scaling,
        nodes=most, is_scaled=True, knows_nodes=False,
    )  # fmt: skip


def _spec(case: Case, duration_s: float) -> dict[str, Any] | None:
    """A run with the autoscaler; None where its metrics are not understood."""
    metrics = case.metric_meanings()
    if metrics is None or (case.autoscaler is not None and not _metrics(case)):
        return None
    spec = case.base(duration_s)
    spec["metrics"] = metrics
    spec["objective"] = {"latency": {"p99": span_text(case.slow_s)}}
    spec["start"] = {"replicas": case.replicas}
    if not case.known.is_measured and any(one.is_resource for one in _metrics(case)):
        asked = [one.requested("cpu") for one in case.workload.containers]
        cores = sum(float(one) for one in asked if one is not None)
        spec["pod"]["cpuBusy"] = str(cores or 1)
    return spec


def _metrics(case: Case) -> list[Any]:
    return list(case.autoscaler.metrics) if case.autoscaler is not None else []


def _low(case: Case) -> float:
    return case.known.rate_per_s or _USUAL * case.known.capacity_per_s * case.replicas


def _high(case: Case) -> float:
    most = max(case.replicas, min(case.workload.replicas_max, 3 * case.replicas))
    return max(1.5 * _low(case), _MOST * case.known.capacity_per_s * most)
