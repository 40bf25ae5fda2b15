"""What a node answers about logs: ``/containerLogs/NAMESPACE/POD/CONTAINER`` over HTTPS, for the API server.

Containers write into files (``sandbox``) and are not slowed down by anybody who reads. A line's time is when
its end was first seen here, up to ``LOOK_S`` after it was written; no two lines of a file have the same.

Source: kubernetes 1.37 pkg/kubelet/server/server.go (getContainerLogs), pkg/kubelet/kubelet_pods.go
(validateContainerLogStatus), k8s.io/cri-client pkg/logs/logs.go (ReadLogs).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from controlplane.pod import PodRun

LOOK_S = 0.05
_API_SERVER = "kube-apiserver"
_TRUE = ("1", "true", "True", "t", "T")


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(slots=True)
class LogFile:
    """One life's output, and when each of its lines came.

    Attributes:
        path: The file.
        ends: Where each line ends [bytes].
        times_ns: When it was seen [ns since 1970], rising.
    """

    path: Path
    ends: list[int] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    _read: int = 0

    def look(self, *, ended: bool) -> None:
        """Take in what was written; the rest of a file that has ended is a line too."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:
            return
        at = data.find(b"\n")
        while at >= 0:
            self._add(self._read + at + 1)
            at = data.find(b"\n", at + 1)
        self._read += len(data)
        if ended and self._read > (self.ends[-1] if self.ends else 0):
            self._add(self._read)

    def line(self, index: int) -> bytes:
        """A line, with its end."""
        begin = self.ends[index - 1] if index else 0
        with self.path.open("rb") as file:
            file.seek(begin)
            return file.read(self.ends[index] - begin)

    def _add(self, end: int) -> None:
        before = self.times_ns[-1] if self.times_ns else 0
        self.ends.append(end)
        self.times_ns.append(max(time.time_ns(), before + 1))


@dataclass(frozen=True, slots=True)
class _Wanted:
    follow: bool
    previous: bool
    timestamps: bool
    since_ns: int
    tail: int | None
    bytes_max: int | None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> _Wanted:
        since_ns = 0
        if "sinceSeconds" in query:
            since_ns = time.time_ns() - int(query["sinceSeconds"]) * 10**9
        elif "sinceTime" in query:
            since_ns = int(dt.datetime.fromisoformat(query["sinceTime"]).timestamp()) * 10**9
        return cls(
            follow=query.get("follow") in _TRUE,
            previous=query.get("previous") in _TRUE,
            timestamps=query.get("timestamps") in _TRUE,
            since_ns=since_ns,
            tail=int(query["tailLines"]) if "tailLines" in query else None,
            bytes_max=int(query["limitBytes"]) if "limitBytes" in query else None,
        )


class Logs:
    """The logs of one node.

    Args:
        find: (namespace, name) to the pod that runs here; None for none.
    """

    def __init__(self, find: Callable[[str, str], PodRun | None]) -> None:
        self._find = find
        self._files: dict[Path, tuple[LogFile, PodRun, str, int]] = {}

    async def serve(self, address: str, port: int, certificate: str, key: str, authority: str) -> None:
        """Answer until cancelled.

        Args:
            address: To listen on.
            port: The same.
            certificate: PEM file of the serving certificate.
            key: PEM file of its key.
            authority: PEM file of who vouches for callers.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port, ssl_context=context).start()
            while True:
                for file, run, container, life in list(self._files.values()):
                    file.look(ended=not _goes_on(run, container, life))
                await asyncio.sleep(LOOK_S)
        finally:
            await runner.cleanup()

    def follow(self, run: PodRun) -> None:
        """Begin to look at the lives of a pod's containers that have begun."""
        for container in run.container_names():
            last, _ = run.life_of(container)
            for life in range(1, last + 1):
                path = run.sandbox.folder / f"{container}.{life}.log"
                if path not in self._files:
                    self._files[path] = (LogFile(path), run, container, life)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._stream(request)
        except _Refused as error:
            return web.Response(status=error.status, text=f"{error}\n")

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        peer: Any = request.transport.get_extra_info("peercert") if request.transport else None
        names = [value for part in (peer or {}).get("subject", ()) for key, value in part if key == "commonName"]
        if names != [_API_SERVER]:
            raise _Refused(403, "Forbidden")
        wanted = _Wanted.of(request.query)
        run, container, life = self._chosen(request.path, previous=wanted.previous)
        file = self._file(run, container, life)
        first = bisect_left(file.times_ns, wanted.since_ns)
        if wanted.tail is not None:
            first = max(first, len(file.ends) - wanted.tail)
        response = web.StreamResponse(headers={"content-type": "text/plain"})
        await response.prepare(request)
        left = wanted.bytes_max
        while True:
            ended = not _goes_on(run, container, life)
            file.look(ended=ended)
            while first < len(file.ends) and left != 0:
                text = file.line(first)
                if wanted.timestamps:
                    text = f"{stamp(file.times_ns[first])} ".encode() + text
                if left is not None:
                    text = text[:left]
                    left -= len(text)
                await response.write(text)
                first += 1
            if ended or left == 0 or not wanted.follow:
                return response
            await asyncio.sleep(LOOK_S)

    def _chosen(self, path: str, *, previous: bool) -> tuple[PodRun, str, int]:
        words = path.strip("/").split("/")
        if len(words) != 4 or words[0] != "containerLogs":
            raise _Refused(404, "404 page not found")
        _, namespace, pod, container = words
        run = self._find(namespace, pod)
        if run is None:
            raise _Refused(404, f'pod "{pod}" does not exist')
        if container not in run.container_names():
            raise _Refused(404, f'container "{container}" not found in pod "{pod}"')
        life, goes_on = run.life_of(container)
        if previous:
            # while it waits for its next life, its last one is both the previous and the current one
            life = life - 1 if goes_on or run.is_done(container) else life
            if life < 1:
                raise _Refused(400, f'previous terminated container "{container}" in pod "{pod}" not found')
        elif life < 1:
            raise _Refused(400, f'container "{container}" in pod "{pod}" is waiting to start: ContainerCreating')
        return run, container, life

    def _file(self, run: PodRun, container: str, life: int) -> LogFile:
        self.follow(run)
        file = self._files[run.sandbox.folder / f"{container}.{life}.log"][0]
        file.look(ended=not _goes_on(run, container, life))
        return file


def stamp(time_ns: int) -> str:
    """A time as the kubelet writes it before a line: RFC 3339 with nanoseconds."""
    whole = dt.datetime.fromtimestamp(time_ns // 10**9, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09d}Z"


def _goes_on(run: PodRun, container: str, life: int) -> bool:
    last, goes_on = run.life_of(container)
    return life == last and goes_on
