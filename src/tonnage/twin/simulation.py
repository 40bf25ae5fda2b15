"""A run: the loops are wired, time passes, and what happened becomes the result.

Theory of operation. Control events live in the engine's heap; requests live in the compiled kernel, which is
called only when an event changes or reads it (``serving``). Between two such moments nothing of Python runs,
however many requests pass. The order of the wiring below is the order in which loops are told of a change.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from tonnage.scheduling import Budget, selector_of
from tonnage.twin.cluster_plan import OtherPod
from tonnage.twin.events import Priority
from tonnage.twin.loops.contending import Contending
from tonnage.twin.loops.happening import Happenings
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.loops.nodes import Nodes
from tonnage.twin.loops.observing import Observing, histogram_of
from tonnage.twin.loops.placing import Placing
from tonnage.twin.loops.provisioning import Provisioning
from tonnage.twin.loops.rollout import Rollouts
from tonnage.twin.loops.routing import Routing
from tonnage.twin.loops.scaling import Scaling
from tonnage.twin.loops.scraping import Scraping
from tonnage.twin.result import Result
from tonnage.twin.scenario import Scenario
from tonnage.twin.serving import Serving
from tonnage.twin.state import PodState, Run, Topic

Progress = Callable[[float], None]
"""Told the virtual seconds that are done."""

STEPS: Final = 200
"""How often progress is told."""

NOT_MODELLED: Final = (
    "A dead node's pods refuse connections at once; in reality a client may wait for its own time-out.",
    "All kube-proxies learn of a change at one time.",
    "Pods of other workloads use CPU and memory as stated, serve nothing, and end within a second.",
    "The metrics pipelines are empty at time 0, so that the autoscaler's first looks find no metrics.",
)


class Simulation:
    """One scenario, to be run once.

    Args:
        scenario: It.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario: Final = scenario

    def run(self, progress: Progress | None = None) -> Result:
        """Run it from 0 to ``duration_s``.

        Args:
            progress: Told the virtual seconds that are done, a few hundred times.

        Returns:
            What happened; equal for equal scenarios.
        """
        return _World(self.scenario).run(progress)


class _World:
    """The loops of one run."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.state = Run(scenario)
        self.serving = Serving(scenario, self.state.engine)
        self.kubelets = Kubelets(self.state, self.serving)
        self.routing = Routing(self.state, self.serving, self.kubelets)
        self.placing = Placing(self.state)
        self.rollouts = Rollouts(self.state)
        self.nodes = Nodes(self.state, self.kubelets, self.rollouts)
        self.contending = Contending(self.state, self.serving, self.kubelets)
        self.scraping = Scraping(self.state, self.serving, self.kubelets)
        self.observing = Observing(self.state, self.rollouts, self.routing, self.scraping)
        self.provisioning = Provisioning(self.state, self.nodes, self.placing, self.observing.booting)
        self.scaling = Scaling(self.state, self.rollouts, self.scraping, self.observing.decided)
        self.happenings = Happenings(
            self.state, self.nodes, self.kubelets, self.rollouts, self.scaling, self.placing
        )

    def run(self, progress: Progress | None) -> Result:
        """From the first to the last second."""
        self._begin()
        engine, duration_s = self.state.engine, self.scenario.duration_s
        for step in range(1, STEPS + 1):
            until_s = duration_s * step / STEPS
            engine.run(until_s)
            self.serving.advance(until_s)
            if progress is not None:
                progress(until_s)
        world = self.serving.world
        return Result(
            self.scenario,
            tuple(self.state.records),
            self.observing.series(world),
            self.observing.totals(world),
            histogram_of(world),
            self.scenario.not_modelled + NOT_MODELLED,
        )

    def _begin(self) -> None:
        scenario, state = self.scenario, self.state
        workload = scenario.workload
        # the default spread of pods follows their Service, which a served model has
        state.cluster.set_service(workload.namespace, workload.name, dict(workload.labels))
        if scenario.cluster.budget is not None:
            self.placing.before_attempt = self._state_budget
        for plan in scenario.cluster.nodes:
            self.nodes.join(plan, plan.node.name, None)
        self.provisioning.begin()
        for other in scenario.cluster.other_pods:
            self._add_other(other)
        self.happenings.begin()
        if workload.started:
            self._place_started()
        else:
            self.rollouts.create()
        self.routing.settle()
        self.contending.begin()
        self.scraping.begin(self.scaling.looks_between, scenario.autoscaler)
        self.scaling.begin()
        self.observing.plan()

    def _state_budget(self) -> None:
        """Tell the scheduler how many of the workload's pods preemption may drive away."""
        workload = self.scenario.workload
        selector = selector_of(workload.labels)
        allowed = self.nodes.evictions_allowed()
        self.state.cluster.set_budget(Budget(workload.namespace, workload.name, selector, allowed))

    def _place_started(self) -> None:
        for pod in self.rollouts.fill():
            if self.placing.place_now(pod):
                self.kubelets.place_serving(pod)
                self.state.note_pod(pod, "scheduled", "before the run")
                self.state.note_pod(pod, "ready", "before the run")

    def _add_other(self, other: OtherPod) -> None:
        state = self.state
        pod = dataclasses.replace(other.pod, node=None, uid=f"other/{other.pod.namespace}/{other.pod.name}")
        held = PodState(state.next_pod_number(), pod.name, pod, state.now_s, other=other)
        state.pods[pod.name] = held
        if other.node is not None:
            state.bind(held, other.node)
            held.phase, held.ready = "Running", True
        state.tell(Topic.POD_CREATED, held)
        state.watch(lambda gone: self._return(held, gone), Topic.POD_GONE)

    def _return(self, held: PodState, gone: PodState) -> None:
        """Somebody else's controller makes its pod anew."""
        other = held.other
        if gone is held and other is not None and other.returns:
            again = dataclasses.replace(other, node=None)
            delay_s = self.scenario.control.reaction_s
            self.state.engine.after(delay_s, Priority.WORKLOAD, lambda: self._add_other(again))

