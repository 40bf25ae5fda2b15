"""Why an objective was missed in a span of time: the records of that span, and what they mean.

Nothing here guesses. Each cause is a sentence about records or series that anyone can look up: a node that
failed, pods that could not be placed and the scheduler's own words, pods that were loading, what the
autoscaler asked for and when. Several causes stand beside each other, the one that explains most first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

import numpy as np

from tonnage.twin.evidence import (
    BEFORE_S,
    Cause,
    CauseKind,
    Evidence,
    Span,
    between,
    course_of,
    inside,
    is_slow,
    level,
    within,
)
from tonnage.twin.lives import Life, Phase, Trouble
from tonnage.twin.records import RolloutRecord, ScalingDecision
from tonnage.twin.result import Result
from tonnage.twin.wording import counted, show_latency, show_number, show_span, show_time

_BASELINE_S: Final = 120.0
"""Over how long before that the usual load is taken [s]."""
_LOAD_RATIO_MIN: Final = 1.25
"""A growth of the load that is worth a word."""
_CAUSES_MAX: Final = 6
_QUIET: Final = 0.05
"""Share of all moments that count as quiet."""
_ROUTED_S: Final = 5.0
"""How long after its end is ordered a pod may still be sent requests [s]."""


def causes_between(result: Result, evidence: Evidence, from_s: float, to_s: float) -> tuple[Cause, ...]:
    """Find why an objective was missed from ``from_s`` to ``to_s``.

    Args:
        result: The run.
        evidence: Its records, sorted.
        from_s: Beginning of the span [s].
        to_s: End of the span [s].

    Returns:
        At most six causes, the weightiest first; at least one.
    """
    span = Span(result, evidence, from_s, to_s)
    found = [cause for finder in _FINDERS for cause in finder(span)]
    return tuple(found[:_CAUSES_MAX]) or (_capacity(span),)


def _node_causes(span: Span) -> list[Cause]:
    """Nodes that failed or were taken away, with what they took along."""
    said: dict[str, tuple[CauseKind, str]] = {
        "failed": ("node", "failed"),
        "interruption_notice": ("interruption", "was called back by the provider"),
        "drained": ("node", "was drained"),
        "pressure": ("node", "ran out of memory"),
    }
    causes = []
    for record in between(span.evidence.nodes, span.since_s, span.to_s):
        if record.what in said:
            kind, words = said[record.what]
            ended = sum(_ended_on(life, record.node, record.at_s) for life in span.evidence.pods)
            took = f", with {counted(ended, 'ready pod')}" if ended else ""
            text = f"node {record.node} {words} at {show_time(record.at_s)}{took}"
            causes.append(Cause(kind, text, record.at_s))
    return causes[:3]


def _ended_on(life: Life, node: str, at_s: float) -> bool:
    """Whether a pod was ready on a node when something happened to that."""
    return life.node == node and any(
        stretch.phase == "ready" and stretch.from_s <= at_s <= stretch.to_s for stretch in life.stretches
    )


def _outages(span: Span) -> list[Cause]:
    causes = []
    for record in between(span.evidence.pipelines, span.since_s, span.to_s):
        if record.what != "restored":
            words = "did not answer" if record.what == "outage" else "was restarted"
            detail = f": {record.detail}" if record.detail else ""
            text = f"{record.who} {words} from {show_time(record.at_s)}{detail}"
            causes.append(Cause("outage", text, record.at_s))
    return causes[:2]


def _rollouts(span: Span) -> list[Cause]:
    """A rollout that was under way, when it left fewer pods ready than were wanted."""
    series = span.result.series
    began: RolloutRecord | None = None
    for record in between(span.evidence.rollouts, 0.0, span.to_s):
        if record.what == "began":
            began = record
        elif record.what == "complete" and record.at_s < span.since_s:
            began = None
    if began is None:
        return []
    stuck = [one for one in span.evidence.rollouts if one.what == "deadlocked" and one.at_s <= span.to_s]
    text = f"the rollout to revision {began.revision} was under way since {show_time(began.at_s)}"
    ready = inside(span, series.replicas_ready)
    if ready.size:
        wanted = level(span, series.replicas_wanted)
        text += f", with {show_number(float(ready.min()))} of {wanted} replicas ready"
    if stuck:
        text += f" and could not go on: {stuck[-1].detail}"
    return [Cause("rollout", text, began.at_s)]


def _load(span: Span) -> list[Cause]:
    """More requests than before."""
    series, interval_s = span.result.series, span.result.scenario.interval_s
    rates = inside(span, series.offered) / interval_s
    since_s = max(0.0, span.since_s - _BASELINE_S)
    before = within(series, series.offered, since_s, span.since_s) / interval_s
    if before.size == 0 or rates.size == 0 or before.mean() <= 0:
        return []
    # The highest ten seconds, since one second's count is noise.
    width = max(1, min(rates.size, round(10 / interval_s)))
    peak = float(np.convolve(rates, np.full(width, 1 / width), mode="valid").max())
    usual = float(before.mean())
    # A quiet service's counts vary by their square root.
    noise = 4 * np.sqrt(usual * width * interval_s) / (width * interval_s)
    if peak < _LOAD_RATIO_MIN * usual or peak - usual < noise:
        return []
    text = f"the offered rate rose from {show_number(round(usual, 1))}/s to {show_number(round(peak, 1))}/s"
    return [Cause("load", text, span.from_s)]


def _scaled_down(span: Span) -> list[Cause]:
    """Replicas that the autoscaler had taken away shortly before, where those left had too much to do."""
    if not is_slow(span):
        return []
    before = between(span.evidence.decisions, span.from_s - 3 * BEFORE_S, span.from_s)
    down = [one for one in before if one.rescaled and one.desired < one.spec_replicas]
    if not down:
        return []
    first, last = down[0], down[-1]
    ago_s = span.from_s - last.at_s
    when = f"the last {show_span(ago_s)} before" if ago_s > 0 else "the last at that moment"
    text = (
        f"the HPA had taken away {counted(first.spec_replicas - last.desired, 'replica')} "
        f"({first.spec_replicas} to {last.desired}), {when}"
    )
    return [Cause("scaled_down", text, last.at_s)]


def _unready(span: Span) -> list[Cause]:
    """Pods that had been ready and were taken out of the endpoints."""
    lengths, since_s, reasons = [], span.to_s, Counter[str]()
    for life in span.evidence.pods:
        for stretch in life.stretches:
            if stretch.phase == "not ready" and stretch.overlaps(span.from_s, span.to_s):
                lengths.append(stretch.length_s)
                since_s = min(since_s, stretch.from_s)
                reasons[stretch.detail] += 1
    if not lengths:
        return []
    said = reasons.most_common(1)[0][0]
    times = "once" if len(lengths) == 1 else f"{len(lengths):,} times"
    text = f"a ready pod became unready, {times}, for up to {show_span(max(lengths))}"
    return [Cause("unready", text + (f" ({said})" if said else ""), since_s)]


def _terminating(span: Span) -> list[Cause]:
    """Pods that were sent away while requests still came to them."""
    if float(inside(span, span.result.series.failed).sum()) == 0:
        return []
    began = [
        stretch.from_s
        for life in span.evidence.pods
        for stretch in life.stretches
        if stretch.phase == "terminating" and span.from_s - _ROUTED_S <= stretch.from_s <= span.to_s
    ]
    if not began:
        return []
    what = "1 pod was" if len(began) == 1 else f"{len(began):,} pods were"
    text = f"{what} terminated from {show_time(min(began))} on, while requests were still sent there"
    return [Cause("terminating", text, min(began))]


def _pending(span: Span) -> list[Cause]:
    """Pods that found no node, in the scheduler's words."""
    waits: Counter[str] = Counter()
    longest_s, since_s, pods = 0.0, span.to_s, 0
    for life in span.evidence.pods:
        for stretch in life.stretches:
            refused = [
                one for one in life.troubles
                if one.what == "unschedulable" and stretch.from_s <= one.at_s <= stretch.to_s
            ]  # fmt: skip
            if stretch.phase == "pending" and refused and stretch.overlaps(span.from_s, span.to_s):
                waits[refused[-1].detail] += 1
                longest_s, since_s = max(longest_s, stretch.length_s), min(since_s, stretch.from_s)
                pods += 1
    if not pods:
        return []
    said, _ = waits.most_common(1)[0]
    text = f"{counted(pods, 'pod')} found no node for up to {show_span(longest_s)}"
    return [Cause("pending", f"{text} ({said})" if said else text, since_s)]


