"""An API server in little, in memory: objects, dry runs, watches that can be cut, and answers that fail.

The tests on the real control plane (``tests/cluster_training``) show that the real one does the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2

from tonnage.cluster.api import Api
from tonnage.cluster.kubeconfig import ClusterTarget

SERVER = "https://api.test:6443"
Answer = Callable[[httpx2.Request], httpx2.Response | Exception | None]


class FakeServer:
    """It serves whatever path it is asked for.

    Attributes:
        objects: By path.
        asked: Method and path of every request.
        fails: Looks at each request first; an answer or exception of it is given instead.
        kept: The oldest version from which a watch can begin.
    """

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.fails: Answer = lambda _: None
        self.kept = 0
        self._version = 10
        self._events: list[tuple[int, str, str, dict[str, Any]]] = []
        self._news = asyncio.Condition()
        self._cut = 0

    def api(self, namespace: str = "default", **cluster: Any) -> Api:
        """A client of it."""
        target = ClusterTarget(SERVER, namespace, "test", cluster, {})
        return Api(target, httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer), base_url=SERVER))

    async def put(self, path: str, value: dict[str, Any]) -> None:
        """Another one writes an object."""
        async with self._news:
            self._put(path, value)
            self._news.notify_all()

    async def drop(self, path: str) -> None:
        """Another one deletes an object."""
        async with self._news:
            self._drop(path)
            self._news.notify_all()

    async def cut(self) -> None:
        """Break all watches that are open."""
        async with self._news:
            self._cut += 1
            self._news.notify_all()

    def forget(self) -> None:
        """Keep no old versions: a watch must begin with a new list."""
        self.kept = self._version + 1
        self._version += 1

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        failed = self.fails(request)
        if isinstance(failed, Exception):
            raise failed
        if failed is not None:
            return failed
        params = dict(request.url.params)
        if params.get("watch"):
            return self._watch(path, params)
        if request.method == "PATCH":
            return await self._apply(path, json.loads(request.content), params)
        if request.method == "DELETE":
            return await self._delete(path, json.loads(request.content))
        if path in self.objects:
            return httpx2.Response(200, json=self.objects[path])
        if _is_object(path):
            return not_found(path)
        return self._list(path, params)

    def _list(self, path: str, params: dict[str, str]) -> httpx2.Response:
        items = [value for at, value in sorted(self.objects.items()) if at.startswith(f"{path}/")]
        begin, limit = int(params.get("continue", "0")), int(params.get("limit", "500"))
        page = items[begin : begin + limit]
        metadata = {"resourceVersion": str(self._version)}
        if begin + limit < len(items):
            metadata["continue"] = str(begin + limit)
        bare = [{key: part for key, part in one.items() if key not in ("kind", "apiVersion")} for one in page]
        return httpx2.Response(200, json={"metadata": metadata, "items": bare})

    def _watch(self, path: str, params: dict[str, str]) -> httpx2.Response:
        begin = int(params["resourceVersion"])
        if begin < self.kept:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return httpx2.Response(200, content=json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")
        return httpx2.Response(200, content=self._stream(path, begin))

    async def _stream(self, path: str, begin: int) -> AsyncIterator[bytes]:
        cut, at = self._cut, begin
        while True:
            async with self._news:
                for version, kind, where, value in self._events:
                    if version > at and where.startswith(f"{path}/"):
                        at = version
                        yield json.dumps({"type": kind, "object": value}).encode() + b"\n"
                if self._cut != cut:
                    raise httpx2.ReadError("connection reset by peer")
                await self._news.wait()

    async def _apply(self, path: str, value: dict[str, Any], params: dict[str, str]) -> httpx2.Response:
        new = path not in self.objects
        if params.get("dryRun"):
            return httpx2.Response(201 if new else 200, json=value)
        applied = {"manager": params["fieldManager"], "operation": "Apply", "fieldsV1": {"f:spec": {}}}
        metadata = {**value["metadata"], "managedFields": [applied]}
        await self.put(path, {**value, "metadata": metadata})
        return httpx2.Response(201 if new else 200, json=self.objects[path])

    async def _delete(self, path: str, options: dict[str, Any]) -> httpx2.Response:
        if path not in self.objects:
            return not_found(path)
        wanted = options.get("preconditions", {}).get("uid")
        if wanted and wanted != self.objects[path]["metadata"]["uid"]:
            return httpx2.Response(409, json={"kind": "Status", "reason": "Conflict", "message": "uid differs"})
        value = self.objects[path]
        await self.drop(path)
        return httpx2.Response(200, json=value)

    def _put(self, path: str, value: dict[str, Any]) -> None:
        self._version += 1
        before = self.objects.get(path)
        uid = before["metadata"]["uid"] if before else f"uid-{self._version}"
        metadata = {"uid": uid, **value["metadata"], "resourceVersion": str(self._version)}
        parts = path.split("/namespaces/")
        if len(parts) == 2:
            metadata["namespace"] = parts[1].split("/")[0]
        self.objects[path] = {**value, "metadata": metadata}
        self._events.append((self._version, "MODIFIED" if before else "ADDED", path, self.objects[path]))

    def _drop(self, path: str) -> None:
        self._version += 1
        self._events.append((self._version, "DELETED", path, self.objects.pop(path)))


def _is_object(path: str) -> bool:
    """Whether a path names one object and not all of a kind."""
    inside = path.split("/namespaces/")[1].split("/", 1)[1] if "/namespaces/" in path else path.split("/v1/")[1]
    return "/" in inside


def not_found(path: str) -> httpx2.Response:
    """As the API server says that there is no such object."""
    *_, kind, name = path.split("/")
    details = {"name": name, "kind": kind}
    status = {"kind": "Status", "reason": "NotFound", "message": f'{kind} "{name}" not found', "details": details}
    return httpx2.Response(404, json=status)


def status(code: int, message: str, reason: str = "", **headers: str) -> httpx2.Response:
    """An answer that is no success."""
    return httpx2.Response(code, json={"kind": "Status", "message": message, "reason": reason}, headers=headers)
