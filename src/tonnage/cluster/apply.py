"""Several objects as one: all of them are there afterwards, or none that was not there before.

First everything is tried on the server without effect (dry run), so that whatever the server or its admission
would refuse is refused before anything is made, all of it in one go; but for an object that admission misses
another one of them for, such as a TrainJob its runtime, which is tried when that one is there. Then objects
are applied in their order (server-side apply, field manager ``tonnage``). If one fails, or we are
interrupted, what was new is deleted again, and what was there gets back the fields that we had set before. At
last all new objects become dependents of the last one, so that they end with it.

Source: kubernetes v1.37.2, apimachinery pkg/util/managedfields (ExtractInto, for the fields that are ours).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from tonnage.cluster.api import Api, Propagation
from tonnage.cluster.faults import Changed, ClusterFault, Exists, Missing, Refused, several
from tonnage.cluster.fields import fields_of, is_applied_by
from tonnage.cluster.resources import Offered, Resource

END_S_MAX: Final = 30.0
_LOOK_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Piece:
    """One object on its way into a cluster.

    Attributes:
        resource: Its kind.
        value: The fields that are ours.
        namespace: Where; None for kinds without.
        before: As it was; None where there was none.
        after: As it is now; None where that is not known (yet).
    """

    resource: Resource
    value: Mapping[str, Any]
    namespace: str | None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.value["metadata"]["name"])

    @property
    def title(self) -> str:
        """As messages name it, such as ``jobs.batch/train``."""
        return f"{self.resource.title}/{self.name}"

    @property
    def uid(self) -> str:
        """Of the object in the cluster; empty where it is not known."""
        return str(((self.after or self.before or {}).get("metadata") or {}).get("uid") or "")


def pieces_of(offered: Offered, objects: Sequence[Mapping[str, Any]], namespace: str) -> list[Piece]:
    """Objects with the resources that they are.

    Args:
        offered: What the server offers.
        objects: They.
        namespace: Where those go that name none.

    Raises:
        KindMissing: The server does not have a kind; it names all such.
    """
    found: list[Piece] = []
    faults: list[ClusterFault] = []
    for value in objects:
        try:
            resource = offered.of(value)
        except ClusterFault as fault:
            faults.append(fault)
            continue
        where = str(value["metadata"].get("namespace") or namespace) if resource.namespaced else None
        found.append(Piece(resource, value, where))
    if faults:
        raise several(faults)
    return found


async def try_all(api: Api, pieces: Sequence[Piece], *, new: bool, force: bool = False) -> list[Piece]:
    """Ask the server what would become of objects, without effect.

    Args:
        api: Of the server.
        pieces: Objects.
        new: Whether an object that is there already is a fault.
        force: Take fields over from other managers.

    Returns:
        The objects, with what was there before and what would be there.

    Raises:
        ClusterFault: The server would refuse some of them; it names all such.
    """

    async def one(piece: Piece) -> Piece | ClusterFault:
        before = None
        try:
            before = await api.find(piece.resource, piece.name, namespace=piece.namespace)
            if before is not None and new:
                where = f" in namespace {piece.namespace}" if piece.namespace else ""
                return Exists(f"{piece.title}{where}: exists already")
            _, after = await api.apply(
                piece.resource, piece.value, namespace=piece.namespace, dry_run=True, force=force
            )
        except ClusterFault as fault:
            return replace(piece, before=before) if _misses_another(fault, piece, pieces) else fault
        return replace(piece, before=before, after=after)

    done = await asyncio.gather(*(one(piece) for piece in pieces))
    faults = [one for one in done if isinstance(one, ClusterFault)]
    if faults:
        raise several(faults)
    return [one for one in done if isinstance(one, Piece)]


def _misses_another(fault: ClusterFault, piece: Piece, pieces: Sequence[Piece]) -> bool:
    """Whether admission refuses an object because one that comes before it is not there.

    Source: trainer v2.3.0 pkg/webhooks/trainjob_webhook.go and pkg/runtime/core (the runtime "must be created
        before the TrainJob is created").
    """
    if not isinstance(fault, Refused) or "not found" not in str(fault):
        return False
    earlier = pieces[: [one.title for one in pieces].index(piece.title)]
    return any(one.resource.kind in str(fault) and f'"{one.name}"' in str(fault) for one in earlier)


async def apply_all(api: Api, tried: Sequence[Piece], *, new: bool, force: bool = False) -> list[Piece]:
    """Apply objects in their order, all of them or none; the last one owns the new ones before it.

    Args:
        api: Of the server.
        tried: What ``try_all`` gave.
        new: Whether an object that has come to be there since is a fault.
        force: Take fields over from other managers.

    Returns:
        The objects as they are.

    Raises:
        ClusterFault: One could not be applied. What was done before is undone; what could not be is named.
    """
    begun: list[Piece] = []
    interrupted = asyncio.Event()
    task = asyncio.create_task(_apply(api, tried, begun, interrupted, new=new, force=force))
    try:
        return await asyncio.shield(task)
    except BaseException as error:
        # a request under way is waited for: only its answer says whether there is something to undo
        interrupted.set()
        await asyncio.wait([task])
        left = await asyncio.shield(asyncio.create_task(undo(api, begun)))
        if left and isinstance(error, ClusterFault):
            raise several([error, ClusterFault(_left_text(left))]) from error
        if left:
            raise ClusterFault(_left_text(left)) from error
        raise


async def _apply(
    api: Api,
    tried: Sequence[Piece],
    begun: list[Piece],
    interrupted: asyncio.Event,
    *,
    new: bool,
    force: bool,
) -> list[Piece]:
    for piece in tried:
        if interrupted.is_set():
            break
        begun.append(replace(piece, after=None))
        is_new, after = await api.apply(piece.resource, piece.value, namespace=piece.namespace, force=force)
        if new and not is_new:
            begun.pop()
            raise Exists(f"{piece.title}: exists already, since a moment ago")
        begun[-1] = replace(piece, after=after)
    return await _own(api, begun) if begun and not interrupted.is_set() else begun


async def undo(api: Api, begun: Sequence[Piece]) -> list[Piece]:
    """Make what was: delete what is new, last first, and give what was there its former fields.

    Returns:
        What could not be undone.
    """
    left: list[Piece] = []
    ending: list[Piece] = []
    for piece in reversed(begun):
        try:
            if piece.before is None:
                ending += [piece] if await delete_piece(api, piece) else []
            else:
                former = fields_of(piece.before)
                await api.apply(piece.resource, former, namespace=piece.namespace, force=True)
        except ClusterFault:
            left.append(piece)
    return left + await wait_gone(api, ending)


async def delete_piece(api: Api, piece: Piece) -> bool:
    """Delete an object with all that it owns.

    Returns:
        Whether it is about to end; not where there is none, or another one's.
    """
    uid = piece.uid
    if not uid:  # whether it was made is not known: it is ours if we have applied it
        found = await api.find(piece.resource, piece.name, namespace=piece.namespace)
        metadata = (found or {}).get("metadata") or {}
        if not any(is_applied_by(entry) for entry in metadata.get("managedFields") or ()):
            return False
        uid = str(metadata["uid"])
    try:
        await api.delete(
            piece.resource,
            piece.name,
            namespace=piece.namespace,
            uid=uid,
            propagation=propagation_of(piece.resource),
        )
    except (Missing, Changed):
        return False
    return True


def propagation_of(resource: Resource) -> Propagation:
    """How to delete an object with all that it owns: in the foreground, so that all that is gone before it.

    A TrainJob goes first instead: in the foreground its runtime would be gone before it, and Trainer's
    webhook then refuses the last update of it, which takes the finalizer away, for ever.

    Source: trainer v2.3.0 pkg/webhooks/trainjob_webhook.go (ValidateUpdate); kubernetes v1.37.2
        pkg/controller/garbagecollector (processDeletingDependentsItem).
    """
    return "Background" if resource.kind == "TrainJob" else "Foreground"


async def wait_gone(api: Api, pieces: Sequence[Piece], seconds_max: float = END_S_MAX) -> list[Piece]:
    """Wait until objects are gone.

    Args:
        api: Of the server.
        pieces: Objects that are about to end.
        seconds_max: How long to wait.

    Returns:
        Those that are still there.
    """
    clock = asyncio.get_running_loop().time
    end_s = clock() + seconds_max
    left = list(pieces)
    while left:
        still = []
        for piece in left:
            try:
                found = await api.find(piece.resource, piece.name, namespace=piece.namespace)
            except ClusterFault:
                found = {}
            uid = ((found or {}).get("metadata") or {}).get("uid")
            if found is not None and (not piece.uid or not uid or uid == piece.uid):
                still.append(piece)
        left = still
        if left and clock() > end_s:
            break
        if left:
            await asyncio.sleep(_LOOK_S)
    return left


async def _own(api: Api, pieces: Sequence[Piece]) -> list[Piece]:
    """Let the last object own the new ones before it, so that they end when it is deleted."""
    *others, main = pieces
    reference = {
        "apiVersion": main.resource.api_version,
        "kind": main.resource.kind,
        "name": main.name,
        "uid": main.uid,
    }
    found = []
    for piece in others:
        if piece.before is None and piece.namespace == main.namespace:
            metadata = {**piece.value["metadata"], "ownerReferences": [reference]}
            value = {**piece.value, "metadata": metadata}
            _, after = await api.apply(piece.resource, value, namespace=piece.namespace)
            found.append(replace(piece, value=value, after=after))
        else:
            found.append(piece)
    return [*found, main]


def _left_text(left: Sequence[Piece]) -> str:
    names = ", ".join(piece.title for piece in left)
    words = " ".join(piece.title for piece in left)
    where = f" -n {left[0].namespace}" if left[0].namespace else ""
    return f"left behind: {names} could not be undone; delete them: kubectl delete{where} {words}"
