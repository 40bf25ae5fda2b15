"""CPU and memory of nodes in time: rates of loads, speeds of servers, kills and evictions.

A node's shares are worked out anew when a container's stage changes, and every few seconds on nodes where the
containers together could want more than there is. On all other nodes a container's speed follows from its own
limit alone, and nothing is looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tonnage.twin.events import Priority
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.loops.replica import Replica
from tonnage.twin.models import contention
from tonnage.twin.models.contention import Demand, MemoryUse
from tonnage.twin.pod_life import Compute
from tonnage.twin.serving import Serving
from tonnage.twin.state import NodeState, PodState, Run, Topic

LOOK_S: Final = 5.0
"""Time between two looks at a node whose cores may be scarce [s]."""
_SATURATED: Final = 0.98
_SERVES: Final = ("serving", "draining")


@dataclass(slots=True)
class Load:
    """How busy a server was when it was last looked at."""

    at_s: float
    busy_s: float
    container: int
    want_cores: float


class Contending:
    """Shares of CPU and memory.

    Args:
        run: The run.
        serving: The requests.
        kubelets: The replicas.
    """

    def __init__(self, run: Run, serving: Serving, kubelets: Kubelets) -> None:
        self._run, self._serving, self._kubelets = run, serving, kubelets
        self._loads: dict[str, Load] = {}
        self._looking: set[str] = set()
        self._pressed: set[str] = set()
        self._planned: set[str] = set()
        kubelets.on_demand = self._demand_changed
        run.watch(self._pod_moved, Topic.POD_BOUND, Topic.POD_GONE)

    def begin(self) -> None:
        """Work out all nodes, at time 0."""
        for node in list(self._run.nodes.values()):
            self._settle(node)

    def _demand_changed(self, replica: Replica) -> None:
        self._plan(replica.node)

    def _pod_moved(self, pod: PodState) -> None:
        self._loads.pop(pod.name, None)
        node = self._run.nodes.get(pod.node or "")
        if node is not None:
            self._plan(node)

    def _plan(self, node: NodeState) -> None:
        """Settle a node at the end of this instant's containers."""
        if node.name not in self._planned:
            self._planned.add(node.name)
            self._run.engine.after(0.0, Priority.CONTAINER, lambda: self._planned_settle(node))

    def _planned_settle(self, node: NodeState) -> None:
        self._planned.discard(node.name)
        if self._run.nodes.get(node.name) is node and node.alive:
            self._settle(node)

    # -- CPU

    def _settle(self, node: NodeState) -> None:
        self._settle_memory(node)
        replicas = self._replicas(node)
        if not replicas:
            return
        others = [pod.other for pod in self._run.pods_on(node.name) if pod.other is not None]
        peaks = sum(_peak(replica.life.compute) for replica in replicas)
        peaks += sum(min(other.cpu_cores, other.cpu_limit_cores or math.inf) for other in others)
        scarce = peaks > node.plan.cpu_cores
        if not scarce:
            for replica in replicas:
                self._apply(replica, 1.0)
            return
        demands = [self._demand(replica) for replica in replicas]
        demands += [
            Demand(other.cpu_cores, other.cpu_request_cores, other.cpu_limit_cores) for other in others
        ]
        got = contention.shared(demands, node.plan.cpu_cores)
        for replica, demand, cores in zip(replicas, demands, got, strict=False):
            wanted = demand.bounded_cores
            self._apply(replica, min(1.0, cores / wanted) if wanted > 0 else 1.0)
        if node.name not in self._looking:
            self._looking.add(node.name)
            self._run.engine.after(LOOK_S, Priority.CONTAINER, lambda: self._look(node))

    def _look(self, node: NodeState) -> None:
        self._looking.discard(node.name)
        if self._run.nodes.get(node.name) is node and node.alive:
            for replica in self._replicas(node):
                self._measure(replica)
            self._settle(node)

    def _replicas(self, node: NodeState) -> list[Replica]:
        found = (self._kubelets.replicas.get(pod.name) for pod in self._run.pods_on(node.name))
        return [r for r in found if r is not None and r.running_s is not None]

    def _demand(self, replica: Replica) -> Demand:
        compute = replica.life.compute
        container = replica.container
        assert container is not None
        want = container.cpu_wanted_cores
        if container.stage in _SERVES:
            load = self._loads.get(replica.pod.name)
            current = load is not None and load.container == container.number
            want += load.want_cores if load is not None and current else 0.0
        return Demand(want, compute.cpu_request_cores, compute.cpu_limit_cores)

    def _measure(self, replica: Replica) -> None:
        """How many cores a server would use for its requests if it got them."""
        container = replica.container
        assert container is not None
        assert replica.pod.template is not None
        if container.stage not in _SERVES:
            return
        busy_s = self._serving.totals(replica.slot).busy_s
        now_s = self._run.now_s
        load = self._loads.get(replica.pod.name)
        if load is None or load.container != container.number:
            since_s, before_s = container.serving_since_s, 0.0
        else:
            since_s, before_s = load.at_s, load.busy_s
        if now_s <= since_s:
            return
        model = self._run.scenario.servers[replica.pod.template.server]
        busy = (busy_s - before_s) / (now_s - since_s) / (model.workers * model.parallel)
        # a slowed server is busy for longer with the same work, until it is busy all the time
        share = 1.0 if busy >= _SATURATED else busy * min(container.speed, 1.0)
        want = replica.life.compute.cpu_busy_cores * share
        self._loads[replica.pod.name] = Load(now_s, busy_s, container.number, want)

    def _apply(self, replica: Replica, share: float) -> None:
        """Give a container its share: of the cores that it wants within its limit."""
        container, compute = replica.container, replica.life.compute
        assert container is not None
        limit = compute.cpu_limit_cores
        if container.stage in _SERVES:
            peak = compute.cpu_busy_cores
            free = math.inf if limit is None else max(limit - compute.cpu_idle_cores, 1e-3)
            within = 1.0 if peak == 0 else min(1.0, free / peak)
            container.set_speed(contention.speed(min(within, share), compute.cpu_bound_ratio))
        elif container.stage != "ended":
            want = compute.cpu_start_cores
            within = 1.0 if limit is None or want == 0 else min(1.0, limit / want)
            container.set_rate(max(within * share, 1e-3))

    # -- memory

    def _settle_memory(self, node: NodeState) -> None:
        if node.plan.memory_bytes == math.inf:
            return
        uses = self._uses(node)
        victim = contention.oom_victim(uses, node.plan.memory_bytes)
        if victim is not None:
            self._run.note_node(node.name, "pressure", "out of memory")
            self._kill(victim)
        elif contention.eviction_victim(uses, node.plan.memory_bytes) and node.name not in self._pressed:
            self._pressed.add(node.name)
            wait_s = contention.EVICTION_LOOK_S
            self._run.engine.after(wait_s, Priority.KUBELET, lambda: self._evict(node))

    def _uses(self, node: NodeState) -> list[MemoryUse]:
        uses = []
        for pod in self._run.pods_on(node.name):
            priority = pod.pod.spec.priority
            if pod.other is not None:
                request = pod.other.memory_request_bytes
                uses.append(MemoryUse(pod.name, pod.other.memory_bytes, request, None, False, priority))
                continue
            replica = self._kubelets.replicas.get(pod.name)
            if replica is None or replica.running_s is None or replica.container is None:
                continue
            compute = replica.life.compute
            cpu = compute.cpu_request_cores
            uses.append(
                MemoryUse(
                    pod.name,
                    replica.container.memory_bytes,
                    compute.memory_request_bytes,
                    compute.memory_limit_bytes,
                    cpu is not None and cpu == compute.cpu_limit_cores,
                    priority,
                )
            )
        return uses

    def _kill(self, name: str) -> None:
        replica = self._kubelets.replicas.get(name)
        if replica is not None:
            replica.crash("oom_killed", "its node has no memory left")
        else:
            self._run.delete(self._run.pods[name], "its node has no memory left")

    def _evict(self, node: NodeState) -> None:
        self._pressed.discard(node.name)
        if self._run.nodes.get(node.name) is not node or not node.alive:
            return
        victim = contention.eviction_victim(self._uses(node), node.plan.memory_bytes)
        if victim is None:
            return
        pod = self._run.pods[victim]
        self._run.note_node(node.name, "pressure", "The node was low on resource: memory")
        self._run.note_pod(pod, "evicted", "The node was low on resource: memory")
        pod.phase = "Failed"
        self._kubelets.remove(pod)


def _peak(compute: Compute) -> float:
    """The most that a container may want [cores]."""
    most = max(compute.cpu_start_cores, compute.cpu_idle_cores + compute.cpu_busy_cores)
    return min(most, compute.cpu_limit_cores or math.inf)
