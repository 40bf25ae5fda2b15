"""The decision for one pod: filters, scores, the best node; or why there is none, and whom to preempt.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/schedule_one.go (schedulingAlgorithm, schedulePod,
findNodesThatFitPod), pkg/scheduler/framework/types.go (FitError.Error).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from tonnage.scheduling.cluster import Cluster
from tonnage.scheduling.filters import Filtered, filtered
from tonnage.scheduling.lazy import LazyMapping
from tonnage.scheduling.placement import (
    ALL_NODES,
    NO_NODES,
    Choose,
    Placement,
    Preemption,
    Rejection,
    Sampling,
    first,
)
from tonnage.scheduling.pod import Pod
from tonnage.scheduling.preemption import NOT_HELPFUL, candidates, chosen, ineligible
from tonnage.scheduling.scores import scored
from tonnage.scheduling.table import Ints
from tonnage.scheduling.trial import Trial, yields


def schedule(
    pod: Pod,
    cluster: Cluster,
    *,
    choose: Choose = first,
    preempt: bool = True,
    sampling: Sampling = ALL_NODES,
) -> Placement:
    """Decides where a pod goes; the cluster is left as it was.

    Args:
        pod: A pod without a node.
        cluster: Nodes and pods.
        choose: Picks among equally good nodes, also among equally good preemptions.
        preempt: Whether preemption is considered when no node fits.
        sampling: How many nodes are looked at.

    Returns:
        A node; or why there is none, and perhaps whom to preempt. A gated pod is not tried at all.
    """
    if pod.spec.gates:
        message = f"waiting for scheduling gates: [{' '.join(pod.spec.gates)}]"
        return Placement(pod, None, message=message, next_start=sampling.start)
    if not len(cluster.table):
        return Placement(pod, None, message=NO_NODES, next_start=sampling.start)
    found = filtered(pod, cluster)
    refusal = found.fit.refusal
    if refusal is not None:
        return replace(_refused(found, refusal, preempt=preempt), next_start=sampling.start)
    overruled = _overruled(found)
    nominated = _nominated_place(found, overruled)
    if nominated is not None:
        name = cluster.table.names[nominated]
        return Placement(pod, name, best=(name,), feasible=(name,), next_start=sampling.start)
    search = _Search(found, overruled, sampling)
    if not len(search.feasible):
        return _unschedulable(search, choose, preempt=preempt)
    return _placed(search, choose)


class _Search:
    """Which nodes were looked at, and what was found there.

    Attributes:
        found: What the filters say.
        looked_at: Places of the nodes that were looked at.
        feasible: Those that passed, in the cluster's order.
        next_start: Where the next search begins.
    """

    def __init__(self, found: Filtered, overruled: Mapping[int, Rejection], sampling: Sampling) -> None:
        self.found = found
        self._overruled = overruled
        places = _places(found)
        passes = found.fault[places] < 0
        if overruled:
            passes &= ~np.isin(places, list(overruled))
        nodes = len(found.cluster.table)
        enough = sampling.enough(len(places)) if len(places) else 0
        if sampling.percentage != 100 and len(places) >= 100:
            order = _in_turn(found.cluster, places, sampling.start)
            within = np.cumsum(passes[order]) <= enough
            kept = np.sort(order[within])
            places, passes = places[kept], passes[kept]
        self.looked_at = places
        self.feasible = places[passes]
        self.next_start = (sampling.start + len(places)) % nodes

    def rejection(self, place: int) -> Rejection | None:
        """Why a node that was looked at is rejected."""
        return self._overruled.get(place) or self.found.rejection(place)

    def rejections(self) -> dict[str, Rejection]:
        """Every rejection, by node."""
        names = self.found.names
        rejected = ((place, self.rejection(place)) for place in self.looked_at.tolist())
        return {names[place]: rejection for place, rejection in rejected if rejection is not None}


def _places(found: Filtered) -> Ints:
    """Places of the nodes that the pod's spec lets be looked at, in the cluster's order."""
    table, only = found.cluster.table, found.fit.only
    if only is None:
        return np.arange(len(table))
    return np.array(sorted(table.place[name] for name in only if name in table.place), np.int64)


def _in_turn(cluster: Cluster, places: Ints, start: int) -> Ints:
    """The order of a search: the nodes of all zones in turn, from ``start`` on, as ranks in ``places``.

    Source: pkg/scheduler/backend/cache/node_tree.go, list.
    """
    zones: dict[str, list[int]] = {}
    for rank, place in enumerate(places.tolist()):
        zones.setdefault(cluster.table.nodes[place].zone_key, []).append(rank)
    turns = sorted(
        (turn, zone, rank) for zone, ranks in enumerate(zones.values()) for turn, rank in enumerate(ranks)
    )
    order = [rank for _, _, rank in turns]
    begin = start % len(order)
    return np.array(order[begin:] + order[:begin], np.int64)


def _overruled(found: Filtered) -> dict[int, Rejection]:
    """Nodes that would do, but where room is kept for a nominated pod that this pod must yield to."""
    overruled = {}
    for name, pods in found.cluster.nominated().items():
        place = found.cluster.table.place.get(name)
        if place is not None and any(yields(found.pod, other) for other in pods.values()):
            rejection = Trial(found, place).yielding_rejection()
            if rejection is not None:
                overruled[place] = rejection
    return overruled


def _nominated_place(found: Filtered, overruled: Mapping[int, Rejection]) -> int | None:
    """The node that the pod is nominated for, if it fits there now."""
    place = found.cluster.table.place.get(found.pod.nominated) if found.pod.nominated else None
    return place if place is not None and place not in overruled and found.fault[place] < 0 else None


def _placed(search: _Search, choose: Choose) -> Placement:
    found, feasible = search.found, search.feasible
    names = found.names
    if len(feasible) < len(names):
        names = tuple(names[place] for place in feasible.tolist())
    rejections: Mapping[str, Rejection] = LazyMapping(search.rejections)
    if len(names) == 1:
        return Placement(
            found.pod, names[0], names, names, rejections=rejections, next_start=search.next_start
        )
    scores, totals = scored(found, feasible)
    best = tuple(names[rank] for rank in np.flatnonzero(totals == totals.max()).tolist())
    return Placement(
        found.pod,
        choose(best),
        best,
        names,
        totals=LazyMapping(lambda: dict(zip(names, totals.tolist(), strict=True))),
        scores={plugin: _by_name(names, values) for plugin, values in scores.items()},
        rejections=rejections,
        next_start=search.next_start,
    )


def _by_name(names: tuple[str, ...], values: Ints) -> Mapping[str, int]:
    return LazyMapping(lambda: dict(zip(names, values.tolist(), strict=True)))


def _unschedulable(search: _Search, choose: Choose, *, preempt: bool) -> Placement:
    found, pod, cluster = search.found, search.found.pod, search.found.cluster
    rejections = search.rejections()
    left_out_by = set(found.fit.only_by)
    place = cluster.table.place.get(pod.nominated) if pod.nominated else None
    rejection = None if place is None else search.rejection(place)
    if pod.nominated and rejection is not None:
        # The nominated node was tried first; upstream then names its plugin among those that left nodes out.
        rejections[pod.nominated] = rejection
        left_out_by.add(rejection.plugin)
    absent = ""
    if found.fit.only_by:
        absent = f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(left_out_by))}]"
    message = _message(cluster, (rejection.reasons for rejection in rejections.values()), absent)
    placement = Placement(
        pod, None, rejections=rejections, message=message, next_start=search.next_start
    )
    if not preempt:
        return placement
    refused = ineligible(pod, cluster, rejections.get(pod.nominated or ""))
    if refused is not None:
        return replace(placement, message=f"{message} preemption: {refused}")
    places = [cluster.table.place[name] for name, rejection in rejections.items() if rejection.resolvable]
    options, reasons = candidates(found, places)
    if not options:
        outcome = _message(cluster, reasons.values(), NOT_HELPFUL)
        return replace(placement, message=f"{message} preemption: {outcome}")
    nomination = chosen(options, cluster, choose)
    outcome = _preempting(nomination)
    return replace(
        placement, message=f"{message} preemption: {outcome}", nomination=nomination, candidates=options
    )


def _preempting(nomination: Preemption) -> str:
    victims = len(nomination.victims)
    return f"found a potential placement for pod on node {nomination.node}, preempting {victims} victims"


def _refused(found: Filtered, refusal: Rejection, *, preempt: bool) -> Placement:
    """No node was looked at; every node counts as rejected beyond cure."""
    cluster = found.cluster
    message = f"0/{len(cluster.table)} nodes are available: {refusal.reasons[0]}."
    if preempt:
        outcome = ineligible(found.pod, cluster, refusal) or _message(cluster, (), NOT_HELPFUL)
        message += f" preemption: {outcome}"
    return Placement(found.pod, None, message=message)


def _message(cluster: Cluster, reasons: Iterable[tuple[str, ...]], absent: str) -> str:
    """Counts reasons as the FailedScheduling event words them.

    Args:
        cluster: The cluster, for the number of its nodes.
        reasons: Those of each node that was looked at.
        absent: That of each other node; empty for none.
    """
    nodes = len(cluster.table)
    seen = list(reasons)
    histogram = Counter(reason for one in seen for reason in one)
    if absent and len(seen) < nodes:
        histogram[absent] += nodes - len(seen)
    counted = ", ".join(sorted(f"{times} {reason}" for reason, times in histogram.items()))
    return f"0/{nodes} nodes are available:" + (f" {counted}." if counted else "")
