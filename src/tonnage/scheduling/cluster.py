"""The state of a cluster that scheduling reads: nodes, the pods on them, and what selects pods.

It is built up and changed step by step, as the scheduler's own cache is by watch events; a change costs the
same however many nodes and pods there are (a node that joins or leaves costs a pass over the nodes). The
decisions (``schedule``) read it and leave it as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tonnage.scheduling.counts import PodCounts, Question
from tonnage.scheduling.node import Node
from tonnage.scheduling.pod import Budget, HostPort, Owner, Pod
from tonnage.scheduling.resources import PODS
from tonnage.scheduling.selectors import Selector, selector_of
from tonnage.scheduling.table import Ints, NodeTable

Memory = dict[Any, Any]


class Cluster:
    """Nodes and pods of one cluster; not safe for use by several threads.

    Attributes:
        table: The nodes as columns; for reading.
        counts: How many pods of a kind each node has; for reading.
    """

    def __init__(self) -> None:
        self.table = NodeTable()
        self.counts = PodCounts(self.namespace_labels)
        self._pods: list[dict[str, Pod]] = []
        self._node_of: dict[str, str] = {}
        self._ports: list[set[HostPort]] = []
        self._devices: list[Counter[str]] = []
        self._nominated: dict[str, dict[str, Pod]] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._services: dict[tuple[str, str], Selector] = {}
        self._controllers: dict[tuple[str, Owner], Selector] = {}
        self._budgets: dict[tuple[str, str], Budget] = {}
        self._images: dict[str, tuple[int, int]] = {}
        self._memory: Memory = {}
        self._memory_epoch = -1

    # -- nodes

    def add_node(self, node: Node) -> None:
        """Lets a node join.

        Raises:
            ValueError: A node of this name is there.
        """
        if node.name in self.table.place:
            raise ValueError(f"node {node.name}: must not be in the cluster yet")
        self.table.insert(node)
        self.counts.insert_node()
        self._add_images(node)
        self._pods.append({})
        self._ports.append(set())
        self._devices.append(Counter())

    def update_node(self, node: Node) -> None:
        """Changes a node's labels, taints, cordon, images or allocatable; its pods stay.

        Raises:
            KeyError: There is no node of this name.
        """
        place = self.table.place[node.name]
        self._subtract_images(self.table.nodes[place])
        self._add_images(node)
        self.table.replace(place, node)

    def remove_node(self, name: str) -> tuple[Pod, ...]:
        """Takes a node out, with its pods.

        Returns:
            The pods that were there.

        Raises:
            KeyError: There is no node of this name.
        """
        place = self.table.place[name]
        pods = tuple(self._pods[place].values())
        for pod in pods:
            self.remove_pod(pod.uid)
        self._subtract_images(self.table.nodes[place])
        self.table.delete(place)
        self.counts.delete_node(place)
        del self._pods[place], self._ports[place], self._devices[place]
        return pods

    def node(self, name: str) -> Node:
        """The node of a name; KeyError when there is none."""
        return self.table.nodes[self.table.place[name]]

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of all nodes, in the order in which they joined."""
        return self.table.names

    # -- pods

    def add_pod(self, pod: Pod, node: str | None = None) -> Pod:
        """Binds a pod to a node; a nomination of it ends.

        Args:
            pod: It.
            node: The node; ``pod.node`` when left out.

        Returns:
            The pod as it is held now: with its node, and no nomination.

        Raises:
            KeyError: There is no such node.
            ValueError: A pod of this uid is there.
        """
        name = node if node is not None else pod.node
        if name is None or name not in self.table.place:
            raise KeyError(f"pod {pod.namespace}/{pod.name}: must have a node of the cluster, got {name}")
        if pod.uid in self._node_of:
            raise ValueError(f"pod {pod.namespace}/{pod.name}: must not be in the cluster yet")
        self.withdraw(pod.uid)
        if pod.node != name or pod.nominated is not None:
            pod = replace(pod, node=name, nominated=None)
        place = self.table.place[name]
        self._pods[place][pod.uid] = pod
        self._node_of[pod.uid] = name
        self._count(pod, place, 1)
        return pod

    def remove_pod(self, uid: str) -> Pod:
        """Takes a pod off its node; KeyError when it is on none."""
        place = self.table.place[self._node_of.pop(uid)]
        pod = self._pods[place].pop(uid)
        self._count(pod, place, -1)
        return pod

    def update_pod(self, pod: Pod) -> None:
        """Replaces a pod by its later self on the same node: other labels, or being deleted."""
        node = self._node_of[pod.uid]
        self.remove_pod(pod.uid)
        self.add_pod(pod, node)

    def pods_on(self, name: str) -> tuple[Pod, ...]:
        """The pods of a node, in the order in which they came."""
        return tuple(self._pods[self.table.place[name]].values())

    def pods(self) -> Iterator[tuple[int, Pod]]:
        """All pods with the place of their node."""
        return ((place, pod) for place, pods in enumerate(self._pods) for pod in pods.values())

    def find_pod(self, uid: str) -> Pod | None:
        """The bound pod of a uid, or None."""
        name = self._node_of.get(uid)
        return None if name is None else self._pods[self.table.place[name]][uid]

    def requested(self, name: str) -> dict[str, int]:
        """What the pods of a node request in all, by resource: millicores, bytes, counts."""
        return self.requested_at(self.table.place[name])

    def requested_at(self, place: int) -> dict[str, int]:
        """The same by the node's place; ``pods`` is how many there are."""
        found = {resource: int(column[place]) for resource, column in self.table.requested.items()}
        found[PODS] = int(self.table.pods[place])
        return found

    def ports_on(self, place: int) -> set[HostPort]:
        """The ports of a node that its pods take; for reading.

        As upstream, a port is free as soon as one of the pods that take it goes; two cannot run there anyway.
        """
        return self._ports[place]

    def devices_on(self, place: int) -> Counter[str]:
        """How many devices of each class the pods of a node hold; for reading."""
        return self._devices[place]

    # -- nominations

    def nominate(self, pod: Pod, node: str) -> Pod:
        """Reserves room on a node for a pod that preempted others there; pods of lower priority keep off.

        Returns:
            The pod with its nomination.
        """
        self.withdraw(pod.uid)
        pod = replace(pod, nominated=node)
        self._nominated.setdefault(node, {})[pod.uid] = pod
        return pod

    def withdraw(self, uid: str) -> None:
        """Ends the nomination of a pod, if it has one."""
        for node, pods in list(self._nominated.items()):
            if pods.pop(uid, None) is not None and not pods:
                del self._nominated[node]

    def nominated(self) -> Mapping[str, Mapping[str, Pod]]:
        """The nominated pods by node and uid; for reading."""
        return self._nominated

    # -- what selects pods

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """States the labels of a namespace; the one with its name is always there."""
        self._namespaces[name] = {"kubernetes.io/metadata.name": name, **labels}
        self.counts.forget()

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace; just its name where nothing was stated."""
        found = self._namespaces.get(name)
        if found is None:
            found = self._namespaces[name] = {"kubernetes.io/metadata.name": name}
        return found

    def set_service(self, namespace: str, name: str, selector: Mapping[str, str]) -> None:
        """States a Service; the default spreading goes by Services. One without selector has no pods."""
        self._services.pop((namespace, name), None)
        if selector:
            self._services[namespace, name] = selector_of(selector)
        self._memory.clear()

    def set_controller(self, namespace: str, owner: Owner, selector: Selector) -> None:
        """States the selector of a ReplicaSet, StatefulSet or ReplicationController."""
        self._controllers[namespace, owner] = selector
        self._memory.clear()

    def set_budget(self, budget: Budget) -> None:
        """States a disruption budget, in place of a former one of its name."""
        self._budgets[budget.namespace, budget.name] = budget

    def remove_budget(self, namespace: str, name: str) -> None:
        """Forgets a disruption budget, if it is there."""
        self._budgets.pop((namespace, name), None)

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All disruption budgets, by namespace and name."""
        return tuple(self._budgets[key] for key in sorted(self._budgets))

    def default_selector(self, pod: Pod) -> Selector:
        """What default spreading counts: the pods of the pod's Services and of its controller.

        Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/helper/spread.go, DefaultSelector.
        """
        requirements = dict.fromkeys(
            requirement
            for (namespace, _), selector in self._services.items()
            if namespace == pod.namespace and selector.matches(pod.labels)
            for requirement in selector.requirements
        )
        found = Selector(tuple(requirements))
        if pod.owner is not None:
            own = self._controllers.get((pod.namespace, pod.owner))
            if own is not None and not own.nothing:
                found = found.with_requirements(own.requirements)
        return found

    def image(self, name: str) -> tuple[int, int]:
        """The bytes of an image, as the first of its nodes states them, and how many nodes have it."""
        return self._images.get(name, (0, 0))

    # -- what decisions remember

    def memory(self) -> Memory:
        """Where decisions keep what they derived from nodes alone; emptied when a node changes."""
        if self._memory_epoch != self.table.epoch:
            self._memory.clear()
            self._memory_epoch = self.table.epoch
        return self._memory

    def count(self, question: Question) -> Ints:
        """How many pods of each node are meant by a question; do not change it."""
        return self.counts.count(question, self.pods())

    def _count(self, pod: Pod, place: int, times: int) -> None:
        table, spec = self.table, pod.spec
        for name, amount in spec.requests.items():
            if amount:
                table.column(table.requested, name)[place] += times * amount
        table.pods[place] += times
        table.accounted_cpu[place] += times * spec.accounted[0]
        table.accounted_memory[place] += times * spec.accounted[1]
        ports = self._ports[place]
        (ports.update if times > 0 else ports.difference_update)(spec.host_ports)
        for name, amount in spec.devices:
            self._devices[place][name] += times * amount
        self.counts.add(pod, place, times)

    def _add_images(self, node: Node) -> None:
        for name, size_bytes in node.images.items():
            size_bytes, nodes = self._images.get(name, (size_bytes, 0))
            self._images[name] = (size_bytes, nodes + 1)

    def _subtract_images(self, node: Node) -> None:
        for name in node.images:
            size_bytes, nodes = self._images.pop(name)
            if nodes > 1:
                self._images[name] = (size_bytes, nodes - 1)
