"""The workload's Deployment and ReplicaSet controllers: ``models`` decide, this makes and deletes pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from tonnage.scheduling import Owner, selector_of
from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.models import deployment, replica_set
from tonnage.twin.models.deployment import ReplicaSetView
from tonnage.twin.models.replica_set import Candidate
from tonnage.twin.records import RolloutFact, RolloutRecord
from tonnage.twin.state import PodState, Run, Topic
from tonnage.twin.workload import Revision

HASH_LABEL = "pod-template-hash"


@dataclass(slots=True, eq=False)
class ReplicaSet:
    """A ReplicaSet's object."""

    number: int
    template: Revision
    size: int = 0
    desired: int | None = None
    pods_max: int | None = None


class Rollouts:
    """The Deployment.

    Args:
        run: The run.

    Attributes:
        replicas: ``spec.replicas``.
        sets: ReplicaSets by number.
        newest: Number of the one with the present template.
    """

    def __init__(self, run: Run) -> None:
        workload = run.scenario.workload
        self._run, self._workload, self._plan = run, workload, workload.rollout
        self.replicas = workload.replicas
        self.sets: dict[int, ReplicaSet] = {}
        self.newest = 0
        self._made = 0
        self._deployment: Ticket | None = None
        self._replica_set: Ticket | None = None
        self._away_until_s = 0.0
        self._rolling = False
        self._progress: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._deadline: Ticket | None = None
        self._said_deadlock = False
        self._adopt(workload.revision)
        run.watch(self._pod_changed, Topic.POD_CREATED, Topic.POD_STATUS, Topic.POD_DELETED, Topic.POD_GONE)
        run.watch(self._pod_changed, Topic.POD_UNSCHEDULABLE)

    @property
    def rolling(self) -> bool:
        """Whether a rollout is under way."""
        return self._rolling

    def fill(self) -> list[PodState]:
        """Make the pods that are there at time 0."""
        newest = self.sets[self.newest]
        self._write_size(newest, self.replicas)
        return [self._create(newest) for _ in range(self.replicas)]

    def create(self) -> None:
        """The Deployment is created at time 0."""
        self._begin_rollout("the Deployment is created")
        self._look(self._sync_deployment)

    def scale(self, replicas: int) -> None:
        """Write ``spec.replicas``."""
        if replicas != self.replicas:
            self.replicas = replicas
            self._look(self._sync_deployment)

    def roll_out(self, revision: Revision) -> None:
        """Edit the template; a former template takes up its ReplicaSet again."""
        self._adopt(revision)
        self._begin_rollout(revision.label or f"revision {self.newest}")
        self._look(self._sync_deployment)

    def restart(self, away_s: float) -> None:
        """The controllers are away."""
        self._away_until_s = self._run.now_s + away_s
        self._look(self._sync_deployment)

    # -- looking

    def _look(self, action: Callable[[], None]) -> None:
        """Plan a sync; several reasons for one are one."""
        at_s = max(self._run.now_s + self._run.scenario.control.reaction_s, self._away_until_s)
        if action == self._sync_deployment:
            if self._deployment is None or not self._deployment.waiting:
                self._deployment = self._run.engine.at(at_s, Priority.WORKLOAD, action)
        elif self._replica_set is None or not self._replica_set.waiting:
            self._replica_set = self._run.engine.at(at_s, Priority.WORKLOAD, action)

    def _pod_changed(self, pod: PodState) -> None:
        if pod.other is not None:
            return
        if pod.deleted_s is not None or pod.gone or pod.phase == "Failed":
            self._look(self._sync_sets)
        if pod.ready_at_s is not None and self._plan.min_ready_s > 0 and pod.deleted_s is None:
            due_s = pod.ready_at_s + self._plan.min_ready_s
            if due_s > self._run.now_s:
                self._run.engine.at(due_s, Priority.WORKLOAD, lambda: self._look(self._sync_deployment))
        self._look(self._sync_deployment)

    def _sync_deployment(self) -> None:
        if self._run.now_s < self._away_until_s:
            self._look(self._sync_deployment)
            return
        views = self._views()
        decided = deployment.step(self.replicas, self._plan, self.newest, views)
        for number, size in decided.sizes.items():
            self._write_size(self.sets[number], size)
        for number in decided.annotated:
            self._annotate(self.sets[number])
        if self._rolling:
            for why in decided.why:
                self._note("scaled", why)
        if decided.sizes:
            self._look(self._sync_sets)
        self._follow(views, stuck=not decided.sizes)

    def _sync_sets(self) -> None:
        if self._run.now_s < self._away_until_s:
            self._look(self._sync_sets)
            return
        related = [pod.node for pod in self._run.own_pods() if pod.active]
        for item in self.sets.values():
            active = [pod for pod in self._run.own_pods() if pod.active and pod.revision == item.number]
            change = replica_set.change(len(active), item.size)
            for _ in range(change):
                self._create(item)
            if change < 0:
                chosen = replica_set.victims(
                    [_candidate(pod) for pod in active], related, -change, self._run.now_s
                )
                by_number = {pod.number: pod for pod in active}
                why = f"its ReplicaSet has {len(active)} pods and wants {item.size}"
                for number in chosen:
                    self._run.delete(by_number[number], why)
            if abs(change) == replica_set.BURST_REPLICAS:
                self._look(self._sync_sets)

    def _views(self) -> list[ReplicaSetView]:
        now_s = self._run.now_s
        counts = {number: [0, 0, 0, 0] for number in self.sets}
        for pod in self._run.own_pods():
            count = counts[pod.revision]
            count[3] += pod.phase != "Failed"
            if pod.active:
                count[0] += 1
                count[1] += bool(pod.ready)
                ready_at_s = pod.ready_at_s
                waited = ready_at_s is not None and now_s - ready_at_s >= self._plan.min_ready_s - 1e-9
                count[2] += bool(pod.ready) and waited
        return [
            ReplicaSetView(
                item.number,
                item.size,
                pods=counts[item.number][0],
                ready=counts[item.number][1],
                available=counts[item.number][2],
                alive=counts[item.number][3],
                desired=item.desired,
                pods_max=item.pods_max,
            )
            for item in self.sets.values()
        ]

    # -- acting

    def _adopt(self, revision: Revision) -> None:
        for item in self.sets.values():
            if item.template == revision:
                self.newest = item.number
                return
        self.newest = len(self.sets) + 1
        item = ReplicaSet(self.newest, revision)
        self.sets[self.newest] = item
        self._annotate(item)
        selector = selector_of(self._labels(item))
        owner = Owner("ReplicaSet", self._set_name(item))
        self._run.cluster.set_controller(self._workload.namespace, owner, selector)

    def _write_size(self, item: ReplicaSet, size: int) -> None:
        item.size = size
        self._annotate(item)

    def _annotate(self, item: ReplicaSet) -> None:
        item.desired = self.replicas
        item.pods_max = self.replicas + deployment.max_surge(self._plan, self.replicas)

    def _set_name(self, item: ReplicaSet) -> str:
        return f"{self._workload.name}-{item.number}"

    def _labels(self, item: ReplicaSet) -> dict[str, str]:
        own = {HASH_LABEL: str(item.number)}
        return own | dict(self._workload.labels) | dict(item.template.pod.labels)

    def _create(self, item: ReplicaSet) -> PodState:
        self._made += 1
        name = f"{self._set_name(item)}-{self._made}"
        pod = dataclasses.replace(
            item.template.pod,
            namespace=self._workload.namespace,
            name=name,
            uid=name,
            labels=self._labels(item),
            owner=Owner("ReplicaSet", self._set_name(item)),
            node=None,
        )
        number = self._run.next_pod_number()
        state = PodState(number, name, pod, self._run.now_s, template=item.template, revision=item.number)
        self._run.pods[name] = state
        self._run.note_pod(state, "created")
        self._run.tell(Topic.POD_CREATED, state)
        return state

    # -- what rollouts say

    def _note(self, what: RolloutFact, detail: str) -> None:
        self._run.records.append(RolloutRecord(self._run.now_s, self.newest, what, detail))

    def _begin_rollout(self, detail: str) -> None:
        self._rolling, self._said_deadlock = True, False
        self._note("began", detail)
        self._progressed()

    def _progressed(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        at_s = self._run.now_s + self._plan.progress_deadline_s
        self._deadline = self._run.engine.at(at_s, Priority.WORKLOAD, self._timed_out)

    def _timed_out(self) -> None:
        if self._rolling:
            deadline_s = self._plan.progress_deadline_s
            self._note(
                "progress_deadline_exceeded", f"no progress for {deadline_s:g} s: {self._state_text()}"
            )

    def _follow(self, views: list[ReplicaSetView], *, stuck: bool) -> None:
        """Say how a rollout goes: progress, the end, or that nothing can move."""
        if not self._rolling:
            return
        new = next(view for view in views if view.revision == self.newest)
        others = sum(view.pods for view in views) - new.pods
        progress = (new.pods, -others, sum(v.ready for v in views), sum(v.available for v in views))
        if any(now > before for now, before in zip(progress, self._progress, strict=True)):
            self._progressed()
        self._progress = progress
        if new.pods == self.replicas and others == 0 and new.available == self.replicas:
            self._rolling = False
            if self._deadline is not None:
                self._deadline.cancel()
            self._note("complete", f"{self.replicas} of {self.replicas} updated and available")
        elif stuck and not self._said_deadlock and self._deadlocked(new):
            self._said_deadlock = True
            what = "the new pods find no node, and no old one may go"
            self._note("deadlocked", f"{what}: {self._state_text()}")

    def _deadlocked(self, new: ReplicaSetView) -> bool:
        """Nothing can move: what is not available cannot be placed, and nothing of ours is on its way out."""
        if self._run.scenario.cluster.autoscaler is not None:
            return False
        mine = [pod for pod in self._run.own_pods() if pod.active and not pod.ready]
        leaving = any(pod.deleted_s is not None for pod in self._run.own_pods())
        fresh = [pod for pod in mine if pod.revision == new.revision]
        unplaced = bool(fresh) and all(pod.node is None and pod.message for pod in fresh)
        return unplaced and not leaving and all(pod.node is None for pod in mine)

    def _state_text(self) -> str:
        surge, unavailable = deployment.fence(self._plan, self.replicas)
        sizes = ", ".join(f"revision {item.number}: {item.size}" for item in self.sets.values())
        waiting = [pod for pod in self._run.own_pods() if pod.active and not pod.ready]
        messages = sorted({pod.message for pod in waiting if pod.message and pod.node is None})
        text = f"{self.replicas} replicas, maxSurge {surge}, maxUnavailable {unavailable}; {sizes}"
        text += f"; {len(waiting)} pods are not ready"
        return f"{text}; {'; '.join(messages)}" if messages else text


def _candidate(pod: PodState) -> Candidate:
    phase: replica_set.Phase = "Pending" if pod.phase == "Pending" else "Running"
    since_s = pod.ready_since_s if pod.ready else None
    return Candidate(
        pod.number, pod.node, phase, bool(pod.ready), since_s, float(int(pod.created_s)), pod.restarts
    )
