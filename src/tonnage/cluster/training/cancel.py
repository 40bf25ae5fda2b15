"""Ends a training: the object that runs it and all that it owns, pods first, and says what was removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tonnage.cluster.api import Api
from tonnage.cluster.apply import Piece, propagation_of, wait_gone
from tonnage.cluster.faults import Changed, Missing
from tonnage.cluster.resources import PODS, Offered
from tonnage.cluster.training.state import JobState, is_controlled, read_state


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What became of a training's objects.

    Attributes:
        removed: Those that are gone, such as ``jobs.batch/train``.
        left: Those that were still there when the wait was over.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


async def cancel(
    api: Api,
    offered: Offered,
    name: str,
    *,
    namespace: str,
    seconds_max: float,
    told: Callable[[str], None] = lambda _: None,
) -> Cancelled:
    """Delete a training in the foreground: its main object goes last, when its pods are gone.

    A TrainJob goes first (``propagation_of``).

    Args:
        api: Of the server.
        offered: What it offers.
        name: The training.
        namespace: Where.
        seconds_max: How long to wait until all is gone.
        told: Takes what is done.

    Raises:
        Missing: There is none of the name.
        ClusterFault: The server did not do it.
    """
    state = await read_state(api, offered, name, namespace=namespace, whole=True)
    pieces = _pieces(offered, state)
    roots = [piece for piece in pieces if piece.before is not None and not is_controlled(piece.before)]
    # what others own goes with them; a Service that lost its owner goes by itself
    for piece in [one for one in roots if one.resource != PODS]:
        told(f"deleting {piece.title}")
        try:
            await api.delete(
                piece.resource,
                piece.name,
                namespace=namespace,
                uid=piece.uid,
                propagation=propagation_of(piece.resource),
            )
        except (Missing, Changed):
            continue
    left = await wait_gone(api, pieces, seconds_max)
    titles = {piece.title for piece in left}
    return Cancelled(
        tuple(piece.title for piece in pieces if piece.title not in titles),
        tuple(piece.title for piece in left),
    )


def _pieces(offered: Offered, state: JobState) -> list[Piece]:
    """All of a training's objects and pods, the one that runs it first."""
    found = []
    for value in state.objects:
        resource = offered.find(str(value["apiVersion"]), str(value["kind"]))
        if resource is not None:
            found.append(Piece(resource, value, state.namespace, before=value))
    found.sort(key=lambda piece: piece.value is not state.main)
    return found + [Piece(PODS, pod, state.namespace, before=pod) for pod in state.pods]


