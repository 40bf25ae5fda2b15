"""Can pods be placed now, where, and if not, what stands in the way and what would help.

    answer = fit(pods, nodes, running)
    if not answer.fits:
        print(answer.message, *answer.changes)

The decisions are ``tonnage.scheduling``'s, pod by pod, so the words are the scheduler's own. Every change
that is offered was tried by deciding again with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tonnage.gpus.answer import Fit
from tonnage.gpus.changes import Case, changes_for
from tonnage.gpus.placing import lift, named, place
from tonnage.gpus.world import World, read_world, want
from tonnage.scheduling import Choose, Placement, first
from tonnage.scheduling.placement import Rejection

Object = Mapping[str, Any]


def fit(
    pods: Sequence[Object],
    nodes: Iterable[Object],
    existing: Iterable[Object] = (),
    *,
    objects: Iterable[Object] = (),
    gang: bool = False,
    divisible: bool = False,
    least: int | None = None,
    choose: Choose = first,
    changes: bool = True,
) -> Fit:
    """Decides where pods go in a cluster.

    Args:
        pods: Pod objects that are to be placed, in the order in which the scheduler will take them.
        nodes: The cluster's Node objects.
        existing: Its Pod objects, in whatever state.
        objects: Others of its objects; see ``read_world`` for which ones count.
        gang: Whether all are placed or none.
        divisible: Whether the work could be split over more pods with fewer GPUs each.
        least: With how many pods it works too; None for all of them.
        choose: Picks among equally good nodes.
        changes: Whether changes are tried when not all pods fit.

    Raises:
        SpecError: An object is wrong; it holds every problem.
    """
    world = read_world(nodes, existing, objects)
    return fit_in(
        world, pods, gang=gang, divisible=divisible, least=least, choose=choose, changes=changes
    )


def fit_in(
    world: World,
    pods: Sequence[Object],
    *,
    gang: bool = False,
    divisible: bool = False,
    least: int | None = None,
    choose: Choose = first,
    changes: bool = True,
) -> Fit:
    """The same in a world that was read already."""
    wanted = want(world, pods)
    cluster = world.cluster(wanted.nodes)
    placements = place(wanted.pods, cluster, choose=choose, preempt=True)
    lift(placements, cluster)
    answer = _answer(placements, gang=gang, notes=(*world.notes, *wanted.notes))
    if answer.fits or not changes:
        return answer
    case = Case(cluster, wanted.pods, tuple(placements), divisible=divisible, least=least)
    return replace(answer, changes=changes_for(case))


def _answer(placements: Sequence[Placement], *, gang: bool, notes: tuple[str, ...]) -> Fit:
    names = named([one.pod for one in placements])
    pairs = list(zip(names, placements, strict=True))
    partial = {name: one.node for name, one in pairs if one.node is not None}
    stuck = next(((name, one) for name, one in pairs if one.node is None), None)
    rejections: Mapping[str, Rejection] = stuck[1].rejections if stuck is not None else {}
    return Fit(
        pods=names,
        gang=gang,
        placed={} if gang and stuck is not None else partial,
        partial=partial,
        equals={name: one.best for name, one in pairs if one.node is not None},
        stuck=stuck[0] if stuck is not None else None,
        message=stuck[1].message if stuck is not None else "",
        rejected={node: one.reasons for node, one in rejections.items()},
        plugins={node: one.plugin for node, one in rejections.items()},
        notes=notes,
    )
