"""All trainings of a cluster or a namespace, each with its state."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tonnage.cluster.api import Api
from tonnage.cluster.faults import Forbidden
from tonnage.cluster.resources import PODS, Offered, Resource
from tonnage.cluster.training.state import is_controlled, main_resources
from tonnage.training import TrainingStatus, status_of
from tonnage.training.names import JOB_LABEL


@dataclass(frozen=True, slots=True)
class Listed:
    """One training.

    Attributes:
        namespace: Where.
        kind: Of the object that runs it.
        created: When it was made, as the API writes it.
        status: Its state.
    """

    namespace: str
    kind: str
    created: str
    status: TrainingStatus


@dataclass(frozen=True, slots=True)
class Trainings:
    """What was found.

    Attributes:
        listed: The trainings, by namespace and name.
        unread: Kinds that we may not list.
    """

    listed: tuple[Listed, ...]
    unread: tuple[str, ...]


async def list_trainings(api: Api, offered: Offered, *, namespace: str | None) -> Trainings:
    """Find all trainings.

    Args:
        api: Of the server.
        offered: What it offers.
        namespace: Where; None for everywhere.

    Raises:
        Forbidden: None of the kinds may be listed, or pods may not.
        ClusterFault: The server did not say.
    """
    resources = main_resources(offered)
    found = await asyncio.gather(*(_list(api, one, namespace) for one in resources))
    denied = [one for one in found if isinstance(one, Forbidden)]
    if denied and len(denied) == len(resources):
        raise denied[0]
    by_job: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for pod in (await api.list(PODS, namespace=namespace, labels=JOB_LABEL)).items:
        metadata = pod["metadata"]
        by_job.setdefault((metadata["namespace"], metadata["labels"][JOB_LABEL]), []).append(pod)
    objects = [one for items in found if not isinstance(items, Forbidden) for one in items]
    listed = []
    for main in objects:
        if is_controlled(main):
            continue
        metadata = main["metadata"]
        space, name = str(metadata["namespace"]), str(metadata["labels"][JOB_LABEL])
        mine = [one for one in objects if _is_of(one, space, name)]
        status = status_of(name, mine, by_job.get((space, name), []))
        listed.append(Listed(space, str(main["kind"]), str(metadata.get("creationTimestamp") or ""), status))
    listed.sort(key=lambda one: (one.namespace, one.status.name))
    unread = tuple(r.title for r, items in zip(resources, found, strict=True) if isinstance(items, Forbidden))
    return Trainings(tuple(listed), unread)


def _is_of(value: Mapping[str, Any], namespace: str, name: str) -> bool:
    metadata = value["metadata"]
    return bool(metadata["namespace"] == namespace and metadata["labels"][JOB_LABEL] == name)


async def _list(
    api: Api, resource: Resource, namespace: str | None
) -> tuple[dict[str, Any], ...] | Forbidden:
    try:
        return (await api.list(resource, namespace=namespace, labels=JOB_LABEL)).items
    except Forbidden as fault:
        return fault
