"""Objects of a kind, kept as they are in the cluster: a list, then each change, whatever happens to the line.

A ``Mirror`` lists once and then follows. The server ends a watch every minute, and it goes on at the version
where it was; what is lost with a connection is read again; a version that the server no longer has (410)
begins a new list. While the server is away it waits, longer each time, up to a limit. What cannot become
right by waiting (not allowed, no such kind) ends it.

Source: kubernetes v1.37.2, client-go tools/cache/reflector.go (ListAndWatchWithContext, handleAnyWatch).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Final

import orjson

from tonnage.cluster.api import Api
from tonnage.cluster.faults import Action, Busy, Gone, Unclear, Unreachable, fault_of
from tonnage.cluster.resources import Resource

WATCH_S: Final = 60
"""The server ends a watch after it."""
SILENCE_S_MAX: Final = 75.0
"""A watch that says nothing for longer, not even that it ends, has lost its connection."""
WAIT_S: Final = 0.5
WAIT_S_MAX: Final = 10.0
AWAY_S_MAX: Final = 600.0
"""How long a server may be away before following it is given up."""

Key = tuple[str, str]
"""Namespace (empty for kinds without) and name."""


class Mirror:
    """The objects of one kind that a selector names, while its context is open.

    Args:
        api: Of the server.
        resource: The kind.
        namespace: Whose objects; None for all.
        labels: Label selector.
        fields: Field selector.
        changed: Called after each change, and when the server goes away or comes back.
        away_s_max: How long the server may be away.
        optional: Whether those who follow it can do without it.

    Attributes:
        objects: They, by namespace and name.
        synced: Whether they have been listed.
        away: Why the server does not answer now; empty while it does.
        optional: As it was given.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        *,
        namespace: str | None,
        labels: str = "",
        fields: str = "",
        changed: Callable[[], None] = lambda: None,
        away_s_max: float = AWAY_S_MAX,
        optional: bool = False,
    ) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._labels = labels
        self._fields = fields
        self._changed = changed
        self._away_s_max = away_s_max
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self.objects: dict[Key, dict[str, Any]] = {}
        self.synced = False
        self.away = ""
        self.optional = optional

    async def __aenter__(self) -> Mirror:
        """List once, so that the objects are there; a server that is away then is a fault at once."""
        await self._list()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        """Raise what has ended it.

        Raises:
            ClusterFault: It follows no longer.
        """
        if self._task is not None and self._task.done():
            self._task.result()

    async def _run(self) -> None:
        failures, lost_s = 0, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if not self.synced:
                    await self._list()
                async for _ in self._watch():
                    failures = self._back()
                failures = self._back()
            except Gone:
                self.synced = False
            except (Busy, Unreachable) as fault:
                now_s = clock()
                lost_s = now_s if failures == 0 else lost_s
                failures += 1
                if now_s - lost_s > self._away_s_max:
                    raise
                if failures > 1:  # a line that only broke is nothing to tell
                    self.away = str(fault)
                    self._changed()
                wait_s = min(WAIT_S * 2.0 ** min(failures - 1, 10), WAIT_S_MAX)
                await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  spreads callers only
            except BaseException:
                self._changed()  # whoever waits learns of it from ``check``
                raise

    def _back(self) -> int:
        if self.away:
            self.away = ""
            self._changed()
        return 0

    async def _list(self) -> None:
        listing = await self._api.list(
            self._resource, namespace=self._namespace, labels=self._labels, fields=self._fields
        )
        self.objects = {_key(one): one for one in listing.items}
        self._version = listing.version
        self.synced = True
        self.away = ""
        self._changed()

    async def _watch(self) -> AsyncIterator[None]:
        """Take changes in until the server ends the watch; yields at each sign of life."""
        action = Action("watch", self._resource.title, "", self._namespace or "")
        params = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_S),
            "resourceVersion": self._version,
            "labelSelector": self._labels,
            "fieldSelector": self._fields,
        }
        given = {key: value for key, value in params.items() if value}
        path = self._resource.path(self._namespace)
        async with self._api.stream(path, action, params=given, silence_s_max=SILENCE_S_MAX) as response:
            yield
            async for line in response.aiter_lines():
                if line.strip():
                    self._take(line, action)
                yield

    def _take(self, line: str, action: Action) -> None:
        try:
            event = orjson.loads(line)
            kind, value = event["type"], event["object"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            raise Unreachable(f"{self._api.server}: watch {action.where}: a line is no event") from None
        if kind == "ERROR":
            code = int(value.get("code") or 500)
            text = orjson.dumps({"kind": "Status", **value}).decode()
            fault = fault_of(code, text, action, server=self._api.server)
            raise Busy(str(fault)) if isinstance(fault, Unclear) else fault
        self._version = str(value["metadata"].get("resourceVersion") or self._version)
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self.objects.pop(_key(value), None)
        else:
            self.objects[_key(value)] = value
        self._changed()


class Followed:
    """Several mirrors, and the news of all of them.

    ``async for _ in followed.news()`` goes on after each change of any of them, several changes at once.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.mirrors: list[Mirror] = []

    def changed(self) -> None:
        """Tell that something has changed."""
        self._event.set()

    @property
    def away(self) -> str:
        """Why the server does not answer now; empty while it does."""
        return next((one.away for one in self.mirrors if one.away), "")

    async def news(self, *, pause_s: float = 0.1, every_s: float | None = None) -> AsyncIterator[None]:
        """Goes on at once, and then after changes.

        Args:
            pause_s: Shortest time between two turns [s], in which changes gather.
            every_s: Longest one [s]; None for any.

        Raises:
            ClusterFault: A mirror that is not optional has ended.
        """
        while True:
            self._event.clear()
            for one in self.mirrors:
                if not one.optional:
                    one.check()
            yield
            try:
                async with asyncio.timeout(every_s):
                    await self._event.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(pause_s)


def _key(value: Mapping[str, Any]) -> Key:
    metadata = value["metadata"]
    return str(metadata.get("namespace") or ""), str(metadata["name"])


