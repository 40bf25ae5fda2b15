"""What of a cluster decides where pods go, read once: nodes, pods, and what else the scheduler looks at."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from tonnage.cluster.api import Api
from tonnage.cluster.faults import Forbidden, KindMissing
from tonnage.cluster.resources import NODES, PODS, Offered, Resource

_OTHERS: Final = (
    ("", "Namespace"),
    ("", "Service"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("policy", "PodDisruptionBudget"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("resource.k8s.io", "ResourceClaim"),
    ("resource.k8s.io", "ResourceClaimTemplate"),
)
"""Group and kind; the version is the one that the server prefers."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A cluster as it was, kind by kind a moment apart.

    Attributes:
        nodes: Node objects.
        pods: Pod objects of all namespaces.
        others: Objects of other kinds.
        unread: Kinds that we may not list, such as ``nodes``; what depends on them is not known.
    """

    nodes: tuple[dict[str, Any], ...]
    pods: tuple[dict[str, Any], ...]
    others: tuple[dict[str, Any], ...]
    unread: tuple[str, ...] = ()


async def read_snapshot(api: Api, offered: Offered) -> Snapshot:
    """Read all of it; what is not allowed is left out and named.

    Args:
        api: Of the server.
        offered: What it offers.

    Raises:
        ClusterFault: The server did not answer.
    """
    wanted = [NODES, PODS]
    for group, kind in _OTHERS:
        found = next((one for one in offered.resources if (one.group, one.kind) == (group, kind)), None)
        if found is not None:
            wanted.append(found)
    listed = await asyncio.gather(*(_list(api, one) for one in wanted))
    unread = tuple(one.title for one, items in zip(wanted, listed, strict=True) if items is None)
    nodes, pods, *others = (items or () for items in listed)
    return Snapshot(nodes, pods, tuple(one for items in others for one in items), unread)


async def _list(api: Api, resource: Resource) -> tuple[dict[str, Any], ...] | None:
    try:
        return (await api.list(resource, namespace=None)).items
    except (Forbidden, KindMissing):
        return None
