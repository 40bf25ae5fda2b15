"""How many pods of a kind each node has, kept up to date while pods come and go.

Spreading and affinity ask such questions for every pod: how many pods with these labels does each node have,
and which pods there have terms about a pod like this one? A question asked once is answered from then on by
a column that each arriving or leaving pod changes at its node, instead of by looking at all pods again.

Pods with equal labels in one namespace answer every question alike, so what a pod changes is remembered by
its namespace and labels (``kind_of``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonnage.scheduling.pod import AffinityTerm, Pod
from tonnage.scheduling.table import Ints

QUESTIONS_MAX: Final = 512
"""Questions remembered; beyond, the one that was asked longest ago is forgotten."""
KINDS_MAX: Final = 4096
"""Kinds of pods remembered; beyond, all are forgotten and found again."""

Kind = tuple[str, tuple[tuple[str, str], ...]]
NamespaceLabels = Callable[[str], Mapping[str, str]]


def kind_of(pod: Pod) -> Kind:
    """What pods have in common that answer every question alike: the namespace and the labels."""
    return pod.namespace, tuple(sorted(pod.labels.items()))


@dataclass(frozen=True, slots=True)
class Question:
    """How many pods are meant by *all* of these terms?

    Attributes:
        terms: At least one; their topology keys play no part.
        staying: Whether pods that are being deleted are left out, as spreading does.
    """

    terms: tuple[AffinityTerm, ...]
    staying: bool


@dataclass(frozen=True, slots=True)
class Carried:
    """A term of pods that are already placed, about pods yet to come.

    Attributes:
        term: It.
        weight: What it adds to the score of nodes near its pod; None for a required anti-affinity term,
            which rejects those nodes.
    """

    term: AffinityTerm
    weight: int | None


class PodCounts:
    """Columns of counts over the nodes of one cluster.

    Args:
        namespace_labels: The labels of a namespace.
    """

    def __init__(self, namespace_labels: NamespaceLabels) -> None:
        self._namespace_labels = namespace_labels
        self._nodes = 0
        self._answers: dict[Question, Ints] = {}
        self._changed_by: dict[Kind, tuple[list[Ints], list[Ints]]] = {}
        self._carried: dict[Carried, Ints] = {}
        self._about: dict[Kind, list[Carried]] = {}

    def insert_node(self) -> None:
        """Appends a node without pods."""
        self._resize(lambda column: np.append(column, 0), 1)

    def delete_node(self, place: int) -> None:
        """Takes out a node, which must have no pods left."""
        self._resize(lambda column: np.delete(column, place), -1)

    def add(self, pod: Pod, place: int, times: int = 1) -> None:
        """Counts a pod at a node, or with ``times`` -1 no more."""
        everyone, staying = self._columns_of(pod)
        for column in everyone:
            column[place] += times
        if not pod.terminating:
            for column in staying:
                column[place] += times
        for carried in carried_by(pod):
            found = self._carried.get(carried)
            if found is None:
                found = self._carried[carried] = np.zeros(self._nodes, np.int64)
                self._about.clear()
            found[place] += times

    def count(self, question: Question, pods: Iterable[tuple[int, Pod]]) -> Ints:
        """Answers a question.

        Args:
            question: It.
            pods: All pods with the place of their node; looked at when the question is new.

        Returns:
            A count per node; do not change it.
        """
        answer = self._answers.pop(question, None)
        if answer is None:
            answer = np.zeros(self._nodes, np.int64)
            for place, pod in pods:
                if not (question.staying and pod.terminating) and self.is_meant(question, pod):
                    answer[place] += 1
            if len(self._answers) >= QUESTIONS_MAX:
                del self._answers[next(iter(self._answers))]
            self._changed_by.clear()
        self._answers[question] = answer  # now the one asked last
        return answer

    def is_meant(self, question: Question, pod: Pod) -> bool:
        """Whether all terms of a question mean the pod; whether it is leaving plays no part."""
        of_namespace = self._namespace_labels(pod.namespace)
        return all(term.matches(pod.namespace, pod.labels, of_namespace) for term in question.terms)

    def about(self, pod: Pod) -> list[tuple[Carried, Ints]]:
        """The terms of placed pods that mean this pod, each with how many pods of a node have it."""
        kind = kind_of(pod)
        found = self._about.get(kind)
        if found is None:
            _make_room(self._about)
            self._forget_uncarried()
            found = self._about[kind] = [carried for carried in self._carried if self.means(carried, pod)]
        return [(carried, self._carried[carried]) for carried in found]

    def means(self, carried: Carried, pod: Pod) -> bool:
        """Whether a carried term means the pod."""
        return carried.term.matches(pod.namespace, pod.labels, self._namespace_labels(pod.namespace))

    def forget(self) -> None:
        """Forgets every answer, as after a change of a namespace's labels."""
        self._answers.clear()
        self._changed_by.clear()
        self._about.clear()

    def _columns_of(self, pod: Pod) -> tuple[list[Ints], list[Ints]]:
        kind = kind_of(pod)
        found = self._changed_by.get(kind)
        if found is None:
            _make_room(self._changed_by)
            everyone: list[Ints] = []
            staying: list[Ints] = []
            for question, answer in self._answers.items():
                if self.is_meant(question, pod):
                    (staying if question.staying else everyone).append(answer)
            found = self._changed_by[kind] = (everyone, staying)
        return found

    def _forget_uncarried(self) -> None:
        for carried in [carried for carried, column in self._carried.items() if not column.any()]:
            del self._carried[carried]
            self._about.clear()

    def _resize(self, change: Callable[[Ints], Ints], nodes: int) -> None:
        self._nodes += nodes
        self._answers = {question: change(column) for question, column in self._answers.items()}
        self._carried = {carried: change(column) for carried, column in self._carried.items()}
        self._changed_by.clear()


def carried_by(pod: Pod) -> tuple[Carried, ...]:
    """The terms of a placed pod that bear on later ones.

    A required affinity of a placed pod does not bind later pods, but draws them: upstream's
    hardPodAffinityWeight, 1 by default.
    """
    spec = pod.spec
    if not (spec.affinity or spec.anti_affinity or spec.preferred_affinity or spec.preferred_anti_affinity):
        return ()
    return (
        *(Carried(term, None) for term in spec.anti_affinity),
        *(Carried(term, 1) for term in spec.affinity),
        *(Carried(weighted.term, weighted.weight) for weighted in spec.preferred_affinity),
        *(Carried(weighted.term, -weighted.weight) for weighted in spec.preferred_anti_affinity),
    )


def _make_room(memory: dict[Kind, Any]) -> None:
    if len(memory) >= KINDS_MAX:
        memory.clear()
