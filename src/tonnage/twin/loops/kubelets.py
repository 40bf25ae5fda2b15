"""All kubelets: from a pod's binding to its replica, from its deletion to its end, and nodes that die."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tonnage.twin.events import Priority
from tonnage.twin.loops.replica import Replica
from tonnage.twin.serving import Serving
from tonnage.twin.state import NodeState, PodState, Run, Topic

OTHERS_END_S: Final = 1.0
"""How long other people's pods take to end at most [s]."""


class Kubelets:
    """The replicas of the workload, by pod name.

    Args:
        run: The run.
        serving: The requests.

    Attributes:
        replicas: Of pods that are on a node, by name.
        on_demand: Who is told that a replica's demand changed; set by the node loops.
    """

    def __init__(self, run: Run, serving: Serving) -> None:
        self.replicas: dict[str, Replica] = {}
        self.on_demand: Callable[[Replica], None] = _nobody
        self._run, self._serving = run, serving
        run.watch(self._bound, Topic.POD_BOUND)
        run.watch(self._deleted, Topic.POD_DELETED)

    def place_serving(self, pod: PodState) -> None:
        """A pod that has been serving since before the run."""
        self._replica(pod).arrive_serving()

    def fail(self, node: NodeState) -> None:
        """A node dies, and all on it."""
        node.alive, node.died_s = False, self._run.now_s
        for pod in self._run.pods_on(node.name):
            if pod.name in self.replicas:
                self.replicas[pod.name].cut("its node died")

    def recover(self, node: NodeState) -> None:
        """A node that had died is back."""
        node.alive = True
        for pod in self._run.pods_on(node.name):
            if pod.name in self.replicas:
                self.replicas[pod.name].revive()
            elif pod.deleted_s is not None:
                self.remove(pod)
            elif pod.other is None:
                self._arrive(pod)

    def remove(self, pod: PodState) -> None:
        """A pod's object goes, whatever its kubelet thinks."""
        if pod.gone:
            return
        replica = self.replicas.pop(pod.name, None)
        if replica is not None:
            replica.cut("its pod is removed")
            self._give_back(replica.slot)
        self._run.forget(pod)
        self._run.note_pod(pod, "gone")
        self._run.tell(Topic.POD_GONE, pod)

    def _give_back(self, slot: int) -> None:
        """Let a slot be used again when no proxy sends to it any more."""
        times = self._run.scenario.control
        quiet_s = times.endpoints_s + times.proxy_s + 1.0
        self._run.engine.after(quiet_s, Priority.OBSERVE, lambda: self._serving.give_slot(slot))

    def _replica(self, pod: PodState) -> Replica:
        assert pod.node is not None
        node = self._run.nodes[pod.node]
        replica = Replica(
            self._run,
            self._serving,
            pod,
            node,
            self._serving.take_slot(),
            lambda changed: self.on_demand(changed),
            lambda ended: self.remove(ended.pod),
        )
        self.replicas[pod.name] = replica
        return replica

    def _bound(self, pod: PodState) -> None:
        sync_s = self._run.scenario.control.kubelet_sync_s
        if pod.other is not None:
            pod.phase, pod.ready = "Running", True
            return
        self._run.engine.after(sync_s, Priority.KUBELET, lambda: self._arrive(pod))

    def _arrive(self, pod: PodState) -> None:
        node = self._run.nodes.get(pod.node or "")
        if not pod.gone and node is not None and node.alive:
            self._replica(pod).arrive()

    def _deleted(self, pod: PodState) -> None:
        if pod.node is None:
            # nobody has to end anything: the API server removes it at once
            self._run.engine.after(0.0, Priority.STATUS, lambda: self.remove(pod))
            return
        sync_s = self._run.scenario.control.kubelet_sync_s
        self._run.engine.after(sync_s, Priority.KUBELET, lambda: self._end(pod))

    def _end(self, pod: PodState) -> None:
        node = self._run.nodes.get(pod.node or "")
        if pod.gone or node is None or not node.alive:
            return
        replica = self.replicas.get(pod.name)
        if replica is not None:
            replica.delete()
        else:
            # somebody else's pod, or one that its kubelet has not seen: nothing of it has to be drained
            end_s = min(pod.grace_s, OTHERS_END_S)
            self._run.engine.after(end_s, Priority.STATUS, lambda: self.remove(pod))


def _nobody(replica: Replica) -> None:
    """Nobody is told."""
