"""Nodes that join, fail, come back, are drained and taken away, and what the control plane makes of it."""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections import defaultdict
from functools import partial

from tonnage.twin.cluster_plan import NodePlan
from tonnage.twin.events import Priority
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.loops.rollout import Rollouts
from tonnage.twin.models import disruption, node_lifecycle
from tonnage.twin.models.node_lifecycle import Zone
from tonnage.twin.state import NodeState, PodState, Run, Topic

_HOUR_S = 3600.0


class Nodes:
    """The nodes of the cluster.

    Args:
        run: The run.
        kubelets: What runs on them.
        rollouts: The Deployment, for disruption budgets.
    """

    def __init__(self, run: Run, kubelets: Kubelets, rollouts: Rollouts) -> None:
        self._run, self._kubelets, self._rollouts = run, kubelets, rollouts
        self._times = run.scenario.control
        self._tainted_at_s: dict[str, float] = defaultdict(lambda: -math.inf)
        self._evicting_since_s: dict[str, float] = {}
        self._away_until_s = 0.0

    # -- joining and leaving

    def join(self, plan: NodePlan, name: str, pool: str | None) -> NodeState:
        """A node is there and Ready.

        Args:
            plan: What it is.
            name: Its name.
            pool: Its pool, if any.
        """
        node = dataclasses.replace(
            plan.node, name=name, labels={**plan.node.labels, "kubernetes.io/hostname": name}
        )
        state = NodeState(name, plan, pool, joined_s=self._run.now_s)
        state.images.update(dict.fromkeys(plan.images, 0.0))
        self._run.nodes[name] = state
        self._run.cluster.add_node(node)
        self._run.tell(Topic.NODE_JOINED, state)
        self._plan_spot(state)
        return state

    def remove(self, name: str, why: str) -> None:
        """A node's object is gone; so are the pods on it, at the garbage collector's next looks."""
        node = self._run.nodes.pop(name, None)
        if node is None:
            return
        if node.alive:
            self._kubelets.fail(node)
        left = self._run.pods_on(name)
        self._run.cluster.remove_node(name)
        self._run.note_node(name, "removed", why)
        self._run.tell(Topic.NODE_GONE, node)
        gc_s = self._times.pod_gc_s
        orphan_s = self._run.now_s + node_lifecycle.ORPHAN_S
        at_s = math.ceil(orphan_s / gc_s) * gc_s
        for pod in left:
            pod.ready, pod.ready_at_s = False, None
            self._run.tell(Topic.POD_STATUS, pod)
            self._run.engine.at(at_s, Priority.LIFECYCLE, partial(self._collect, pod))

    def fail(self, name: str, why: str) -> None:
        """A machine stops without a word."""
        node = self._run.nodes.get(name)
        if node is None or not node.alive:
            return
        self._run.note_node(name, "failed", why)
        self._kubelets.fail(node)
        times = self._times
        at_s = node_lifecycle.unknown_at(
            node.joined_s, self._run.now_s, 0.0, times.node_monitor_period_s, times.node_monitor_grace_s
        )
        at_s = max(at_s, self._away_until_s)
        self._run.engine.at(at_s, Priority.LIFECYCLE, lambda: self._lost(node, node.died_s))
        if times.node_removed_s < math.inf:
            delay_s = times.node_removed_s
            self._run.engine.after(delay_s, Priority.NODE, lambda: self._remove_dead(node))

    def recover(self, name: str) -> None:
        """A machine is back."""
        node = self._run.nodes.get(name)
        if node is None or node.alive:
            return
        node.joined_s = self._run.now_s
        self._run.note_node(name, "recovered")
        self._kubelets.recover(node)
        if not node.ready:
            period_s = self._times.node_monitor_period_s
            at_s = math.ceil(self._run.now_s / period_s) * period_s
            self._run.engine.at(at_s, Priority.LIFECYCLE, lambda: self._reachable(node))

    def restart(self, away_s: float) -> None:
        """The node lifecycle controller is away."""
        self._away_until_s = self._run.now_s + away_s

    # -- lifecycle

    def _lost(self, node: NodeState, died_s: float) -> None:
        if not self._is_lost(node, died_s):
            return
        node.ready = False
        self._run.note_node(node.name, "unknown", "Kubelet stopped posting node status")
        for pod in self._run.pods_on(node.name):
            if pod.ready:
                pod.ready, pod.ready_since_s, pod.ready_at_s = False, float(int(self._run.now_s)), None
                self._run.note_pod(pod, "unready", "its node is Unknown")
                self._run.tell(Topic.POD_STATUS, pod)
        self._retaint(node, 1)
        # after all nodes that are found lost in the same look
        self._run.engine.after(0.0, Priority.LIFECYCLE, lambda: self._judge(node, died_s))

    def _judge(self, node: NodeState, died_s: float) -> None:
        zones = list(self._zones().values())
        if all(node_lifecycle.zone_state(zone) == "full" for zone in zones):
            # cut off from everything: what was tainted before is tainted no longer
            for other in self._run.nodes.values():
                if other.name in self._evicting_since_s:
                    del self._evicting_since_s[other.name]
                    self._retaint(other, 1)
                    self._again(other, other.died_s)
        if self._evictions_per_s(node) == 0.0:
            self._run.note_node(node.name, "tainted", "NoSchedule only: too many nodes are lost")
        self._again(node, died_s)

    def _again(self, node: NodeState, died_s: float) -> None:
        """Queue a lost node for NoExecute as soon as its zone lets any through."""
        if not self._is_lost(node, died_s):
            return
        zone, rate, now_s = self._zone_of(node), self._evictions_per_s(node), self._run.now_s
        if rate == 0.0:
            retry_s = self._times.node_monitor_period_s
            self._run.engine.after(retry_s, Priority.LIFECYCLE, lambda: self._again(node, died_s))
            return
        at_s = max(now_s, self._tainted_at_s[zone] + 1.0 / rate)
        self._tainted_at_s[zone] = at_s
        self._run.engine.at(at_s, Priority.LIFECYCLE, lambda: self._taint(node, died_s))

    def _is_lost(self, node: NodeState, died_s: float) -> bool:
        return not node.alive and node.died_s == died_s and self._run.nodes.get(node.name) is node

    def _evictions_per_s(self, node: NodeState) -> float:
        zones = self._zones()
        return node_lifecycle.evictions_per_s(zones[self._zone_of(node)], list(zones.values()))

    def _taint(self, node: NodeState, died_s: float) -> None:
        if not self._is_lost(node, died_s):
            return
        since_s = self._evicting_since_s[node.name] = self._run.now_s
        self._retaint(node, 2)
        self._run.note_node(node.name, "tainted", f"{node_lifecycle.UNREACHABLE}:NoExecute")
        taint = node_lifecycle.UNREACHABLE_TAINTS[1]
        for pod in self._run.pods_on(node.name):
            after_s = node_lifecycle.tolerated_s(pod.pod.spec, taint, self._times.toleration_s)
            if after_s < math.inf:
                self._run.engine.after(
                    after_s, Priority.LIFECYCLE, partial(self._evict_from_dead, pod, node, since_s)
                )

    def _evict_from_dead(self, pod: PodState, node: NodeState, since_s: float) -> None:
        if pod.gone or pod.deleted_s is not None or self._evicting_since_s.get(node.name) != since_s:
            return
        self._run.note_pod(pod, "evicted", f"it does not tolerate {node_lifecycle.UNREACHABLE} any longer")
        self._run.delete(pod, f"taint eviction: {node.name} is unreachable")

    def _reachable(self, node: NodeState) -> None:
        if not node.alive or node.name not in self._run.nodes:
            return
        node.ready = True
        self._evicting_since_s.pop(node.name, None)
        self._retaint(node, 0)
        for pod in self._run.pods_on(node.name):
            replica = self._kubelets.replicas.get(pod.name)
            if replica is not None:
                replica.republish()

    def _retaint(self, node: NodeState, count: int) -> None:
        """Give a node the first ``count`` of the unreachable taints."""
        held = self._run.cluster.node(node.name)
        others = tuple(taint for taint in held.taints if taint.key != node_lifecycle.UNREACHABLE)
        taints = others + node_lifecycle.UNREACHABLE_TAINTS[:count]
        self._run.cluster.update_node(dataclasses.replace(held, taints=taints))
        self._run.tell(Topic.NODE_CHANGED, node)

    def _zone_of(self, node: NodeState) -> str:
        return self._run.cluster.node(node.name).zone_key

    def _zones(self) -> dict[str, Zone]:
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for node in self._run.nodes.values():
            counts[self._zone_of(node)][0 if node.ready else 1] += 1
        return {zone: Zone(ready, not_ready) for zone, (ready, not_ready) in counts.items()}

    def _remove_dead(self, node: NodeState) -> None:
        if not node.alive:
            self.remove(node.name, "the cloud controller found no machine")

    def _collect(self, pod: PodState) -> None:
        if not pod.gone:
            self._run.note_pod(pod, "lost", f"its node {pod.node} is gone")
            self._kubelets.remove(pod)

    # -- drains

    def cordon(self, name: str, *, cordoned: bool) -> None:
        """Keep new pods off a node, or let them come again."""
        node = self._run.nodes.get(name)
        if node is None or node.cordoned == cordoned:
            return
        node.cordoned = cordoned
        held = self._run.cluster.node(name)
        self._run.cluster.update_node(dataclasses.replace(held, unschedulable=cordoned))
        self._run.note_node(name, "cordoned" if cordoned else "uncordoned")
        self._run.tell(Topic.NODE_CHANGED, node)

    def drain(self, name: str, why: str) -> None:
        """Cordon a node and evict its pods as far as the budget allows, again and again."""
        self.cordon(name, cordoned=True)
        self._evict(name, why)

    def _evict(self, name: str, why: str) -> None:
        node = self._run.nodes.get(name)
        if node is None or not node.cordoned or not node.alive:
            return
        pods = [pod for pod in self._run.pods_on(name) if pod.deleted_s is None]
        refused = 0
        for pod in pods:
            if pod.other is None and pod.ready and self.evictions_allowed() < 1:
                refused += 1
                continue
            self._run.note_pod(pod, "evicted", why)
            self._run.delete(pod, f"evicted: {why}")
        if refused:
            self._run.engine.after(disruption.RETRY_S, Priority.LIFECYCLE, lambda: self._evict(name, why))
        else:
            self._run.note_node(name, "drained", why)

    def evictions_allowed(self) -> int:
        """How many ready pods of the workload may be evicted now."""
        healthy = sum(bool(pod.ready) for pod in self._run.own_pods() if pod.active)
        budget = self._run.scenario.cluster.budget
        return healthy if budget is None else disruption.allowed(budget, self._rollouts.replicas, healthy)

    # -- spot

    def interrupt(self, name: str, notice_s: float, *, drained: bool) -> None:
        """The provider gives notice, and takes the node back."""
        node = self._run.nodes.get(name)
        if node is None or not node.alive or node.leaving:
            return
        node.leaving = True
        self._run.note_node(name, "interruption_notice", f"{notice_s:g} s")
        if drained:
            self.drain(name, "spot interruption")
        self._run.engine.after(notice_s, Priority.NODE, lambda: self._take_back(node))

    def _take_back(self, node: NodeState) -> None:
        if self._run.nodes.get(node.name) is not node:
            return
        self.fail(node.name, "taken back by the provider")
        times = self._times
        at_s = node_lifecycle.unknown_at(
            node.joined_s, self._run.now_s, 0.0, times.node_monitor_period_s, times.node_monitor_grace_s
        )
        self._run.engine.at(at_s, Priority.NODE, lambda: self._remove_dead(node))

    def _plan_spot(self, node: NodeState) -> None:
        spot = node.plan.spot
        if spot is None or spot.interruptions_per_h == 0:
            return
        rng = self._run.rng("spot", zlib.crc32(node.name.encode()))
        after_s = rng.exponential(_HOUR_S / spot.interruptions_per_h)
        self._run.engine.after(
            float(after_s),
            Priority.HAPPENING,
            lambda: self.interrupt(node.name, spot.notice_s, drained=spot.drained),
        )

