"""The kubelet's prober: when a probe runs, and what its results add up to.

A worker belongs to a probe of a pod, not to a container: it is made when the kubelet first sees the pod,
looks at once and then every period, and most of its first looks find no container. The phase of the ticks is
therefore that of the pod's arrival, until a readiness worker is triggered by hand: the kubelet does so when
the container is started and not ready, which moves the phase.

Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/prober/worker.go (doProbe, run), prober_manager.go
    (UpdatePodStatus: the manual trigger), results/results_manager.go.

Deviations:
    * The random wait of a worker whose kubelet started less than a period ago is left out.
    * An answer takes no part of the kubelet's own CPU, however many pods are probed.
    * The kubelet also triggers readiness at its resync about once a minute; here only when the container has
      started and when its startup probe has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from tonnage.twin.pod_life import Probe

ProbeKind = Literal["startup", "readiness", "liveness"]
Standing = Literal["unknown", "success", "failure"]
Gate = Literal["probe", "wait", "stop"]


@dataclass(frozen=True, slots=True)
class ProbeState:
    """What a worker remembers.

    Attributes:
        standing: What counts now.
        last: Outcome of the last probe; None before the first.
        run: How many times in a row it has been that.
        on_hold: Whether it waits for a new container.
        container: The container that it watches; 0 for none yet.
    """

    standing: Standing
    last: bool | None = None
    run: int = 0
    on_hold: bool = False
    container: int = 0


def initial(kind: ProbeKind) -> Standing:
    """What counts before any probe: not ready, alive, not known to have started."""
    return {"readiness": "failure", "liveness": "success", "startup": "unknown"}[kind]  # type: ignore[return-value]


def seen(state: ProbeState, kind: ProbeKind, container: int) -> ProbeState:
    """The worker looks at the pod's container: a new one starts from the initial standing.

    NB: the length of the last run of results is kept across containers, as upstream keeps it.
    """
    if container == state.container:
        return state
    return replace(state, standing=initial(kind), on_hold=False, container=container)


def gate(
    state: ProbeState,
    kind: ProbeKind,
    probe: Probe,
    *,
    running_s: float | None,
    started: bool,
    deleting: bool,
) -> Gate:
    """Whether a tick probes.

    Args:
        state: The worker, after ``seen``.
        kind: Which probe.
        probe: Its settings.
        running_s: How long the container has been running [s]; None when it is not.
        started: Whether its startup probe has passed (or it has none).
        deleting: Whether the pod is being deleted.
    """
    if state.on_hold or running_s is None:
        return "wait"
    if deleting and kind != "readiness":
        return "stop"
    if int(running_s + 1e-9) < probe.initial_delay_s:
        return "wait"
    return "probe" if started != (kind == "startup") else "wait"


def step(state: ProbeState, kind: ProbeKind, probe: Probe, passed: bool) -> ProbeState:
    """The worker after one more result."""
    run = state.run + 1 if state.last == passed else 1
    state = replace(state, last=passed, run=run)
    if run < (probe.success_threshold if passed else probe.failure_threshold):
        return state
    held = kind == "startup" or (kind == "liveness" and not passed)
    standing: Standing = "success" if passed else "failure"
    return replace(state, standing=standing, on_hold=held, run=0 if held else run)


def settled(state: ProbeState, kind: ProbeKind, probe: Probe, passed: bool) -> bool:
    """Whether one more such result, and any number of them, would change nothing that counts.

    The twin then skips the ticks until the pod changes: probing a healthy pod every five seconds for a day is
    17,000 events that say the same.
    """
    if state.last != passed:
        return False
    if state.on_hold:
        return True
    standing: Standing = "success" if passed else "failure"
    return state.standing == standing and step(state, kind, probe, passed).standing == standing


def next_tick(anchor_s: float, period_s: float, after_s: float) -> float:
    """The first tick strictly after a time.

    Args:
        anchor_s: When the worker began, or was last triggered by hand [s].
        period_s: Its period [s].
        after_s: The time [s].
    """
    ticks = int((after_s - anchor_s) / period_s + 1e-9) + 1
    return anchor_s + ticks * period_s
