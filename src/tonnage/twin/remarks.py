"""What a run left behind that no objective sees: a rollout that stands still, pods that wait for ever.

Requests may be answered in time all along while the new revision never arrives, or an autoscaler is blind.
"""

from __future__ import annotations

from collections import Counter

from tonnage.twin.lives import Life, pod_lives
from tonnage.twin.records import RolloutRecord, ScalingDecision
from tonnage.twin.result import Result
from tonnage.twin.wording import counted, show_span, show_time


def remarks_of(result: Result) -> tuple[str, ...]:
    """Say what is unfinished at the end of a run, and for how long an autoscaler saw nothing.

    Args:
        result: The run.
    """
    duration_s = result.scenario.duration_s
    alive = [
        life
        for life in pod_lives(result.records, duration_s=duration_s)
        if life.stretches and life.stretches[-1].to_s >= duration_s
    ]
    return (*_rollouts(result), *_waiting(alive, duration_s), *_restarting(alive), *_blind(result))


def _rollouts(result: Result) -> list[str]:
    """Rollouts that began and did not end."""
    open_ones: dict[int, RolloutRecord] = {}
    said: dict[int, str] = {}
    for record in result.records:
        if isinstance(record, RolloutRecord):
            if record.what == "began":
                open_ones = {record.revision: record}  # The new one takes the place of one under way.
            elif record.what == "complete":
                open_ones.pop(record.revision, None)
            elif record.what in ("deadlocked", "progress_deadline_exceeded"):
                said[record.revision] = record.detail or record.what.replace("_", " ")
    texts = []
    for revision, began in open_ones.items():
        why = f": {said[revision]}" if revision in said else ""
        texts.append(f"the rollout to revision {revision} of {show_time(began.at_s)} did not finish{why}")
    return texts


def _waiting(alive: list[Life], duration_s: float) -> list[str]:
    """Pods without a node at the end."""
    waiting = [life for life in alive if life.stretches[-1].phase == "pending"]
    if not waiting:
        return []
    last = [trouble for life in waiting for trouble in life.troubles[-1:]]
    reasons = Counter(trouble.detail for trouble in last if trouble.what == "unschedulable")
    longest_s = max(duration_s - life.stretches[-1].from_s for life in waiting)
    text = f"{counted(len(waiting), 'pod')} had no node at the end, for up to {show_span(longest_s)}"
    return [f"{text} ({reasons.most_common(1)[0][0]})" if reasons else text]


def _restarting(alive: list[Life]) -> list[str]:
    """Pods whose container was away at the end, or had ended more than once."""
    ends = ("killed", "crashed", "oom_killed")
    counts = [sum(trouble.what in ends for trouble in life.troubles) for life in alive]
    again = [count for count in counts if count >= 2]
    if not again:
        return []
    return [f"containers of {counted(len(again), 'pod')} had been restarted up to {max(again)} times"]


def _blind(result: Result) -> list[str]:
    """How often the autoscaler could not read a metric."""
    looks = [one for one in result.records if isinstance(one, ScalingDecision)]
    failed = Counter(metric.name for one in looks for metric in one.metrics if metric.error)
    return [
        f"the HPA could not read {name} in {count:,} of {counted(len(looks), 'look')}"
        for name, count in failed.items()
    ]
