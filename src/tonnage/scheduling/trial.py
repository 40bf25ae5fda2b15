"""Would a pod fit on one node if other pods were there, or gone? The question of preemption and nomination.

A trial starts from what the filters found for all nodes and keeps only what changes when pods of this one
node come and go: its requests and ports, and the counts of the domains that it lies in. Claimed devices stay
claimed, as upstream does not free them in thought. Nothing of the cluster is touched.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/runtime/framework.go
(RunFilterPluginsWithNominatedPods), and the AddPod and RemovePod of podtopologyspread and interpodaffinity.
"""

from __future__ import annotations

from tonnage.scheduling.affinity import FAR, NEAR, UNWANTED, changes_of
from tonnage.scheduling.filters import (
    DEVICES,
    PORTS,
    Filtered,
    devices_lacking,
    lacking,
    ports_taken,
)
from tonnage.scheduling.nodefit import rejection_of
from tonnage.scheduling.placement import Rejection
from tonnage.scheduling.pod import Pod
from tonnage.scheduling.spread import SKEWED, UNLABELLED, SpreadRule
from tonnage.scheduling.table import Ints


class Trial:
    """One node with its pods, to which pods are added and from which they are removed at will.

    Args:
        found: What the filters say of all nodes.
        place: The node's place.
    """

    def __init__(self, found: Filtered, place: int) -> None:
        cluster = found.cluster
        self._found = found
        self._place = place
        self._requested = cluster.requested_at(place)
        self._ports = set(cluster.ports_on(place))
        self._spread = [_SpreadTrial(rule, place) for rule in found.spread]
        rules = found.affinity
        self._near = _SumsTrial(found, rules.near, place)
        self._far = _SumsTrial(found, rules.far, place)
        self._unwanted = _SumsTrial(found, rules.unwanted, place)

    def add(self, pod: Pod) -> None:
        """Lets a pod be on the node."""
        self._change(pod, 1)

    def remove(self, pod: Pod) -> None:
        """Lets a pod of the node be gone."""
        self._change(pod, -1)

    def rejection(self) -> Rejection | None:
        """Why the node is rejected as it is; None when it is not."""
        found, place, spec = self._found, self._place, self._found.pod.spec
        fault = int(found.fit.fault[place])
        if fault >= 0:
            return rejection_of(fault)
        if spec.host_ports and ports_taken(spec, self._ports):
            return PORTS
        short = lacking(spec, found.cluster, place, self._requested)
        if short is not None:
            return short
        for spread in self._spread:
            rejection = spread.rejection()
            if rejection is not None:
                return rejection
        rejection = self._affinity_rejection()
        if rejection is None and devices_lacking(spec, found.cluster, place):
            return DEVICES
        return rejection

    def yielding_rejection(self) -> Rejection | None:
        """Why the node is rejected when the pod yields to those nominated here of its priority or a higher.

        The node must pass with these pods there, and also without them, as they may end up elsewhere.
        """
        pod = self._found.pod
        here = self._found.cluster.nominated().get(self._found.cluster.table.names[self._place], {})
        others = [other for other in here.values() if yields(pod, other)]
        if others:
            for other in others:
                self.add(other)
            rejection = self.rejection()
            for other in others:
                self.remove(other)
            if rejection is not None:
                return rejection
        return self.rejection()

    def _affinity_rejection(self) -> Rejection | None:
        rules = self._found.affinity
        if rules.is_idle:
            return None
        if rules.near:
            may_be_first = rules.first and self._near.is_zero()
            if not self._near.all_present() or not (may_be_first or self._near.all_positive()):
                return FAR
        if self._far.any_positive():
            return NEAR
        return UNWANTED if self._unwanted.any_positive() else None

    def _change(self, other: Pod, times: int) -> None:
        found = self._found
        for name, amount in other.spec.requests.items():
            self._requested[name] = self._requested.get(name, 0) + times * amount
        self._requested["pods"] += times
        (self._ports.update if times > 0 else self._ports.difference_update)(other.spec.host_ports)
        for spread in self._spread:
            if spread.rule.is_counted(found.pod, other):
                spread.change(times)
        rules = found.affinity
        for sums, key in changes_of(rules, other, found.cluster):
            trial = self._near if sums is rules.near else self._far if sums is rules.far else self._unwanted
            trial.change(key, times)


def yields(pod: Pod, other: Pod) -> bool:
    """Whether a pod leaves the room that was made for another one to it."""
    return other.spec.priority >= pod.spec.priority and other.uid != pod.uid


class _SpreadTrial:
    """One spread constraint, of which only the domain of one node changes."""

    def __init__(self, rule: SpreadRule, place: int) -> None:
        self.rule = rule
        self._domain = int(rule.domains.of[place])
        self._is_counted = bool(rule.counted[place])
        self._sums = rule.sums.copy()

    def change(self, times: int) -> None:
        if self._is_counted:
            self._sums[self._domain] += times

    def rejection(self) -> Rejection | None:
        rule = self.rule
        if self._domain < 0:
            return UNLABELLED
        skew = int(self._sums[self._domain]) + rule.self_match - rule.least(self._sums)
        return SKEWED if skew > rule.constraint.skew_max else None


class _SumsTrial:
    """Sums per domain of some node labels, of which only the domains of one node change."""

    def __init__(self, found: Filtered, sums_by_key: dict[str, Ints], place: int) -> None:
        self._found = found
        self._place = place
        self._here: dict[str, int | None] = {}
        self._total = 0
        for key, sums in sums_by_key.items():
            domain = int(found.cluster.table.domains(key).of[place])
            self._here[key] = None if domain < 0 else int(sums[domain])
            self._total += int(sums.sum())

    def change(self, key: str, times: int) -> None:
        if key not in self._here:
            has_label = self._found.cluster.table.domains(key).of[self._place] >= 0
            self._here[key] = 0 if has_label else None
        here = self._here[key]
        if here is not None:
            self._here[key] = here + times
            self._total += times

    def all_present(self) -> bool:
        return None not in self._here.values()

    def all_positive(self) -> bool:
        return all(here is not None and here > 0 for here in self._here.values())

    def any_positive(self) -> bool:
        return any(here is not None and here > 0 for here in self._here.values())

    def is_zero(self) -> bool:
        return self._total == 0
