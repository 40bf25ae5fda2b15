"""A pod's probe workers in time: ticks, answers, time-outs; ``models.prober`` says what they add up to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.models import prober
from tonnage.twin.models.prober import ProbeKind, ProbeState, Standing
from tonnage.twin.pod_life import Probe
from tonnage.twin.state import Run


class Probed(Protocol):
    """What a worker asks of its pod."""

    @property
    def container_number(self) -> int:
        """Which container there is; 0 for none yet."""

    @property
    def running_s(self) -> float | None:
        """How long it has been running [s]; None when it is not."""

    @property
    def started(self) -> bool:
        """Whether its startup probe has passed."""

    @property
    def deleting(self) -> bool:
        """Whether its kubelet knows of its deletion."""

    def answer(self, probe: Probe) -> tuple[bool, float]:
        """Whether a probe passes now, and after how long that is known [s]."""

    def is_steady(self, probe: Probe) -> bool:
        """Whether the answer stays what it is until the pod changes."""


class ProbeWorker:
    """One probe of one pod.

    Args:
        run: The run.
        kind: Which probe.
        probe: Its settings.
        pod: Who is probed.
        on_standing: Called with the probe's kind when what counts has changed.
        on_failed: Called with the text of each failed probe.
    """

    def __init__(
        self,
        run: Run,
        kind: ProbeKind,
        probe: Probe,
        pod: Probed,
        on_standing: Callable[[ProbeKind], None],
        on_failed: Callable[[ProbeKind, str], None],
    ) -> None:
        self.kind, self.probe = kind, probe
        self.state = ProbeState(prober.initial(kind))
        self._run, self._pod = run, pod
        self._on_standing, self._on_failed = on_standing, on_failed
        self._anchor_s = run.now_s
        self._last_tick_s = -1.0
        self._ticket: Ticket | None = None
        self._asking: Ticket | None = None

    @property
    def standing(self) -> Standing:
        """What counts of the present container."""
        if self._pod.container_number != self.state.container:
            return prober.initial(self.kind)
        return self.state.standing

    def begin(self) -> None:
        """Look for the first time."""
        self._anchor_s = self._run.now_s
        self._plan(self._run.now_s)

    def trigger(self) -> None:
        """Look now, and every period from now."""
        if self._asking is None:
            self._anchor_s = self._run.now_s
            self._plan(self._run.now_s)

    def wake(self) -> None:
        """The pod has changed: go on ticking."""
        if self._ticket is None and self._asking is None:
            now_s = self._run.now_s
            due_s = prober.next_tick(self._anchor_s, self.probe.period_s, now_s - 1e-6)
            if due_s <= self._last_tick_s:
                due_s = prober.next_tick(self._anchor_s, self.probe.period_s, now_s)
            self._plan(due_s)

    def stop(self) -> None:
        """Never look again."""
        for ticket in (self._ticket, self._asking):
            if ticket is not None:
                ticket.cancel()
        self._ticket = self._asking = None

    def assume(self, passed: bool) -> None:
        """Take a standing as given, for a pod that was there before the run."""
        standing: Standing = "success" if passed else "failure"
        held = self.kind == "startup"
        self.state = ProbeState(standing, passed, 1, held, self._pod.container_number)

    def _plan(self, time_s: float) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
        self._ticket = self._run.engine.at(time_s, Priority.PROBE, self._tick)

    def _tick(self) -> None:
        self._ticket = None
        self._last_tick_s = self._run.now_s
        pod = self._pod
        if pod.container_number:
            self.state = prober.seen(self.state, self.kind, pod.container_number)
        gate = prober.gate(
            self.state,
            self.kind,
            self.probe,
            running_s=pod.running_s,
            started=pod.started,
            deleting=pod.deleting,
        )
        if gate == "stop":
            return
        if gate == "wait":
            # only a delay ends by itself; all else ends with a change of the pod, which wakes the worker
            delayed = pod.running_s is not None and not self.state.on_hold
            if delayed and pod.started != (self.kind == "startup"):
                self._plan(prober.next_tick(self._anchor_s, self.probe.period_s, self._run.now_s))
            return
        passed, after_s = pod.answer(self.probe)
        if after_s > self.probe.timeout_s:
            passed, after_s = False, float(self.probe.timeout_s)
        if after_s > 0:
            self._asking = self._run.engine.after(after_s, Priority.PROBE, lambda: self._result(passed))
        else:
            self._result(passed)

    def _result(self, passed: bool) -> None:
        self._asking = None
        pod = self._pod
        if pod.container_number != self.state.container or pod.running_s is None:
            self.wake()
            return
        before = self.state.standing
        steady = pod.is_steady(self.probe) and prober.settled(self.state, self.kind, self.probe, passed)
        self.state = prober.step(self.state, self.kind, self.probe, passed)
        if not steady:
            ticked_s = max(self._run.now_s, self._last_tick_s)
            self._plan(prober.next_tick(self._anchor_s, self.probe.period_s, ticked_s))
        if not passed:
            self._on_failed(self.kind, f"{self.state.run or self.probe.failure_threshold}")
        if self.state.standing != before:
            self._on_standing(self.kind)
