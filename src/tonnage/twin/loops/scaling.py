"""The autoscaler in time: it looks every sync period, and writes the Deployment's replicas."""

from __future__ import annotations

from collections.abc import Callable

from tonnage.hpa import NO_STATE, ContainerFact, ControllerState, Hpa, PodFact, ReadyCondition, reconcile
from tonnage.hpa.metrics import Scene
from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.loops.rollout import Rollouts
from tonnage.twin.loops.scraping import Scraping
from tonnage.twin.models.autoscaler import SAME_S, next_look, record_of, tolerances
from tonnage.twin.records import ScalingDecision
from tonnage.twin.state import PodState, Run
from tonnage.twin.workload import Revision

_BYTES_MILLI = 1000


class Scaling:
    """The HPA controller.

    Args:
        run: The run.
        rollouts: The Deployment.
        scraping: The metrics APIs.
        on_decision: Told of every look.

    Attributes:
        autoscaler: The HPA; None when there is none.
    """

    def __init__(
        self,
        run: Run,
        rollouts: Rollouts,
        scraping: Scraping,
        on_decision: Callable[[ScalingDecision], None],
    ) -> None:
        self.autoscaler = run.scenario.autoscaler
        self._run, self._rollouts, self._scraping = run, rollouts, scraping
        self._on_decision = on_decision
        self._state: ControllerState = NO_STATE
        self._times = run.scenario.control
        self._phase_s = self._times.hpa_phase_s
        self._ticket: Ticket | None = None
        self._facts: dict[int, tuple[ContainerFact, ...]] = {}

    def begin(self) -> None:
        """Start looking."""
        self._plan(self._phase_s)

    def looks_between(self, from_s: float, until_s: float) -> bool:
        """Whether a look falls in [from, until) [s], as far as is known."""
        look_s = next_look(self._phase_s, self._times.hpa.sync_period_s, from_s - 1e-6)
        return look_s < until_s - 1e-6

    def edit(self, autoscaler: Hpa | None) -> None:
        """The HPA is replaced: the controller looks at once, without a change of its rhythm."""
        was, self.autoscaler = self.autoscaler, autoscaler
        if autoscaler is None:
            self._state = NO_STATE
            return
        if was is None:
            self._phase_s = self._run.now_s
        self._run.engine.after(0.0, Priority.HPA, self._decide)

    def restart(self, away_s: float) -> None:
        """The controller forgets its memory, and begins a new rhythm when it is back."""
        self._state = self._state.restarted()
        self._phase_s = self._run.now_s + away_s
        self._plan(self._phase_s)

    def _plan(self, time_s: float) -> None:
        if self._ticket is not None:
            self._ticket.cancel()
        self._ticket = self._run.engine.at(time_s, Priority.HPA, self._look)

    def _look(self) -> None:
        now_s = self._run.now_s
        self._plan(next_look(self._phase_s, self._times.hpa.sync_period_s, now_s))
        self._decide()

    def _decide(self) -> None:
        hpa = self.autoscaler
        if hpa is None or self._run.now_s < self._phase_s - SAME_S:
            return
        scene = Scene(
            hpa,
            spec_replicas=self._rollouts.replicas,
            status_replicas=sum(pod.active for pod in self._run.own_pods()),
            pods=[self._fact(pod) for pod in self._run.own_pods()],
            snapshot=self._scraping.snapshot(hpa),
            tolerances=tolerances(hpa, self._times.hpa.tolerance),
            config=self._times.hpa,
            now_s=self._run.now_s,
        )
        found = reconcile(
            hpa,
            spec_replicas=scene.spec_replicas,
            status_replicas=scene.status_replicas,
            pods=scene.pods,
            metrics=scene.snapshot,
            state=self._state,
            config=scene.config,
            now_s=scene.now_s,
        )
        self._state = found.state
        record = record_of(scene, found)
        self._run.records.append(record)
        if found.rescale:
            self._rollouts.scale(found.desired_replicas)
        self._on_decision(record)

    def _fact(self, pod: PodState) -> PodFact:
        assert pod.template is not None
        ready = None
        if pod.ready is not None:
            ready = ReadyCondition("True" if pod.ready else "False", pod.ready_since_s)
        return PodFact(
            pod.name,
            phase=pod.phase,
            deleted=pod.deleted_s is not None,
            start_time_s=pod.start_time_s,
            ready=ready,
            containers=self._containers(pod.revision, pod.template),
        )

    def _containers(self, revision: int, template: Revision) -> tuple[ContainerFact, ...]:
        if revision not in self._facts:
            compute = template.life.compute
            requests = {}
            if compute.cpu_request_cores is not None:
                requests["cpu"] = round(compute.cpu_request_cores * 1000)
            if compute.memory_request_bytes is not None:
                requests["memory"] = compute.memory_request_bytes * _BYTES_MILLI
            self._facts[revision] = (ContainerFact(self._run.scenario.workload.container, requests),)
        return self._facts[revision]
