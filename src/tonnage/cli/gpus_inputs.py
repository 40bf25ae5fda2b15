"""What ``tonnage gpus`` reads: a cluster's objects, from files or its API server, and what is asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tonnage.cli.object_text import object_text, source_of
from tonnage.cluster.api import open_api
from tonnage.cluster.resources import NODES, PODS
from tonnage.cluster.snapshot import read_snapshot
from tonnage.errors import Problem, SpecError
from tonnage.gpus.documents import workload_of_job, workload_of_service
from tonnage.gpus.workloads import Workload, workload_of
from tonnage.kube.objects import KubeObject, read_objects, show
from tonnage.kube.shape import shape_problems
from tonnage.spec.documents import read_part, unknown_kind
from tonnage.spec.nodepools import NODE_POOLS_KIND, NodePools
from tonnage.spec.service import KIND, ModelService
from tonnage.spec.training import TRAINING_KIND, TrainingJob

Object = Mapping[str, Any]

_RUNTIMES: Final = ("ClusterTrainingRuntime", "TrainingRuntime")
"""What a TrainJob refers to, beside what the scheduler looks at."""


@dataclass(frozen=True, slots=True)
class ClusterObjects:
    """A cluster as plain data.

    Attributes:
        nodes: Node objects.
        pods: Pod objects.
        others: Everything else.
        notes: What could not be read.
    """

    nodes: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    others: tuple[Object, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def of_kind(self, kind: str) -> tuple[Object, ...]:
        """The others of one kind."""
        return tuple(one for one in self.others if one.get("kind") == kind)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user asks about.

    Attributes:
        workloads: Those of the files, in order.
        others: Objects beside them, which the cluster would have too.
    """

    workloads: tuple[Workload, ...]
    others: tuple[Object, ...]


def read_cluster_files(names: Sequence[str]) -> ClusterObjects:
    """Reads a cluster from what kubectl printed, and from NodePools documents.

    Args:
        names: Files; ``-`` is standard input.

    Raises:
        SpecError: A file cannot be read or something in it is wrong; it holds every problem.
    """
    texts = _texts(names)
    found, problems = _cluster(texts, places=False)
    if problems:  # read again, so that each has its line
        found, problems = _cluster(texts, places=True)
    if not found.nodes and not problems:
        problems.append(Problem("--nodes", f"must hold Nodes or NodePools, got none in {', '.join(names)}"))
    if problems:
        raise SpecError(problems)
    return found


def _cluster(
    texts: Sequence[tuple[str, str]], *, places: bool
) -> tuple[ClusterObjects, list[Problem]]:
    problems: list[Problem] = []
    nodes: dict[str, Object] = {}
    pods: list[Object] = []
    others: list[Object] = []
    for item in _items(texts, problems, places=places):
        if item.is_ours:
            made, wrong = _pool_nodes(item)
            problems += wrong
        else:
            problems += _wrong_types(item)
            made = [_object(item)] if item.kind == "Node" else []
            {"Node": [], "Pod": pods}.get(item.kind, others).append(_object(item))
        for node in made:
            name = str(node["metadata"]["name"])
            if name in nodes:
                problems.append(item.problem((), f"must give each node once, got {name} again"))
            nodes[name] = node
    return ClusterObjects(tuple(nodes.values()), tuple(pods), tuple(others)), problems


def _wrong_types(item: KubeObject) -> Iterator[Problem]:
    """Values of another type than their field has.

    A cluster may have fields that we do not know, and people leave out what nobody needs here, so that only
    types are looked at; of pods, which are many, only what is not looked at again when they are read.
    """
    if item.kind != "Pod":
        for one in shape_problems(item):
            if not one.message.startswith(("must be given", "must be a field that")):
                yield one
        return
    for key in ("metadata", "spec", "status"):
        if not isinstance(item.at(key), Mapping | None):
            yield item.problem((key,), f"must be a mapping, got {show(item.at(key))}")


def _pool_nodes(item: KubeObject) -> tuple[list[Object], list[Problem]]:
    if item.kind != NODE_POOLS_KIND:
        return [], [unknown_kind(item, (NODE_POOLS_KIND,))]
    from tonnage.gpus.pools import nodes_of_pools  # it brings the twin, which takes its time

    document, wrong = read_part(item, NodePools)
    return list(nodes_of_pools(document)) if document is not None else [], wrong


