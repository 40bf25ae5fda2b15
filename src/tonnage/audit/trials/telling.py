"""What runs come to, in a sentence and in numbers: rollouts, starts, drains, scaling."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from tonnage.audit.trials.case import Told
from tonnage.twin import Result
from tonnage.twin.records import PodRecord, RolloutRecord, ScalingDecision
from tonnage.twin.result import FloatArray
from tonnage.twin.verdict import verdict_of
from tonnage.twin.wording import counted, show_latency, show_number, show_span

HAPPENS_S: Final = 60.0
"""When what a trial is about happens [s]."""


def told_rollout(result: Result) -> Told:
    """Whether a rollout came to its end, what was ready meanwhile, and what became of requests."""
    steps = [one for one in result.records if isinstance(one, RolloutRecord) and one.revision == 2]
    done_s = next((one.at_s for one in steps if one.what == "complete"), None)
    new = {one.pod for one in _pods(result, "ready") if f"{result.scenario.workload.name}-2-" in one.pod}
    replicas = result.scenario.workload.replicas
    took_s = done_s - HAPPENS_S if done_s is not None else None
    if took_s is not None:
        state = f"done after {show_span(took_s)}"
    else:
        waited = show_span(result.scenario.duration_s - HAPPENS_S)
        state = f"{len(new)} of {replicas} replaced after {waited}{_refusal(result)}"
    ready = _since(result, result.series.replicas_ready)
    least, none_s = int(ready.min()), float((ready == 0).sum()) * result.scenario.interval_s
    idle = f", none of them for {show_span(none_s)}" if none_s else ""
    numbers: dict[str, float | int | None] = {
        "rolloutSeconds": took_s,
        "replaced": len(new),
        "replicas": replicas,
        "readyMin": least,
        "noneReadySeconds": none_s,
        **_requests(result),
    }
    return f"{state}; at least {least} of {replicas} ready{idle}; {_failed(result)}", numbers


def told_start(result: Result) -> Told:
    """How many replicas became ready, and how often containers were killed on the way."""
    replicas = result.scenario.workload.replicas
    ready = int(result.series.replicas_ready[-1])
    first_s = next((one.at_s for one in _pods(result, "ready")), None)
    killed = len(_pods(result, "killed"))
    when = f", the first after {show_span(first_s)}" if first_s is not None else ""
    text = f"{ready} of {replicas} ready after {show_span(result.scenario.duration_s)}{when}"
    text += f"; containers killed {counted(killed, 'time')}{_refusal(result)}"
    return text, {"ready": ready, "replicas": replicas, "firstReadySeconds": first_s, "killed": killed}


def told_drain(result: Result) -> Told:
    """Whether a drained node came free."""
    node = next(one.node for one in result.scenario.happenings if hasattr(one, "node"))
    there = {one.pod for one in _pods(result, "scheduled") if one.node == node and one.at_s < HAPPENS_S}
    left = {one.pod: one.at_s for one in _pods(result, "gone") if one.pod in there}
    kept = len(there) - len(left)
    free_s = max(left.values(), default=HAPPENS_S) - HAPPENS_S if not kept else None
    text = (
        f"the node is free after {show_span(free_s)}"
        if free_s is not None
        else f"{counted(kept, 'pod')} still on it after {show_span(result.scenario.duration_s - HAPPENS_S)}"
    )
    numbers = {"podsKept": kept, "freeSeconds": free_s, **_requests(result)}
    return f"{text}; {_failed(result)}", numbers


def told_scaling(result: Result) -> Told:
    """What the autoscaler did, and what requests felt of it."""
    changes = [one for one in result.records if isinstance(one, ScalingDecision) and one.rescaled]
    ups = [one.desired > one.spec_replicas for one in changes]
    turns = sum(before is not after for before, after in zip(ups, ups[1:], strict=False))
    first_s = next((one.at_s - HAPPENS_S for one in changes if one.at_s > HAPPENS_S), None)
    series, verdict = result.series, verdict_of(result)
    begun, ended = int(series.replicas_wanted[0]), int(series.replicas_wanted[-1])
    wanted, waiting = int(series.replicas_wanted.max()), int(series.pods_pending.max())
    moved = f"{counted(len(changes), 'change')}, {counted(turns, 'turn')}"
    parts = [f"{counted(begun, 'replica')}, at most {wanted}, {ended} at the end ({moved})"]
    if first_s is not None:
        parts.append(f"first change after {show_span(first_s)}")
    if waiting:
        parts.append(f"{counted(waiting, 'pod')} without a node{_refusal(result)}")
    parts.append(f"p99 {show_latency(result.totals.p99_s)}, too slow for {show_span(verdict.violated_s)}")
    numbers: dict[str, float | int | None] = {
        "replicasFirst": begun,
        "replicasMax": wanted,
        "replicasLast": ended,
        "changes": len(changes),
        "turns": turns,
        "firstChangeSeconds": first_s,
        "pendingMax": waiting,
        "p99Seconds": _finite(result.totals.p99_s),
        "tooSlowSeconds": verdict.violated_s,
        **_requests(result),
    }
    return "; ".join(parts), numbers


def told_loss(result: Result) -> Told:
    """For how long nothing was ready, and what became of requests."""
    ready = _since(result, result.series.replicas_ready)
    none_s = float((ready == 0).sum()) * result.scenario.interval_s
    killed = len(_pods(result, "killed"))
    text = f"no replica ready for {show_span(none_s)}; {_failed(result)}"
    if killed:
        text += f"; containers killed {counted(killed, 'time')}"
    text += f"; p99 {show_latency(result.totals.p99_s)}"
    numbers = {"noneReadySeconds": none_s, "killed": killed, "p99Seconds": _finite(result.totals.p99_s)}
    return text, {**numbers, **_requests(result)}


def _pods(result: Result, what: str) -> list[PodRecord]:
    return [one for one in result.records if isinstance(one, PodRecord) and one.what == what]


def _refusal(result: Result) -> str:
    """The scheduler's words about the last pod that found no node, while pods still wait for one."""
    said = [one.detail for one in _pods(result, "unschedulable")]
    if not said or not result.series.pods_pending.max():
        return ""
    return f" ({said[-1].partition('. ')[0].rstrip('.')})"


def _since(result: Result, values: FloatArray) -> FloatArray:
    part: FloatArray = values[np.searchsorted(result.series.time_s, HAPPENS_S) :]
    return part


def _failed(result: Result) -> str:
    totals = result.totals
    return f"{show_number(totals.drops)} of {show_number(totals.offered)} requests failed"


def _requests(result: Result) -> dict[str, Any]:
    return {"requests": result.totals.offered, "failed": result.totals.drops}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
