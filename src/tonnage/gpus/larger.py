"""Larger changes: other pods go, nodes come, pods ask for less or are cut smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from tonnage.gpus.answer import Change
from tonnage.gpus.case import Case
from tonnage.gpus.inventory import is_lifecycle, written
from tonnage.gpus.labels import INSTANCE_TYPE, identify
from tonnage.gpus.placing import Evicting, edited, evicting, lift, place, tried, without
from tonnage.gpus.vendors import gpu_resource
from tonnage.scheduling import Amounts, Cluster, Node, Pod, PodSpec, Toleration
from tonnage.scheduling.node import HOSTNAME
from tonnage.scheduling.resources import CPU, MEMORY

PRIORITY_MAX: Final = 1_000_000_000
"""The highest value of a PriorityClass of users. Source: k8s.io/kubernetes v1.37.2 pkg/apis/scheduling."""
SHAPES_MAX: Final = 3
NODES_MAX: Final = 256
"""Nodes of one shape that are added in thought at most."""
_NEVER_BELOW: Final = {CPU: 100, MEMORY: 64 * 1024 * 1024}
_STEP: Final = {CPU: 100, MEMORY: 64 * 1024 * 1024}


def waiting(case: Case) -> Iterator[Change]:
    """Pods that are being deleted will have gone."""
    leaving = [pod for _, pod in case.cluster.pods() if pod.terminating]
    if not leaving:
        return
    with without(leaving, case.cluster):
        placed = tried(case.pods, case.cluster)
    if placed is not None:
        names = _named(leaving)
        text = f"wait: {_listed(names)} {'is' if len(names) == 1 else 'are'} being deleted"
        yield Change("wait", text, placed=placed, victims=names, automatic=True)


def preempting(case: Case) -> Iterator[Change]:
    """The pods' own priority makes room."""
    found = evicting(case.pods, case.cluster)
    if found is not None and found.victims:
        text = f"the scheduler evicts {_listed(_named(found.victims))} of lower priority{_protected(found)}"
        yield Change("preempt", text, (), found.placed, _named(found.victims), automatic=True)


def evicted(case: Case) -> Iterator[Change]:
    """Running pods make room: by a higher priority, or because they fit elsewhere too."""
    own = min(pod.spec.priority for pod in case.pods)
    ranks = {pod.spec.priority for _, pod in case.cluster.pods() if own <= pod.spec.priority < PRIORITY_MAX}
    for rank in sorted(ranks):
        pods = edited(case.pods, _with_priority(rank + 1))
        found = evicting(pods, case.cluster)
        if found is None or not found.victims:
            continue
        names = _named(found.victims)
        if found.moved is not None:
            where = [f"{_name(pod)} to {found.moved[pod.uid]}" for pod in found.victims]
            yield Change("move", f"move {_listed(where)}", placed=found.placed, victims=names)
        text = f"give the pods a PriorityClass of {rank + 1} or more: {_listed(names)} would be evicted"
        how = ("priorityClassName: <one of that value>",)
        yield Change("evict", text + _protected(found), how, found.placed, names)
        return


def _with_priority(value: int) -> Callable[[PodSpec], PodSpec]:
    return lambda spec: replace(spec, priority=value, preempts=True)


def _protected(found: Evicting) -> str:
    return f"; disruption budgets protect {found.violations} of them" if found.violations else ""


def asking_less(case: Case) -> Iterator[Change]:
    """The most CPU and memory with which all pods fit, where these are what is lacking."""
    lacking = [
        name
        for name in (CPU, MEMORY)
        if any(f"Insufficient {name}" in one.reasons for one in case.stuck.rejections.values())
    ]
    if not lacking:
        return
    least = {name: _NEVER_BELOW[name] for name in lacking}
    if _asking(case, least) is None:
        return
    most: dict[str, int] = dict(least)
    for name in lacking:
        low, high = least[name], max(_requested(pod.spec, name) for pod in case.pods)
        if low >= high:
            most[name] = high
            continue
        while high - low > _STEP[name]:
            middle = (low + high) // 2 // _STEP[name] * _STEP[name]
            if middle <= low:
                break
            if _asking(case, {**most, name: middle}) is not None:
                low = middle
            else:
                high = middle
        most[name] = low
    placed = _asking(case, most)
    if placed is None:
        return
    texts = [f"{_amount(name, most[name])} {name}" for name in lacking]
    yield Change("request", f"request at most {' and '.join(texts)} a pod", placed=placed)


