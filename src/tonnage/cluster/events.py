"""What a cluster has said about objects: its events, oldest first. Pure but for one read.

Source: kubernetes v1.37.2, staging/src/k8s.io/api/core/v1/types.go (Event, EventSeries); events of the new
API (``events.k8s.io``) are the same objects, with their time in other fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tonnage.cluster.api import Api
from tonnage.cluster.resources import EVENTS


@dataclass(frozen=True, slots=True)
class Said:
    """One event.

    Attributes:
        at: When it was said last, as the API writes times.
        type: ``Normal`` or ``Warning``.
        reason: One word, such as ``FailedScheduling``.
        kind: Of the object that it is about.
        name: Of that object.
        text: The message.
        count: How often it was said.
        by: Who said it.
    """

    at: str
    type: str
    reason: str
    kind: str
    name: str
    text: str
    count: int
    by: str


def said_of(event: Mapping[str, Any]) -> Said:
    """Read an event."""
    series = event.get("series") or {}
    about = event.get("involvedObject") or event.get("regarding") or {}
    source = event.get("source") or event.get("deprecatedSource") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("deprecatedLastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    )
    return Said(
        at=next((str(one) for one in times if one), ""),
        type=str(event.get("type") or "Normal"),
        reason=str(event.get("reason") or ""),
        kind=str(about.get("kind") or ""),
        name=str(about.get("name") or ""),
        text=" ".join(str(event.get("message") or event.get("note") or "").split()),
        count=int(series.get("count") or event.get("count") or 1),
        by=str(event.get("reportingComponent") or source.get("component") or ""),
    )


def about(events: Iterable[Mapping[str, Any]], uids: frozenset[str], names: frozenset[str]) -> list[Said]:
    """The events about some objects, oldest first.

    Args:
        events: Of the namespace.
        uids: Of the objects.
        names: ``Kind/name`` of objects that are named by that alone, because they are not there (yet).
    """
    found = []
    for event in events:
        regarding = event.get("involvedObject") or event.get("regarding") or {}
        known = str(regarding.get("uid") or "")
        if known in uids or (f"{regarding.get('kind')}/{regarding.get('name')}" in names):
            found.append(said_of(event))
    return sorted(found, key=lambda one: (one.at, one.name, one.reason))


async def read_events(api: Api, *, namespace: str | None) -> tuple[dict[str, Any], ...]:
    """All events of a namespace that the server still has (an hour of them, where nobody set it otherwise).

    Raises:
        ClusterFault: The server did not say.
    """
    return (await api.list(EVENTS, namespace=namespace)).items
