"""The scheduler: a queue of pods, one attempt at a time; ``tonnage.scheduling`` decides each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from tonnage.scheduling import Pod, schedule
from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.models.scheduling_queue import Waiting, back_off_s, first
from tonnage.twin.state import NodeState, PodState, Run, Topic


class Placing:
    """Pods without a node.

    Args:
        run: The run.

    Attributes:
        generation: Changes whenever a node or what is on nodes has changed.
        before_attempt: Brings what the scheduler reads beside nodes and pods up to date.
    """

    def __init__(self, run: Run) -> None:
        self.generation = 0
        self.before_attempt: Callable[[], None] = _nothing
        self._run = run
        self._active: dict[str, Waiting] = {}
        self._unschedulable: dict[str, Waiting] = {}
        self._rng = run.rng("scheduler")
        self._ticket: Ticket | None = None
        self._refused: dict[int, tuple[int, str]] = {}
        self._away_until_s = 0.0
        run.watch(self._created, Topic.POD_CREATED)
        run.watch(self._deleted, Topic.POD_DELETED)
        run.watch(self._gone, Topic.POD_GONE)
        run.watch(self._node_changed, Topic.NODE_JOINED, Topic.NODE_CHANGED, Topic.NODE_GONE)

    @property
    def unschedulable(self) -> list[PodState]:
        """Pods that found no node and wait for a change, oldest first."""
        return [self._run.pods[name] for name in self._unschedulable]

    def place_now(self, pod: PodState) -> bool:
        """Bind a pod at once, as was done before the run; whether it found a node."""
        self._active.pop(pod.name, None)
        placement = schedule(pod.pod, self._run.cluster, choose=self._choose, preempt=False)
        if placement.node is None:
            self._created(pod)
            return False
        self._run.bind(pod, placement.node)
        return True

    def restart(self, away_s: float) -> None:
        """The scheduler is away, and begins with all pending pods as new ones."""
        self._away_until_s = self._run.now_s + away_s
        for name in self._unschedulable:
            self._active[name] = Waiting(name, self._run.pods[name].pod.spec.priority, self._away_until_s, 0)
        self._unschedulable.clear()
        self._refused.clear()
        self._kick()

    def _created(self, pod: PodState) -> None:
        if pod.node is None:
            self._active[pod.name] = Waiting(pod.name, pod.pod.spec.priority, self._run.now_s, 0)
            self._kick()

    def _deleted(self, pod: PodState) -> None:
        if pod.node is not None and self._run.cluster.find_pod(pod.pod.uid) is not None:
            pod.pod = dataclasses.replace(pod.pod, terminating=True)
            self._run.cluster.update_pod(pod.pod)

    def _gone(self, pod: PodState) -> None:
        self._active.pop(pod.name, None)
        self._unschedulable.pop(pod.name, None)
        if pod.node is not None:
            self._changed()

    def _node_changed(self, node: NodeState) -> None:  # noqa: ARG002 - any change is a reason
        self._changed()

    def _changed(self) -> None:
        """Something may have made room: what did not fit is tried again."""
        self.generation += 1
        for name, waiting in self._unschedulable.items():
            ready_s = waiting.since_s + back_off_s(waiting.attempts, self._run.scenario.control)
            self._active[name] = dataclasses.replace(waiting, ready_s=ready_s)
        self._unschedulable.clear()
        self._kick()

    def _kick(self) -> None:
        if self._active and (self._ticket is None or not self._ticket.waiting):
            at_s = max(self._run.now_s + self._run.scenario.control.schedule_s, self._away_until_s)
            self._ticket = self._run.engine.at(at_s, Priority.SCHEDULER, self._attempt)

    def _attempt(self) -> None:
        if self._run.now_s < self._away_until_s:
            self._kick()
            return
        if not self._active:
            return
        self.before_attempt()
        waiting = first(self._active.values(), self._run.now_s)
        del self._active[waiting.name]
        pod = self._run.pods[waiting.name]
        if pod.deleted_s is None:
            self._try(pod, waiting)
        self._kick()

    def _try(self, pod: PodState, waiting: Waiting) -> None:
        known = self._refused.get(id(pod.pod.spec))
        if known is not None and known[0] == self.generation:
            # a pod of the same template has just been refused, and nothing has changed since
            self._refuse(pod, waiting, known[1])
            return
        placement = schedule(pod.pod, self._run.cluster, choose=self._choose)
        if placement.node is not None:
            self._run.bind(pod, placement.node)
            self._run.note_pod(pod, "scheduled")
            self.generation += 1
            self._run.tell(Topic.POD_BOUND, pod)
            if any(self._run.pods[name].pod.spec.affinity for name in self._unschedulable):
                self._changed()
            return
        nomination = placement.nomination
        if nomination is None:
            self._refused[id(pod.pod.spec)] = (self.generation, placement.note)
        self._refuse(pod, waiting, placement.note)
        if nomination is not None:
            self.generation += 1
            pod.pod = self._run.cluster.nominate(pod.pod, nomination.node)
            self._run.note_pod(pod, "nominated", f"to {nomination.node}")
            for victim in nomination.victims:
                self._preempt(victim, pod)

    def _preempt(self, victim: Pod, by: PodState) -> None:
        state = self._run.pods[victim.name]
        self._run.note_pod(state, "preempted", f"by {by.name}, of priority {by.pod.spec.priority}")
        self._run.delete(state, f"preempted by {by.name}")

    def _refuse(self, pod: PodState, waiting: Waiting, message: str) -> None:
        if message != pod.message:
            self._run.note_pod(pod, "unschedulable", message)
        pod.message = message
        refused = dataclasses.replace(
            waiting, attempts=waiting.attempts + 1, since_s=self._run.now_s, ready_s=self._run.now_s
        )
        self._unschedulable[pod.name] = refused
        flush_s = self._run.scenario.control.scheduler_flush_s
        self._run.engine.after(flush_s, Priority.SCHEDULER, self._flush(refused))
        self._run.tell(Topic.POD_UNSCHEDULABLE, pod)

    def _flush(self, refused: Waiting) -> Callable[[], None]:
        def act() -> None:
            if self._unschedulable.get(refused.name) is refused:
                self._active[refused.name] = self._unschedulable.pop(refused.name)
                self._kick()

        return act

    def _choose(self, names: Sequence[str], /) -> str:
        return names[0] if len(names) == 1 else names[int(self._rng.integers(len(names)))]


def _nothing() -> None:
    """Nothing to bring up to date."""
