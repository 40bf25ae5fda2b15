"""The kubelet's rules about containers: when one is started again, and how one is ended.

Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/kuberuntime/kuberuntime_manager.go (doBackOff),
    pkg/kubelet/kubelet.go (newCrashLoopBackOff; HasExpiredFunc: 600 s), client-go v0.37.2
    util/flowcontrol/backoff.go (Next, IsInBackOffSince), kuberuntime_container.go (killContainer,
    setTerminationGracePeriod, minimumGracePeriodInSeconds).

Deviations:
    * The pod workers' retry jitter and the PLEG's relist of one second are in ``ControlTimes.status_s``.
    * Containers of one pod are one container.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tonnage.twin.control_times import ControlTimes
from tonnage.twin.pod_life import Termination

GRACE_S_MIN: Final = 2.0
"""A container always gets this long between SIGTERM and SIGKILL [s]."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """What the kubelet remembers of a container's restarts.

    Attributes:
        wait_s: The back-off that the next end will meet [s].
        updated_s: When it was last changed: at the last restart [s].
    """

    wait_s: float
    updated_s: float


def may_start_at(entry: BackOff | None, ended_s: float, times: ControlTimes) -> float:
    """When a container that ended may start again [s].

    NB: the first restart is at once; the back-off begins with the second.

    Args:
        entry: What is remembered; None before the first restart.
        ended_s: When it ended [s].
        times: The bounds of the back-off.
    """
    if entry is None or _forgotten(entry, ended_s, times):
        return ended_s
    return ended_s + entry.wait_s


def restarted(entry: BackOff | None, ended_s: float, now_s: float, times: ControlTimes) -> BackOff:
    """What is remembered after a restart.

    Args:
        entry: What was remembered.
        ended_s: When the container had ended [s].
        now_s: The time of the restart [s].
        times: The bounds of the back-off.
    """
    if entry is None or _forgotten(entry, ended_s, times):
        return BackOff(min(times.restart_backoff_s, times.restart_backoff_s_max), now_s)
    return BackOff(min(2 * entry.wait_s, times.restart_backoff_s_max), now_s)


def _forgotten(entry: BackOff, ended_s: float, times: ControlTimes) -> bool:
    return ended_s - entry.updated_s > times.restart_backoff_reset_s


@dataclass(frozen=True, slots=True)
class Ending:
    """The steps of ending a container, after the kubelet has decided it.

    Attributes:
        signal_s: SIGTERM, so long after the decision [s].
        kill_s: SIGKILL, so long after the decision [s].
    """

    signal_s: float
    kill_s: float


def ending(termination: Termination, grace_s: float) -> Ending:
    """How a container is ended: the preStop hook runs within the grace period, then SIGTERM, then SIGKILL.

    Args:
        termination: Its preStop hook.
        grace_s: The grace period [s, >= 0]; with 0 the hook does not run.
    """
    hook_s = min(termination.pre_stop_s, grace_s)
    return Ending(hook_s, hook_s + max(grace_s - hook_s, GRACE_S_MIN))
