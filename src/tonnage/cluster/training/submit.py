"""A training made in a cluster: chosen for what it offers, checked, tried, applied; all of it or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from tonnage.cluster.api import Api
from tonnage.cluster.apply import Piece, apply_all, pieces_of, try_all
from tonnage.cluster.faults import Exists, Forbidden
from tonnage.cluster.resources import Offered
from tonnage.cluster.snapshot import read_snapshot
from tonnage.cluster.training.check import obstacles
from tonnage.cluster.training.state import main_resources, selector
from tonnage.errors import SpecError
from tonnage.spec.training import TrainingJob
from tonnage.training import Choice, Rendering, Served, choose, pods_of, render


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training that the cluster would take.

    Attributes:
        job: The document.
        namespace: Where it goes.
        offered: What the server offers.
        choice: Back end and gang, with reasons.
        rendering: Its objects.
        pieces: The same, tried on the server.
        notes: What a person should know.
    """

    job: TrainingJob
    namespace: str
    offered: Offered
    choice: Choice
    rendering: Rendering
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]


async def prepare(
    api: Api, job: TrainingJob, *, namespace: str | None = None, check: bool = True
) -> Prepared:
    """Everything before the first object is made; nothing is changed.

    Args:
        api: Of the server.
        job: The document.
        namespace: Where; None takes the document's, then the context's.
        check: Whether the nodes are looked at.

    Raises:
        SpecError: The document wants what the back end or the cluster cannot do.
        Exists: There is a training of the name.
        ClusterFault: The server would refuse an object, or did not say.
    """
    where = namespace or job.metadata.namespace or api.target.namespace
    offered = await api.offered()
    choice = choose(job, Served(offered.served))
    rendering = render(job, backend=choice.backend, gang=choice.gang, namespace=where)
    notes = [*rendering.notes]
    pieces = pieces_of(offered, rendering.objects, where)
    await _must_be_new(api, offered, job.name, where)
    if check:
        snapshot = await read_snapshot(api, offered)
        if "nodes" in snapshot.unread:
            notes.append("whether a node could take a worker was not checked: nodes may not be listed")
        else:
            beside = [one for one in rendering.objects if one["kind"] == "ResourceClaimTemplate"]
            problems = obstacles(job, pods_of(job), snapshot, beside)
            if problems:
                raise SpecError(problems)
    tried = await try_all(api, pieces, new=True)
    return Prepared(job, where, offered, choice, rendering, tuple(tried), tuple(notes))


async def submit(api: Api, prepared: Prepared) -> tuple[Piece, ...]:
    """Make the objects; the one that runs the training owns the others.

    Raises:
        ClusterFault: One could not be made. None is left.
    """
    return tuple(await apply_all(api, prepared.pieces, new=True))


async def _must_be_new(api: Api, offered: Offered, name: str, namespace: str) -> None:
    """Trainings of one name and two back ends would share labels, and take each other's pods as theirs."""
    for resource in main_resources(offered):
        try:
            found = (await api.list(resource, namespace=namespace, labels=selector(name))).items
        except Forbidden:
            continue
        if found:
            raise Exists(
                f"training job {name}: exists already in namespace {namespace}, as {found[0]['kind']}"
                f"; remove it first: tonnage train cancel {name} -n {namespace}"
            )
