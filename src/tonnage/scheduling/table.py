"""The nodes as columns: one array per quantity, so that a decision looks at all nodes at once.

A node's place is its rank in the order in which nodes joined. Columns of requests change with every pod;
everything else (labels, taints, allocatable) only when a node changes, which ``epoch`` counts, so that
whatever was derived from it can be remembered until then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonnage.scheduling.node import Node
from tonnage.scheduling.resources import CPU, MEMORY, STORAGE

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Domains:
    """The values of one node label over the nodes.

    Attributes:
        of: Per node the rank of its value; -1 where the node lacks the label.
        count: How many different values there are.
    """

    of: Ints
    count: int

    @property
    def present(self) -> Bools:
        """Which nodes have the label."""
        return self.of >= 0

    def sums(self, amounts: Ints, among: Bools) -> Ints:
        """Adds amounts up per value, over the nodes ``among`` that have the label."""
        chosen = among & self.present
        # Weights are doubles, exact up to 2**53; these are counts of pods and weights of terms.
        return np.bincount(self.of[chosen], amounts[chosen], self.count).astype(np.int64)

    def spread_over(self, per_value: Ints, absent: int = 0) -> Ints:
        """Gives each node the amount of its value; ``absent`` where it lacks the label."""
        if self.count == 0:
            return np.full(len(self.of), absent, np.int64)
        return np.where(self.present, per_value[self.of], absent)


class NodeTable:
    """Columns of the nodes; changed by ``Cluster`` alone, read by every decision.

    Attributes:
        epoch: Changes whenever a node joins, leaves or changes.
        nodes: The nodes, in order.
        names: Their names.
        place: The rank of a node by name.
        allocatable: Per resource, per node.
        requested: Per resource, per node, over the pods there.
        pods_max: Pods that a node takes.
        pods: Pods that it has.
        accounted_cpu: As ``PodSpec.accounted``, per node [millicores].
        accounted_memory: As ``PodSpec.accounted``, per node [bytes].
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.nodes: list[Node] = []
        self.names: tuple[str, ...] = ()
        self.place: dict[str, int] = {}
        self.allocatable: dict[str, Ints] = {name: _none() for name in (CPU, MEMORY, STORAGE)}
        self.requested: dict[str, Ints] = {name: _none() for name in (CPU, MEMORY, STORAGE)}
        self.pods_max = _none()
        self.pods = _none()
        self.accounted_cpu = _none()
        self.accounted_memory = _none()
        self._domains: dict[str, Domains] = {}

    def __len__(self) -> int:
        return len(self.nodes)

    def insert(self, node: Node) -> int:
        """Appends a node without pods and returns its place."""
        place = len(self.nodes)
        self.nodes.append(node)
        for columns in (self.allocatable, self.requested):
            for name in columns:
                columns[name] = np.append(columns[name], 0)
        self.pods_max, self.pods = np.append(self.pods_max, 0), np.append(self.pods, 0)
        self.accounted_cpu = np.append(self.accounted_cpu, 0)
        self.accounted_memory = np.append(self.accounted_memory, 0)
        self.replace(place, node)
        return place

    def replace(self, place: int, node: Node) -> None:
        """Puts a changed node in the place of the former one; its pods stay."""
        self.nodes[place] = node
        self.pods_max[place] = node.pods_max
        for column in self.allocatable.values():
            column[place] = 0
        for name, amount in node.allocatable.items():
            self.column(self.allocatable, name)[place] = amount
        self._changed()

    def delete(self, place: int) -> None:
        """Takes a node out; the ones behind it move up."""
        del self.nodes[place]
        for columns in (self.allocatable, self.requested):
            for name in columns:
                columns[name] = np.delete(columns[name], place)
        self.pods_max, self.pods = np.delete(self.pods_max, place), np.delete(self.pods, place)
        self.accounted_cpu = np.delete(self.accounted_cpu, place)
        self.accounted_memory = np.delete(self.accounted_memory, place)
        self._changed()

    def column(self, columns: dict[str, Ints], name: str) -> Ints:
        """The column of a resource, made of zeros when there is none yet."""
        found = columns.get(name)
        if found is None:
            found = columns[name] = np.zeros(len(self.nodes), np.int64)
        return found

    def free(self, name: str) -> tuple[Ints, Ints]:
        """How much of a resource each node has, and how much of it the pods leave; that may be negative."""
        allocatable, requested = self.allocatable.get(name), self.requested.get(name)
        if allocatable is None:
            allocatable = np.zeros(len(self.nodes), np.int64)
        return allocatable, allocatable if requested is None else allocatable - requested

    def domains(self, key: str) -> Domains:
        """The values of a label over the nodes; remembered until a node changes."""
        found = self._domains.get(key)
        if found is None:
            ranks: dict[str, int] = {}
            values = [node.labels.get(key) for node in self.nodes]
            of = [-1 if value is None else ranks.setdefault(value, len(ranks)) for value in values]
            found = self._domains[key] = Domains(np.array(of, np.int64), len(ranks))
        return found

    def _changed(self) -> None:
        self.epoch += 1
        self._domains.clear()
        self.names = tuple(node.name for node in self.nodes)
        self.place = {name: place for place, name in enumerate(self.names)}


def _none() -> Ints:
    return np.zeros(0, np.int64)