def _loading(span: Span) -> list[Cause]:
    """Pods that were placed and not ready yet."""
    phases: frozenset[Phase] = frozenset({"starting", "loading", "warming"})
    lengths, since_s = [], span.to_s
    for life in span.evidence.pods:
        parts = [one for one in life.stretches if one.phase in phases]
        near = [one for one in parts if one.overlaps(span.from_s, span.to_s)]
        if near:
            lengths.append(sum(one.length_s for one in near))
            since_s = min(since_s, near[0].from_s)
    if not lengths:
        return []
    what = "was" if len(lengths) == 1 else "were"
    text = f"{counted(len(lengths), 'pod')} {what} starting and loading for up to {show_span(max(lengths))}"
    return [Cause("loading", f"{text}, from {show_time(since_s)}", since_s)]


def _crashes(span: Span) -> list[Cause]:
    """Containers that were killed or ended by themselves."""
    words = {
        "oom_killed": "ran out of memory and was killed",
        "killed": "was killed by a probe",
        "crashed": "crashed",
        "evicted": "was evicted",
        "preempted": "was preempted",
    }
    ends: dict[str, list[Trouble]] = {}
    for life in span.evidence.pods:
        for trouble in life.troubles:
            if trouble.what in words and span.since_s <= trouble.at_s <= span.to_s:
                ends.setdefault(trouble.what, []).append(trouble)
    causes = []
    for what, troubles in sorted(ends.items(), key=lambda item: -len(item[1])):
        detail = Counter(one.detail for one in troubles).most_common(1)[0][0]
        times = "once" if len(troubles) == 1 else f"{len(troubles):,} times"
        text = f"a container {words[what]}, {times}" + (f" ({detail})" if detail else "")
        causes.append(Cause("crash", text, min(one.at_s for one in troubles)))
    return causes


