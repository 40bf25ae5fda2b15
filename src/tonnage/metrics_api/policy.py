"""What the HPA is told of a pod that is not simply serving: the policy that decides more than the value does.

For a Pods metric the HPA does not ask whether a pod is ready (it does so for CPU only). A pod without an
answer is *missing*: it counts as 0 when the others say up, and as exactly the target when they say down, so
that silence slows scaling in both directions. A pod with an answer is a full member of the mean. From this
follow the defaults:

* warming (not ready yet): silent. Its latency says nothing, and its absence damps a second scale-up.
* ready and idle (no request in its window): as ``idle`` says. ``zero`` lets an idle service shrink;
  ``silent`` holds it; ``last`` keeps what it said when it last served, which can hold a count for ever.
* ready, and read only once so far where that says nothing of a window: silent; it is not known to be idle.
* ready, and its page could not be read for longer than ``stale_s``: silent.
* ending (deletionTimestamp is set), ended, failed or gone: not in the answer, at once. A stale answer for a
  pod that is gone stays in the mean of the HPA, which does not compare it with the pods that exist.
* never NaN and never infinite.

Source: kubernetes v1.37.2, pkg/controller/podautoscaler/replica_calculator.go (calcPlainMetricReplicas,
groupPods, removeMetricsForPods).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Idle = Literal["zero", "silent", "last"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The choices.

    Attributes:
        idle: What a ready pod without requests says of its latency.
        stale_s: Age of a pod's newest reading beyond which it is silent [s, > 0].
        warming: Whether a pod that is not ready is silent, or says what it measures.
    """

    idle: Idle = "zero"
    stale_s: float = 20.0
    warming: Literal["silent", "counted"] = "silent"

    def oldest_s(self, now_s: float) -> float:
        """When a reading must have been made at the earliest to be said now [s, of the same clock]."""
        return now_s - self.stale_s


@dataclass(frozen=True, slots=True)
class PodState:
    """What is known of a pod when it is asked about.

    Attributes:
        ready: Its Ready condition.
        ending: It is being deleted.
        over: Its phase is Succeeded or Failed.
        age_s: Age of its newest reading [s]; infinity for none.
        value: The metric over its window; None where nothing happened in it.
        last: The metric when something last happened; None for never.
        known: Whether the readings suffice to say that nothing happened.
    """

    ready: bool
    ending: bool
    over: bool
    age_s: float
    value: float | None
    last: float | None
    known: bool = True


def answer(state: PodState, policy: Policy) -> float | None:
    """What is said of a pod; None for nothing.

    Args:
        state: The pod.
        policy: The choices.
    """
    if state.ending or state.over:
        return None
    if not state.ready and policy.warming == "silent":
        return None
    if state.age_s > policy.stale_s:
        return None
    value = state.value
    if value is None:
        if policy.idle == "silent" or not state.known:
            return None
        value = 0.0 if policy.idle == "zero" else state.last
    if value is None or not math.isfinite(value) or value < 0:
        return None
    return value
