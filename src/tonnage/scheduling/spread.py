"""Spreading over topology domains: what it forbids, and what it prefers.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/podtopologyspread (common.go, filtering.go,
scoring.go, plugin.go).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.counts import Question
from tonnage.scheduling.node import HOSTNAME, ZONE
from tonnage.scheduling.nodefit import SCORE_MAX, NodeFit
from tonnage.scheduling.placement import Rejection
from tonnage.scheduling.pod import AffinityTerm, Pod, SpreadConstraint
from tonnage.scheduling.selectors import Selector
from tonnage.scheduling.table import Bools, Domains, Ints

SPREAD: Final = "PodTopologySpread"
_REASON: Final = "node(s) didn't match pod topology spread constraints"
SKEWED: Final = Rejection(SPREAD, (_REASON,), True)
UNLABELLED: Final = Rejection(SPREAD, (f"{_REASON} (missing required label)",), False)

_DEFAULTS: Final = ((HOSTNAME, 3), (ZONE, 5))
"""Keys and skews of the constraints of pods that state none; they are preferred, not required."""
_INT32_MAX: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SpreadRule:
    """One required constraint with the counts that it is judged by.

    Attributes:
        constraint: It.
        domains: The values of its node label.
        counted: Which nodes take part.
        sums: Per domain, the pods on nodes that take part.
        alive: Which domains have a node that takes part.
        self_match: 1 when the pod itself is counted, else 0.
    """

    constraint: SpreadConstraint
    domains: Domains
    counted: Bools
    sums: Ints
    alive: Bools
    self_match: int

    def least(self, sums: Ints) -> int:
        """The pods of the emptiest domain, given the sums per domain."""
        domains = int(self.alive.sum())
        if domains < self.constraint.domains_min:
            return 0
        return int(sums[self.alive].min()) if domains else _INT32_MAX

    def skewed(self) -> Bools:
        """Which nodes with the label would exceed the skew."""
        matching = self.domains.spread_over(self.sums)
        return matching + self.self_match - self.least(self.sums) > self.constraint.skew_max

    def is_counted(self, pod: Pod, other: Pod) -> bool:
        """Whether a pod that comes or goes in a trial changes the count; being deleted plays no part."""
        return other.namespace == pod.namespace and self.constraint.selector.matches(other.labels)


def spread_rules(pod: Pod, cluster: Cluster, fit: NodeFit) -> tuple[SpreadRule, ...]:
    """The required constraints of a pod, in its order; the default constraints are only preferred."""
    constraints = [constraint for constraint in pod.spec.spread if constraint.required]
    if not constraints:
        return ()
    table = cluster.table
    labelled = _labelled([table.domains(one.topology_key) for one in constraints], len(table))
    rules = []
    for constraint in constraints:
        domains = table.domains(constraint.topology_key)
        counted = labelled & _included(constraint, fit)
        sums = domains.sums(_count(pod.namespace, constraint.selector, cluster), counted)
        alive = np.zeros(domains.count, np.bool_)
        alive[domains.of[counted]] = True
        self_match = int(constraint.selector.matches(pod.labels))
        rules.append(SpreadRule(constraint, domains, counted, sums, alive, self_match))
    return tuple(rules)


def preferred_constraints(pod: Pod, cluster: Cluster) -> tuple[SpreadConstraint, ...]:
    """The constraints by which nodes are scored: the pod's own, or the defaults when it has none at all."""
    if pod.spec.spread:
        return tuple(constraint for constraint in pod.spec.spread if not constraint.required)
    selector = cluster.default_selector(pod)
    if selector.is_empty:
        return ()
    return tuple(SpreadConstraint(key, skew_max, False, selector) for key, skew_max in _DEFAULTS)


def spread_scores(pod: Pod, cluster: Cluster, fit: NodeFit, feasible: Ints) -> Ints | None:
    """Scores the feasible nodes by how few matching pods are near.

    Args:
        pod: It.
        cluster: Nodes and pods.
        fit: How the nodes suit the pod.
        feasible: Places of the feasible nodes.

    Returns:
        Scores [0 to 100] in the order of ``feasible``; None when the pod has no such constraint.
    """
    constraints = preferred_constraints(pod, cluster)
    if not constraints:
        return None
    table = cluster.table
    # The default constraints let nodes take part that have no zone.
    labelled = np.ones(len(table), np.bool_)
    if pod.spec.spread:
        labelled = _labelled([table.domains(one.topology_key) for one in constraints], len(table))
    scored = labelled[feasible]
    raw = np.zeros(len(feasible), np.float64)
    for constraint in constraints:
        domains = table.domains(constraint.topology_key)
        counts = _count(pod.namespace, constraint.selector, cluster)
        if constraint.topology_key == HOSTNAME:
            near, size = counts[feasible], int(scored.sum())
        else:
            sums = domains.sums(counts, labelled & _included(constraint, fit))
            near = domains.spread_over(sums)[feasible]
            # A node without the label counts as a domain of its own: upstream looks up an empty value.
            size = len(np.unique(domains.of[feasible][scored]))
        term = near * math.log(size + 2) + (constraint.skew_max - 1)
        raw += np.where(domains.present[feasible], term, 0.0)
    return _normalized(_rounded(raw), scored)


def _normalized(raw: Ints, scored: Bools) -> Ints:
    scores = np.zeros(len(raw), np.int64)
    if not scored.any():
        return scores
    least, most = int(raw[scored].min()), max(int(raw[scored].max()), 0)
    if most == 0:
        scores[scored] = SCORE_MAX
    else:
        scores[scored] = SCORE_MAX * (most + least - raw[scored]) // most
    return scores


def _rounded(amounts: NDArray[np.float64]) -> Ints:
    """Rounds halves up, for amounts that are not negative, without adding 0.5 to what is just below it."""
    whole = np.floor(amounts).astype(np.int64)
    return whole + (amounts - whole >= 0.5)


def _count(namespace: str, selector: Selector, cluster: Cluster) -> Ints:
    if selector.is_empty:  # upstream counts no pod then
        return np.zeros(len(cluster.table), np.int64)
    return cluster.count(Question((AffinityTerm("", selector, frozenset((namespace,))),), staying=True))


def _labelled(domains: list[Domains], nodes: int) -> Bools:
    labelled = np.ones(nodes, np.bool_)
    for one in domains:
        labelled &= one.present
    return labelled


def _included(constraint: SpreadConstraint, fit: NodeFit) -> Bools:
    included = np.ones(len(fit.affine), np.bool_)
    if constraint.node_affinity == "Honor":
        included &= fit.affine
    if constraint.node_taints == "Honor":
        included &= fit.tolerated
    return included
