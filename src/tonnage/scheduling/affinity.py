"""Affinity between pods: what it demands and forbids, in both directions, and what it prefers.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/interpodaffinity (filtering.go without
the InterPodAffinityHostnameFastPath feature, which is off by default; scoring.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.counts import Question, carried_by
from tonnage.scheduling.nodefit import SCORE_MAX
from tonnage.scheduling.placement import Rejection
from tonnage.scheduling.pod import AffinityTerm, Pod
from tonnage.scheduling.table import Bools, Ints

AFFINITY: Final = "InterPodAffinity"
FAR: Final = Rejection(AFFINITY, ("node(s) didn't match pod affinity rules",), False)
NEAR: Final = Rejection(AFFINITY, ("node(s) didn't match pod anti-affinity rules",), True)
UNWANTED: Final = Rejection(
    AFFINITY, ("node(s) didn't satisfy existing pods anti-affinity rules",), True
)


@dataclass(frozen=True, slots=True)
class AffinityRules:
    """What binds a pod: its own required terms and those of placed pods.

    Sums are per node label, and per domain of it: how many placed pods are near a node, in the sense of the
    label. A pod counts towards ``near`` when it is meant by all terms of the affinity.

    Attributes:
        pod: It.
        near: Pods that the pod must be near; for every label of its affinity terms.
        first: Whether the pod may come first: it is meant by all of its own affinity terms.
        far: Terms of the pod's anti-affinity met by pods; for every label of its anti-affinity terms.
        unwanted: Anti-affinity terms of placed pods that mean the pod; for every label of them.
    """

    pod: Pod
    near: dict[str, Ints]
    first: bool
    far: dict[str, Ints]
    unwanted: dict[str, Ints]

    @property
    def is_idle(self) -> bool:
        """Whether nothing binds the pod, as things are.

        Upstream leaves the plugin out then, and so also does not see what a nominated pod would object to.
        """
        return not self.near and not self.far and not any(sums.any() for sums in self.unwanted.values())


def affinity_rules(pod: Pod, cluster: Cluster) -> AffinityRules:
    """Gathers what binds a pod."""
    table, spec = cluster.table, pod.spec
    everywhere = np.ones(len(table), np.bool_)
    near: dict[str, Ints] = {}
    first = False
    if spec.affinity:
        question = Question(spec.affinity, staying=False)
        counts = cluster.count(question)
        first = cluster.counts.is_meant(question, pod)
        for term in spec.affinity:
            _add(near, term, table.domains(term.topology_key).sums(counts, everywhere))
    far: dict[str, Ints] = {}
    for term in spec.anti_affinity:
        counts = cluster.count(Question((term,), staying=False))
        _add(far, term, table.domains(term.topology_key).sums(counts, everywhere))
    unwanted: dict[str, Ints] = {}
    for carried, counts in cluster.counts.about(pod):
        if carried.weight is None:
            domains = table.domains(carried.term.topology_key)
            _add(unwanted, carried.term, domains.sums(counts, everywhere))
    return AffinityRules(pod, near, first, far, unwanted)


def rejected_by_affinity(rules: AffinityRules, cluster: Cluster) -> tuple[Bools, Bools, Bools]:
    """Which nodes are rejected as ``FAR``, as ``NEAR`` and as ``UNWANTED``; the first of them counts."""
    table = cluster.table
    lacking = np.zeros(len(table), np.bool_)
    lonely = np.zeros(len(table), np.bool_)
    for key, sums in rules.near.items():
        domains = table.domains(key)
        lacking |= ~domains.present
        lonely |= domains.spread_over(sums) <= 0
    may_be_first = rules.first and not any(sums.any() for sums in rules.near.values())
    far = lacking if may_be_first else lacking | lonely
    return far, _any_near(rules.far, cluster), _any_near(rules.unwanted, cluster)


def affinity_scores(pod: Pod, cluster: Cluster, feasible: Ints) -> Ints | None:
    """Scores the feasible nodes by the preferred terms of the pod, and by the terms of placed pods about it.

    Args:
        pod: It.
        cluster: Nodes and pods.
        feasible: Places of the feasible nodes.

    Returns:
        Scores [0 to 100] in the order of ``feasible``; None when no term bears on the pod.
    """
    weighted: dict[str, Ints] = {}
    for sign, terms in ((1, pod.spec.preferred_affinity), (-1, pod.spec.preferred_anti_affinity)):
        for one in terms:
            counts = cluster.count(Question((one.term,), staying=False))
            _weigh(weighted, one.term.topology_key, counts, sign * one.weight)
    for carried, counts in cluster.counts.about(pod):
        if carried.weight is not None:
            _weigh(weighted, carried.term.topology_key, counts, carried.weight)
    if not weighted:
        return None
    everywhere = np.ones(len(cluster.table), np.bool_)
    raw = np.zeros(len(feasible), np.int64)
    for key, amounts in weighted.items():
        domains = cluster.table.domains(key)
        raw += domains.spread_over(domains.sums(amounts, everywhere))[feasible]
    least, most = int(raw.min()), int(raw.max())
    if most == least:
        return np.zeros(len(raw), np.int64)
    return (float(SCORE_MAX) * ((raw - least) / float(most - least))).astype(np.int64)


def changes_of(rules: AffinityRules, other: Pod, cluster: Cluster) -> Iterable[tuple[dict[str, Ints], str]]:
    """Which sums a pod that comes or goes in a trial changes: each as the sums and the label, by 1."""
    of_namespace = cluster.namespace_labels(other.namespace)

    def is_meant(term: AffinityTerm) -> bool:
        return term.matches(other.namespace, other.labels, of_namespace)

    spec = rules.pod.spec
    if spec.affinity and all(is_meant(term) for term in spec.affinity):
        yield from ((rules.near, term.topology_key) for term in spec.affinity)
    yield from ((rules.far, term.topology_key) for term in spec.anti_affinity if is_meant(term))
    for carried in carried_by(other):
        if carried.weight is None and cluster.counts.means(carried, rules.pod):
            yield rules.unwanted, carried.term.topology_key


def _any_near(sums_by_key: dict[str, Ints], cluster: Cluster) -> Bools:
    found = np.zeros(len(cluster.table), np.bool_)
    for key, sums in sums_by_key.items():
        found |= cluster.table.domains(key).spread_over(sums) > 0
    return found


def _add(sums_by_key: dict[str, Ints], term: AffinityTerm, sums: Ints) -> None:
    key = term.topology_key
    sums_by_key[key] = sums_by_key[key] + sums if key in sums_by_key else sums


def _weigh(weighted: dict[str, Ints], key: str, counts: Ints, weight: int) -> None:
    weighted[key] = weighted[key] + counts * weight if key in weighted else counts * weight