def _autoscaler(span: Span) -> list[Cause]:
    """What the autoscaler did about it, and when; nothing, where the replicas had not too much to do."""
    if not is_slow(span):
        return []
    hpa = span.result.scenario.autoscaler
    if hpa is None:
        wanted = level(span, span.result.series.replicas_wanted)
        return [Cause("autoscaler", f"no autoscaler follows the load: {wanted} replicas were wanted")]
    looks = between(span.evidence.decisions, span.since_s, span.to_s)
    up = [one for one in looks if one.rescaled and one.desired > one.spec_replicas]
    if up:
        late_s = up[0].at_s - span.from_s
        when = f"{show_span(abs(late_s))} {'after' if late_s > 0 else 'before'} the first miss"
        text = f"the HPA asked for {up[0].desired} replicas at {show_time(up[0].at_s)}, {when}"
        if up[-1].desired != up[0].desired:
            text += f", and for {up[-1].desired} at {show_time(up[-1].at_s)}"
        return [Cause("autoscaler", text, up[0].at_s)]
    if not looks:
        return []
    last = looks[-1]
    failed = [metric for metric in last.metrics if metric.error]
    if last.spec_replicas >= hpa.replicas_max:
        text = f"the HPA was at its maximum of {counted(hpa.replicas_max, 'replica')}"
    elif failed:
        text = f"the HPA asked for no more: {failed[0].name} could not be read ({failed[0].error})"
    else:
        text = f"the HPA asked for no more than {counted(last.desired, 'replica')}" + _seen(last)
    return [Cause("autoscaler", text, last.at_s)]


def _seen(decision: ScalingDecision) -> str:
    known = [one for one in decision.metrics if one.current is not None]
    said = ", ".join(
        f"{one.name} was {show_number(one.current or 0.0)} against {show_number(one.target)}" for one in known
    )
    return f": {said}" if said else ""


def _refusals(span: Span) -> list[Cause]:
    """What became of the requests that were not answered."""
    series = span.result.series
    counts = {
        "refused as the queues were full": series.refused_queue,
        "refused as their deadline could not be met": series.refused_deadline,
        "that met no server or lost theirs": series.failed,
        "whose client gave up": series.timed_out,
    }
    sums = {words: round(float(inside(span, values).sum())) for words, values in counts.items()}
    said = [f"{count:,} {words}" for words, count in sums.items() if count]
    return [Cause("refusals", f"requests not answered: {', '.join(said)}", span.from_s)] if said else []


def _unloaded(span: Span) -> list[Cause]:
    """An objective below the latency of an idle server can never hold."""
    objective = span.result.scenario.objective
    if objective is None:
        return []
    course = course_of(span.result.series, objective.percentile)
    known = course[np.isfinite(course)]
    if known.size == 0 or float(np.quantile(known, _QUIET)) <= objective.latency_s:
        return []
    quiet_s = float(np.quantile(known, _QUIET))
    text = (
        f"the objective of {show_latency(objective.latency_s)} is below the latency without load: "
        f"even in the quietest moments p{objective.percentile:g} was {show_latency(quiet_s)}"
    )
    return [Cause("unloaded", text)]


def _capacity(span: Span) -> Cause:
    series = span.result.series
    ready, queue = inside(span, series.replicas_ready), inside(span, series.queue)
    least = show_number(float(ready.min())) if ready.size else "none"
    waiting = show_number(float(queue.max())) if queue.size else "none"
    text = f"{least} replicas were ready and up to {waiting} requests waited in them"
    return Cause("capacity", text, span.from_s)


_FINDERS: Final[tuple[Callable[[Span], list[Cause]], ...]] = (
    _unloaded, _node_causes, _crashes, _rollouts, _load, _unready, _scaled_down, _pending, _autoscaler,
    _terminating, _loading, _outages, _refusals,
)  # fmt: skip
"""In the order in which their causes are told."""