def read_cluster_server(kubeconfig: Path | None, context: str | None) -> ClusterObjects:
    """Reads a cluster from its API server.

    Raises:
        ClusterFault: No cluster is named, it does not answer, or nodes or pods may not be listed.
    """
    return asyncio.run(_listed(kubeconfig, context))


async def _listed(kubeconfig: Path | None, context: str | None) -> ClusterObjects:
    async with open_api(kubeconfig=kubeconfig, context=context) as api:
        offered = await api.offered()
        snapshot = await read_snapshot(api, offered)
        for needed in (NODES, PODS):
            if needed.title in snapshot.unread:
                await api.list(needed, namespace=None)  # says what is not allowed, and to whom
        known = [one for one in offered.resources if one.kind in _RUNTIMES]
        runtimes = [one for kind in known for one in (await api.list(kind, namespace=None)).items]
    notes = tuple(f"{title} may not be listed, and count as if there were none" for title in snapshot.unread)
    return ClusterObjects(snapshot.nodes, snapshot.pods, (*snapshot.others, *runtimes), notes)


def read_asked(names: Sequence[str], replicas: int | None, runtimes: Iterable[Object] = ()) -> Asked:
    """Reads what is to be placed.

    Args:
        names: Files with ModelServices, TrainingJobs or Kubernetes objects; ``-`` is standard input.
        replicas: How many replicas of a ModelService; None takes the document's number.
        runtimes: The cluster's training runtimes, to which a TrainJob may refer.

    Raises:
        SpecError: A file is wrong, or none of its objects makes pods; it holds every problem.
    """
    problems: list[Problem] = []
    items = list(_items(_texts(names), problems, places=True))
    beside = [_object(item) for item in items if not item.is_ours]
    workloads: list[Workload] = []
    for item in items:
        try:
            made = _workload(item, replicas, [*beside, *runtimes], problems)
        except SpecError as error:
            problems += [item.placed(one) for one in error.problems]
        else:
            workloads += [made] if made is not None else []
    if not workloads and not problems:
        known = f"{KIND}, {TRAINING_KIND} or a workload of Kubernetes"
        problems.append(Problem("SPEC", f"must hold a {known}, got none in {', '.join(names)}"))
    if problems:
        raise SpecError(problems)
    made_here = {id(item.value) for item in items if item.kind == "Pod"}
    others = [_object(item) for item in items if not item.is_ours and id(item.value) not in made_here]
    return Asked(tuple(workloads), (*others, *(one for made in workloads for one in made.objects)))


def _workload(
    item: KubeObject, replicas: int | None, others: Sequence[Object], problems: list[Problem]
) -> Workload | None:
    if item.is_ours and item.kind == KIND:
        service, wrong = read_part(item, ModelService)
        problems += wrong
        return workload_of_service(service, replicas) if service is not None else None
    if item.is_ours and item.kind == TRAINING_KIND:
        job, wrong = read_part(item, TrainingJob)
        problems += wrong
        return workload_of_job(job) if job is not None else None
    if item.is_ours:
        problems.append(unknown_kind(item, (KIND, TRAINING_KIND)))
        return None
    wrong = list(shape_problems(item))
    problems += wrong
    return None if wrong else workload_of(_object(item), others)


def _object(item: KubeObject) -> Object:
    """An object as the API server would hand it out: it says what it is, also where a list said it for it."""
    return {"apiVersion": item.reference.api_version, "kind": item.kind, **item.plain()}


def _items(
    texts: Iterable[tuple[str, str]], problems: list[Problem], *, places: bool
) -> Iterator[KubeObject]:
    for source, text in texts:
        try:
            items, wrong = read_objects(text, source=source, places=places)
        except SpecError as error:
            problems += error.problems
            continue
        problems += wrong
        yield from items


def _texts(names: Sequence[str]) -> list[tuple[str, str]]:
    """The source's name and the text of each file."""
    found: list[tuple[str, str]] = []
    problems: list[Problem] = []
    for name in names:
        try:
            found.append((source_of(name), object_text(name)))
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return found