def _asking(case: Case, most: Mapping[str, int]) -> dict[str, str] | None:
    def edit(spec: PodSpec) -> PodSpec:
        requests = spec.requests
        cpu = min(requests.cpu_millicores, most.get(CPU, requests.cpu_millicores))
        memory = min(requests.memory_bytes, most.get(MEMORY, requests.memory_bytes))
        return replace(spec, requests=replace(requests, cpu_millicores=cpu, memory_bytes=memory))

    return tried(edited(case.pods, edit), case.cluster)


def _requested(spec: PodSpec, name: str) -> int:
    return dict(spec.requests.items()).get(name, 0)


def _amount(name: str, amount: int) -> str:
    if name == CPU:
        return f"{amount // 1000}" if amount % 1000 == 0 else f"{amount}m"
    return f"{amount // (1024 * 1024)}Mi"


def smaller(case: Case) -> Iterator[Change]:
    """The same GPUs in more pods with fewer each; CPU and memory are shared out with them."""
    if not case.divisible or len(case.gpus) != 1:
        return
    (name,) = case.gpus
    each = {_requested(pod.spec, name) for pod in case.pods}
    if len(each) != 1:
        return
    gpus = each.pop()
    for size in (one for one in range(gpus - 1, 0, -1) if gpus % one == 0):
        pods = _cut(case.pods, name, size, gpus // size)
        placed = tried(pods, case.cluster)
        if placed is not None:
            text = f"use {len(pods)} workers with {size} {name} each instead of {len(case.pods)} with {gpus}"
            yield Change("split", f"{text}, and share CPU and memory out with them", placed=placed)
            return


def _cut(pods: Sequence[Pod], name: str, size: int, parts: int) -> tuple[Pod, ...]:
    smaller_pods = edited(pods, lambda spec: replace(spec, requests=_part(spec.requests, name, size, parts)))
    stem = pods[0].name.rstrip("0123456789")
    return tuple(
        replace(pod, name=f"{stem}{rank * parts + part}", uid=f"{pod.uid}/{part}")
        for rank, pod in enumerate(smaller_pods)
        for part in range(parts)
    )


def _part(amounts: Amounts, name: str, size: int, parts: int) -> Amounts:
    scalars = tuple((one, size if one == name else amount) for one, amount in amounts.scalars)
    return replace(
        amounts,
        cpu_millicores=-(-amounts.cpu_millicores // parts),
        memory_bytes=-(-amounts.memory_bytes // parts),
        scalars=scalars,
    )


def fewer(case: Case) -> Iterator[Change]:
    """Fewer pods, where they are alike."""
    if len(case.pods) < 2 or len({pod.spec for pod in case.pods}) != 1:
        return
    count = next(rank for rank, one in enumerate(case.placements) if one.node is None)
    least = case.least if case.least is not None else 1
    if count < least:
        return
    placed = tried(case.pods[:count], case.cluster)
    if placed is not None:
        yield Change("fewer", f"use {count} instead of {len(case.pods)}: so many fit now", placed=placed)


def more_nodes(case: Case) -> Iterator[Change]:
    """More nodes like some that are there, empty but for the pods of DaemonSets."""
    found: list[tuple[int, int, Change]] = []
    for shape, daemons, like in _shapes(case.cluster):
        count, placed = _added(case, shape, daemons)
        if placed is not None:
            text = f"add {count} {'node' if count == 1 else 'nodes'} like {like} ({_described(shape)})"
            gpus = sum(amount for name, amount in shape.allocatable.scalars if gpu_resource(name))
            found.append((count * max(gpus, 1), count, Change("nodes", text, placed=placed)))
    found.sort(key=lambda one: one[:2])
    yield from (change for _, _, change in found[:SHAPES_MAX])


def _shapes(cluster: Cluster) -> Iterator[tuple[Node, tuple[Pod, ...], str]]:
    """One node of each shape as it would be new, its DaemonSets' pods, and the name of the pattern."""
    seen = set()
    for name in cluster.node_names:
        node = cluster.node(name)
        labels = {key: value for key, value in node.labels.items() if key != HOSTNAME and value != name}
        taints = tuple(taint for taint in node.taints if not is_lifecycle(taint))
        key = (tuple(sorted(labels.items())), taints, node.allocatable, node.pods_max)
        if key in seen:
            continue
        seen.add(key)
        daemons = tuple(
            pod for pod in cluster.pods_on(name) if pod.owner is not None and pod.owner.kind == "DaemonSet"
        )
        new = replace(node, labels=labels, taints=taints, unschedulable=False, images={})
        yield new, daemons, name


def _added(case: Case, shape: Node, daemons: Sequence[Pod]) -> tuple[int, dict[str, str] | None]:
    """How many nodes of a shape let all pods fit, at least, and where the pods go then."""
    left = sum(one.node is None for one in case.placements)
    one_takes = _taken(case, shape, daemons)
    if not one_takes:
        return 0, None
    least = -(-left // one_takes)
    for count in islice(range(least, NODES_MAX + 1), 4):
        names = _join(case.cluster, shape, daemons, count)
        try:
            placed = tried(case.pods, case.cluster)
        finally:
            for name in names:
                case.cluster.remove_node(name)
        if placed is not None:
            return count, placed
    return 0, None


def _taken(case: Case, shape: Node, daemons: Sequence[Pod]) -> int:
    """How many of the pods without a node one such node takes, when it joins."""
    (name,) = _join(case.cluster, shape, daemons, 1)
    placements = place(case.pods, case.cluster)
    try:
        return sum(one.node == name for one in placements)
    finally:
        lift(placements, case.cluster)
        case.cluster.remove_node(name)


def _join(cluster: Cluster, shape: Node, daemons: Sequence[Pod], count: int) -> list[str]:
    names = []
    for rank in range(count):
        name = f"new-{rank + 1}"
        while name in cluster.table.place:
            name += "-new"
        cluster.add_node(replace(shape, name=name, labels={**shape.labels, HOSTNAME: name}))
        for pod in daemons:
            cluster.add_pod(replace(pod, uid=f"{name}/{pod.uid}"), name)
        names.append(name)
    return names


def _described(node: Node) -> str:
    parts = [node.labels[INSTANCE_TYPE]] if node.labels.get(INSTANCE_TYPE) else []
    kind = identify(node.labels).short
    for name, amount in node.allocatable.scalars:
        if gpu_resource(name) is not None and amount:
            parts.append(f"{amount} {name}" + (f" {kind}" if kind else ""))
    parts += [f"taint {written(taint)}" for taint in node.taints if taint.effect != "PreferNoSchedule"]
    return ", ".join(parts) or f"{node.allocatable.cpu_millicores // 1000} cpu"


def other_vendor(case: Case) -> Iterator[Change]:
    """GPUs of another kind, which takes another image; types and taints of the former fall away."""
    if len(case.gpus) != 1:
        return
    (name,) = case.gpus
    own = gpu_resource(name)
    if own is None or own.kind != "gpu":
        return
    others = {
        other
        for node in case.nodes
        for other, amount in node.allocatable.scalars
        if amount and other != name and (found := gpu_resource(other)) is not None and found.kind == "gpu"
    }
    for other in sorted(others):

        def edit(spec: PodSpec, other: str = other) -> PodSpec:
            scalars = tuple(
                sorted((other if one == name else one, amount) for one, amount in spec.requests.scalars)
            )
            tolerations = (*spec.tolerations, Toleration(other, "Exists"))
            requests = replace(spec.requests, scalars=scalars)
            bare = replace(spec, node_selector=(), node_terms=None)
            return replace(bare, requests=requests, tolerations=tolerations)

        placed = tried(edited(case.pods, edit), case.cluster)
        if placed is not None:
            text = f"ask for {other} instead of {name}, with an image made for it and without node labels"
            how = ("tolerations:", f"  - key: {other}", "    operator: Exists")
            yield Change("vendor", text, how, placed)


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _named(pods: Sequence[Pod]) -> tuple[str, ...]:
    return tuple(_name(pod) for pod in pods)


def _listed(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{', '.join(names[:4])} and {len(names) - 4} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
