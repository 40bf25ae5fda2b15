"""Pools in time: nodes are asked for, boot and join; nodes that nobody needs are drained and removed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Protocol

from tonnage.scheduling import Pod
from tonnage.twin.cluster_plan import NodeAutoscaler, NodePlan, PoolPlan
from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.loops.gpus import is_gpu
from tonnage.twin.loops.nodes import Nodes
from tonnage.twin.loops.placing import Placing
from tonnage.twin.loops.trial import Trial, packed, trial, without_fitting
from tonnage.twin.models import node_autoscaler as model
from tonnage.twin.models.node_autoscaler import Option
from tonnage.twin.state import NodeState, PodState, Run, Topic

_LOOK_GONE_S: Final = 1.0


class Booting(Protocol):
    """Told of nodes that are paid for and not there yet."""

    def __call__(self, node: NodeState, *, there: bool) -> None:
        """A node boots, or does so no longer."""


class Provisioning:
    """The pools and who grows and shrinks them.

    Args:
        run: The run.
        nodes: Machines.
        placing: Pods that found no node.
        on_booting: Told of nodes that boot.
    """

    def __init__(self, run: Run, nodes: Nodes, placing: Placing, on_booting: Booting) -> None:
        self._run, self._nodes, self._placing, self._on_booting = run, nodes, placing, on_booting
        self._pools = {pool.name: pool for pool in run.scenario.cluster.pools}
        self._plan: NodeAutoscaler = run.scenario.cluster.autoscaler or NodeAutoscaler(scale_down=False)
        self._made = dict.fromkeys(self._pools, 0)
        self._booting: dict[str, NodeState] = {}
        self._left_alone_until_s: dict[str, float] = {}
        self._unneeded_since_s: dict[str, float] = {}
        self._movable: dict[str, tuple[int, bool]] = {}
        self._added_s = -math.inf
        self._batch: Ticket | None = None
        self._batch_began_s = math.inf
        self._rng = run.rng("provisioner")

    def begin(self) -> None:
        """Make the nodes of time 0, and start looking."""
        for pool in self._pools.values():
            for _ in range(pool.start):
                self._nodes.join(pool.template, self._next_name(pool), pool.name)
        if self._run.scenario.cluster.autoscaler is None:
            return
        if self._plan.kind == "cluster-autoscaler":
            self._run.engine.after(self._plan.scan_s, Priority.PROVISIONER, self._scan)
        else:
            self._run.watch(self._pod_refused, Topic.POD_UNSCHEDULABLE)
            if self._plan.scale_down:
                self._run.engine.after(model.CONSOLIDATION_S, Priority.PROVISIONER, self._consolidate)

    # -- growing

    def _scan(self) -> None:
        """One look of cluster-autoscaler."""
        self._run.engine.after(self._plan.scan_s, Priority.PROVISIONER, self._scan)
        pending = [pod.pod for pod in self._placing.unschedulable]
        grown = bool(pending) and self._grow(pending)
        cooling = self._run.now_s - self._added_s < self._plan.after_add_s
        if self._plan.scale_down and not grown:
            self._shrink(may_remove=not cooling)

    def _grow(self, pending: list[Pod]) -> bool:
        """Grow one pool so that as many pods as possible fit; whether one grew."""
        options: list[Option] = []
        with trial(self._run.cluster) as attempt:
            left = without_fitting(attempt, pending, self._coming())
        if not left:
            return False
        for pool in self._open_pools():
            with trial(self._run.cluster) as attempt:
                taken, count = packed(attempt, left, pool, self._room(pool))
            options.append(_option(pool, taken, count))
        chosen = model.best(options, self._plan.expander)
        if chosen is None:
            return False
        why = f"{chosen.pods} pending pods fit on {chosen.nodes} new nodes ({self._plan.expander})"
        for _ in range(chosen.nodes):
            self._ask(self._pools[chosen.pool], why)
        return True

    def _pod_refused(self, pod: PodState) -> None:  # noqa: ARG002 - Karpenter looks at all of them
        """Karpenter waits until no more pods come, and not for ever."""
        now_s = self._run.now_s
        waiting = self._batch is not None and self._batch.waiting
        if not waiting:
            self._batch_began_s = now_s
        elif self._batch is not None:
            self._batch.cancel()
        due_s = min(now_s + self._plan.batch_idle_s, self._batch_began_s + self._plan.batch_max_s)
        self._batch = self._run.engine.at(due_s, Priority.PROVISIONER, self._provision)

    def _provision(self) -> None:
        """Karpenter: new nodes for all pending pods, each time the pool that is cheapest for a pod."""
        asked: list[tuple[PoolPlan, int]] = []
        with trial(self._run.cluster) as attempt:
            left = without_fitting(attempt, [pod.pod for pod in self._placing.unschedulable], self._coming())
            room = {pool.name: self._room(pool) for pool in self._open_pools()}
            while left:
                chosen = self._cheapest(left, room)
                if chosen is None:
                    break
                taken, _ = packed(attempt, left, chosen, 1)
                room[chosen.name] -= 1
                asked.append((chosen, len(taken)))
                uids = {pod.uid for pod in taken}
                left = [pod for pod in left if pod.uid not in uids]
        for pool, count in asked:
            self._ask(pool, f"{count} pending pods")

    def _cheapest(self, left: list[Pod], room: dict[str, int]) -> PoolPlan | None:
        """The pool of which one new node is cheapest for each pod that it takes."""
        options = []
        for name in [name for name, count in room.items() if count > 0]:
            with trial(self._run.cluster) as attempt:
                taken, count = packed(attempt, left, self._pools[name], 1)
            options.append(_option(self._pools[name], taken, count))
        chosen = model.best(options, "price")
        return None if chosen is None else self._pools[chosen.pool]

    def _coming(self) -> list[NodePlan]:
        return [node.plan for node in self._booting.values()]

    def _open_pools(self) -> list[PoolPlan]:
        now_s = self._run.now_s
        return [
            pool
            for name, pool in self._pools.items()
            if self._room(pool) > 0 and self._left_alone_until_s.get(name, 0.0) <= now_s
        ]

    def _size(self, pool: PoolPlan) -> int:
        there = sum(node.pool == pool.name and not node.leaving for node in self._run.nodes.values())
        return there + sum(node.pool == pool.name for node in self._booting.values())

    def _room(self, pool: PoolPlan) -> int:
        return pool.size_max - self._size(pool)

    def _next_name(self, pool: PoolPlan) -> str:
        self._made[pool.name] += 1
        return f"{pool.name}-{self._made[pool.name]}"

    def _ask(self, pool: PoolPlan, why: str) -> None:
        """Ask the provider for a node."""
        now_s, name = self._run.now_s, self._next_name(pool)
        self._run.note_node(name, "asked_for", why)
        if any(from_s <= now_s < until_s for from_s, until_s in pool.stockout):
            self._run.note_node(name, "not_available", f"the provider has no {pool.name}")
            self._left_alone_until_s[pool.name] = now_s + model.GROUP_BACKOFF_S
            self._again_after(model.GROUP_BACKOFF_S)
            return
        self._added_s = now_s
        node = NodeState(name, pool.template, pool.name, joined_s=now_s)
        self._booting[name] = node
        self._on_booting(node, there=True)
        startup_s = pool.startup_s.at(self._rng.random())
        if startup_s > self._plan.provision_max_s:
            limit_s = self._plan.provision_max_s
            self._run.engine.after(limit_s, Priority.PROVISIONER, lambda: self._give_up(node, pool))
        else:
            self._run.engine.after(startup_s, Priority.NODE, lambda: self._joined(node, pool))

    def _again_after(self, delay_s: float) -> None:
        """Karpenter looks again without a new pod when a pool that it left alone may be asked again."""
        if self._plan.kind == "karpenter":
            self._run.engine.after(delay_s, Priority.PROVISIONER, self._provision)

    def _joined(self, node: NodeState, pool: PoolPlan) -> None:
        del self._booting[node.name]
        self._on_booting(node, there=False)
        boot_s = self._run.now_s - node.joined_s
        self._run.note_node(node.name, "joined", f"{boot_s:.0f} s after it was asked for")
        self._nodes.join(pool.template, node.name, pool.name)

    def _give_up(self, node: NodeState, pool: PoolPlan) -> None:
        del self._booting[node.name]
        self._on_booting(node, there=False)
        self._left_alone_until_s[pool.name] = self._run.now_s + model.GROUP_BACKOFF_S
        detail = f"it did not come in {self._plan.provision_max_s:g} s"
        self._run.note_node(node.name, "not_available", detail)
        self._again_after(model.GROUP_BACKOFF_S)

    # -- shrinking

    def _shrink(self, *, may_remove: bool) -> None:
        """cluster-autoscaler's half of a look: who is not needed, and for how long already."""
        now_s = self._run.now_s
        unneeded: dict[str, float] = {}
        for node in self._removable():
            if self._busy_ratio(node) < self._plan.utilization_max and self._can_move(node):
                unneeded[node.name] = self._unneeded_since_s.get(node.name, now_s)
                if node.name not in self._unneeded_since_s:
                    self._run.note_node(node.name, "unneeded", f"{self._busy_ratio(node):.0%} requested")
        self._unneeded_since_s = unneeded
        if not may_remove:
            return
        due = [name for name, since_s in unneeded.items() if now_s - since_s >= self._plan.idle_s]
        empty = [name for name in due if not self._run.pods_on(name)][: model.EMPTY_MAX]
        for name in empty or due[:1]:
            node = self._run.nodes[name]
            pool = self._pools[node.pool or ""]
            if self._size(pool) > pool.size_min:
                del self._unneeded_since_s[name]
                self._release(node, f"unneeded for {self._plan.idle_s:g} s")

    def _consolidate(self) -> None:
        """One look of Karpenter at what could go."""
        self._run.engine.after(model.CONSOLIDATION_S, Priority.PROVISIONER, self._consolidate)
        if self._booting or self._placing.unschedulable:
            return
        before_s = self._run.now_s - self._plan.consolidate_after_s
        rested = [node for node in self._removable() if self._changed_s(node) <= before_s]
        empty = [node for node in rested if not self._run.pods_on(node.name)]
        for node in empty:
            self._try_release(node, "empty")
        if empty or any(node.leaving for node in self._run.nodes.values()):
            return
        for node in sorted(rested, key=lambda item: len(self._run.pods_on(item.name))):
            if self._can_move(node) and self._try_release(node, "underutilized: its pods fit elsewhere"):
                return

    def _try_release(self, node: NodeState, why: str) -> bool:
        pool = self._pools[node.pool or ""]
        if self._size(pool) <= pool.size_min:
            return False
        self._release(node, why)
        return True

    def _changed_s(self, node: NodeState) -> float:
        """When a pod last came to a node, or the node itself [s]."""
        times = [pod.created_s for pod in self._run.pods_on(node.name)]
        return max([node.joined_s, *times])

    def _removable(self) -> list[NodeState]:
        return [
            node
            for node in self._run.nodes.values()
            if node.pool is not None and node.alive and node.ready and not node.leaving and not node.cordoned
        ]

    def _busy_ratio(self, node: NodeState) -> float:
        held = self._run.cluster.node(node.name)
        allocatable = dict(held.allocatable.items())
        gpus = [name for name in allocatable if is_gpu(name) and allocatable[name]]
        return model.utilization(self._run.cluster.requested(node.name), allocatable, gpus)

    def _can_move(self, node: NodeState) -> bool:
        """Whether all pods of a node fit on other nodes, and may leave."""
        pods = [pod for pod in self._run.pods_on(node.name) if pod.deleted_s is None]
        own = sum(pod.other is None and bool(pod.ready) for pod in pods)
        budget = self._run.scenario.cluster.budget
        if own and budget is not None and self._nodes.evictions_allowed() < 1:
            return False
        known = self._movable.get(node.name)
        if known is None or known[0] != self._placing.generation:
            known = self._movable[node.name] = (self._placing.generation, self._try_to_move(node, pods))
        return known[1]

    def _try_to_move(self, node: NodeState, pods: list[PodState]) -> bool:
        others = [name for name, item in self._run.nodes.items() if item is not node and not item.leaving]
        with trial(self._run.cluster) as attempt:
            return all(_moves(attempt, pod.pod, others) for pod in pods)

    def _release(self, node: NodeState, why: str) -> None:
        """Drain a node, and remove it when it is empty."""
        node.leaving = True
        self._nodes.drain(node.name, why)
        self._when_empty(node, lambda: self._nodes.remove(node.name, why))

    def _when_empty(self, node: NodeState, act: Callable[[], None]) -> None:
        if self._run.nodes.get(node.name) is not node:
            return
        if self._run.pods_on(node.name):
            self._run.engine.after(_LOOK_GONE_S, Priority.PROVISIONER, lambda: self._when_empty(node, act))
        else:
            act()


def _moves(attempt: Trial, pod: Pod, others: list[str]) -> bool:
    return attempt.place(pod, others) is not None


def _option(pool: PoolPlan, taken: list[Pod], nodes: int) -> Option:
    requested: dict[str, int] = {}
    for pod in taken:
        for name, amount in pod.spec.requests.items():
            requested[name] = requested.get(name, 0) + amount
    allocatable = dict(pool.template.node.allocatable.items())
    wasted = model.waste(requested, allocatable, max(nodes, 1))
    return Option(pool.name, len(taken), nodes, pool.template.price_per_h, wasted, pool.priority)
