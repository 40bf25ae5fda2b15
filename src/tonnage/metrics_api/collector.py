"""Follows pods, Services and Deployments of the cluster: a list, then changes; on any error a new list."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import httpx2
from lightkube import ApiError, AsyncClient
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import Pod, Service

from tonnage.metrics_api.logs import Log
from tonnage.metrics_api.pods import pod_info, scope_of
from tonnage.metrics_api.scraper import Scraper
from tonnage.metrics_api.selectors import BadSelector
from tonnage.metrics_api.store import Store
from tonnage.metrics_api.telemetry import Telemetry

ALL_NAMESPACES: Final = "*"
WATCH_S_MAX: Final = 240
"""The API server ends a watch then, and it is begun anew where it was."""
SILENCE_S_MAX: Final = 300.0
"""A watch that says nothing for longer, not even that it ends, has lost its connection."""
WAIT_S_MAX: Final = 30.0

Put = Callable[[Mapping[str, Any]], None]
Drop = Callable[[str, str], None]
Keep = Callable[[set[tuple[str, str]]], None]


class Collector:
    """Brings the cluster into the store, and tells the scraper whom to ask.

    Args:
        client: Of the API server.
        store: What is kept up to date.
        scraper: Who is told.
        namespace: Whose objects; None for all.
        telemetry: Where it counts.
        log: For what goes wrong.

    Attributes:
        waiting: Resources that have not been listed yet.
    """

    def __init__(
        self,
        client: AsyncClient,
        store: Store,
        scraper: Scraper,
        namespace: str | None,
        telemetry: Telemetry,
        log: Log,
    ) -> None:
        self._client = client
        self._store = store
        self._scraper = scraper
        self._namespace = namespace or ALL_NAMESPACES
        self._telemetry = telemetry
        self._log = log
        self._problems: dict[tuple[str, str], str] = {}
        self.waiting = {"pods", "services", "deployments.apps"}

    async def run(self) -> None:
        """Follow all of them until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow("pods", Pod, self._put_pod, self._drop_pod, self._keep_pods))
            for resource, kind in (("services", Service), ("deployments.apps", Deployment)):
                put = partial(self._put_scope, resource)
                drop = partial(self._store.drop_scope, resource)
                keep = partial(self._store.keep_scopes, resource)
                group.create_task(self._follow(resource, kind, put, drop, keep))

    async def _follow(self, resource: str, kind: Any, put: Put, drop: Drop, keep: Keep) -> None:
        failures = 0
        while True:
            try:
                version = await self._list(kind, put, keep)
                self.waiting.discard(resource)
                failures = 0
                await self._watch(kind, version, put, drop)
            except (ApiError, httpx2.HTTPError, TimeoutError, OSError) as error:
                failures += 1
                gone = isinstance(error, ApiError) and error.status.code == 410
                if not gone:
                    self._log("warning", "watch begins anew", resource=resource, problem=str(error))
                self._telemetry.relists.labels(resource).inc()
                wait_s = min(0.5 * 2.0 ** min(failures, 10), WAIT_S_MAX)
                await asyncio.sleep(0.1 if gone else wait_s * random.uniform(0.5, 1))  # noqa: S311

    async def _list(self, kind: Any, put: Put, keep: Keep) -> str:
        names: set[tuple[str, str]] = set()
        listed = self._client.list(kind, namespace=self._namespace, chunk_size=500)
        async for one in listed:
            put(one.to_dict())
            names.add((one.metadata.namespace, one.metadata.name))
        keep(names)
        return str(listed.resourceVersion)

    async def _watch(self, kind: Any, version: str, put: Put, drop: Drop) -> None:
        changes = aiter(
            self._client.watch(
                kind, namespace=self._namespace, resource_version=version, server_timeout=WATCH_S_MAX
            )
        )
        try:
            while True:
                async with asyncio.timeout(SILENCE_S_MAX):
                    change, one = await anext(changes)
                if change == "DELETED":
                    drop(one.metadata.namespace, one.metadata.name)
                elif change in ("ADDED", "MODIFIED"):
                    put(one.to_dict())
        finally:
            await changes.aclose()  # type: ignore[attr-defined]  # it is a generator

    def _put_pod(self, value: Mapping[str, Any]) -> None:
        info = pod_info(value)
        key = (info.namespace, info.name)
        if info.problem and self._problems.get(key) != info.problem:
            self._log("warning", "pod is not asked", pod="/".join(key), problem=info.problem)
        if info.problem:
            self._problems[key] = info.problem
        else:
            self._problems.pop(key, None)
        self._store.put_pod(info)
        self._scraper.follow(info)

    def _drop_pod(self, namespace: str, name: str) -> None:
        self._problems.pop((namespace, name), None)
        self._store.drop_pod(namespace, name)
        self._scraper.forget(namespace, name)

    def _keep_pods(self, names: set[tuple[str, str]]) -> None:
        self._store.keep_pods(names)
        self._scraper.keep(names)

    def _put_scope(self, resource: str, value: Mapping[str, Any]) -> None:
        metadata = value["metadata"]
        try:
            selector = scope_of(resource, value)
        except BadSelector as error:
            self._log("warning", "selector cannot be read", object=metadata["name"], problem=str(error))
            selector = None
        self._store.put_scope(resource, metadata["namespace"], metadata["name"], selector)
