"""The scheduler's queue: which pod is tried next.

A pod that did not fit waits for an event that may have made room; then it is tried again. Its back-off (1 s
doubling to 10 s) orders the queue and does not hold it up: since 1.33 a scheduler with nothing else to do
takes pods from the back-off queue at once (SchedulerPopFromBackoffQ).

Source: k8s.io/kubernetes v1.37.2 pkg/scheduler/backend/queue/backoff_queue.go (calculateBackoffDuration),
    active_queue.go (pop), scheduling_queue.go (moveEntitiesToActiveOrBackoffQueue,
    flushUnschedulableEntitiesLeftover), framework/plugins/queuesort/priority_sort.go.

Deviations:
    * Queueing hints decide upstream which refused pods an event concerns; here every pod that leaves a node,
      and every change of a node, concerns all of them, which costs attempts and no decision.
    * The back-off queue's order is exact to the second upstream and exact here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tonnage.twin.control_times import ControlTimes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pod in the queue.

    Attributes:
        name: Its name.
        priority: Its priority.
        since_s: When it was made, or last refused [s].
        attempts: How often it was refused.
        ready_s: When its back-off ends [s].
    """

    name: str
    priority: int
    since_s: float
    attempts: int
    ready_s: float = 0.0


def back_off_s(attempts: int, times: ControlTimes) -> float:
    """Back-off after so many refusals [s]."""
    if attempts == 0:
        return 0.0
    return min(times.scheduler_backoff_s * 2.0 ** min(attempts - 1, 60), times.scheduler_backoff_s_max)


def first(queue: Iterable[Waiting], now_s: float) -> Waiting:
    """Who is next: by priority, then by age, among those without a back-off; else whose ends first."""

    def order(waiting: Waiting) -> tuple[bool, float, float, float]:
        if waiting.ready_s <= now_s:
            return (False, -waiting.priority, waiting.since_s, 0.0)
        return (True, waiting.ready_s, -waiting.priority, waiting.since_s)

    return min(queue, key=order)
