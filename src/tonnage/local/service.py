"""A service on this machine: replicas as processes, watched by their probes, restarted with back-off.

All replicas share the service's port and open it when they are ready; each has a port of its own on
the loopback interface, where its probes and its metrics are asked. How many there are is a variable
(``scale``), so that a controller can set it.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tonnage.contract import endpoints
from tonnage.contract import metrics as names
from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.errors import EnvironmentFault
from tonnage.local.probes import (
    BACKOFF_RESET_S,
    Kind,
    ProbeMachine,
    ProbeSettings,
    restart_backoff_s,
)

Event = Callable[[int | None, str], None]
"""Told of what happens: the replica's number, or None for the service, and a line of text."""

SCRAPE_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What a replica's metrics said at one moment.

    Attributes:
        at_s: When [s, monotonic].
        answered: Inferences answered with success since its start.
        quantiles_s: p50 and p99 of the sliding window [s]; empty when nothing was answered.
        in_flight: Requests accepted and not yet answered.
        queue: Requests that wait for a batch.
    """

    at_s: float
    answered: float
    quantiles_s: dict[str, float]
    in_flight: float
    queue: float


@dataclass(slots=True)
class Replica:
    """One process of the service and what is known of it."""

    index: int
    port: int = 0
    process: asyncio.subprocess.Process | None = None
    probes: ProbeMachine | None = None
    restarts: int = 0
    state: str = "starting"
    started_s: float = 0.0
    leaving: bool = False
    samples: list[Sample] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def rate_per_s(self) -> float:
        """Inferences answered per second between the last two samples."""
        if len(self.samples) < 2:
            return 0.0
        before, now = self.samples[-2:]
        return max(0.0, now.answered - before.answered) / max(now.at_s - before.at_s, 1e-9)


class LocalService:
    """The service.

    Args:
        config: Settings of one server; the first address is the service's.
        probes: What the replicas are probed with.
        backoff_s: Base of the restart back-off [s].
        event: Told of what happens.
    """

    def __init__(
        self,
        *,
        config: ServerConfig,
        probes: dict[Kind, ProbeSettings],
        backoff_s: float,
        event: Event,
    ) -> None:
        shared = config.http[0]
        held = _hold(shared)
        self._held = held
        self.port: int = held.getsockname()[1]
        self._config = msgspec.structs.replace(
            config,
            http=(msgspec.structs.replace(shared, port=self.port, only_ready=True),),
            grpc=msgspec.structs.replace(config.grpc, only_ready=True) if config.grpc is not None else None,
            log_format="json",
        )
        self._probes = probes
        self._backoff_s = backoff_s
        self._event = event
        self.replicas: list[Replica] = []
        self._stopping = asyncio.Event()

    def scale(self, count: int) -> None:
        """Have this many replicas; the newest leave first, drained."""
        living = [one for one in self.replicas if not one.leaving]
        for index in range(len(living), count):
            replica = Replica(max((one.index for one in self.replicas), default=-1) + 1 if index else index)
            self.replicas.append(replica)
            replica.task = asyncio.create_task(self._keep(replica))
        for replica in living[count:]:
            replica.leaving = True
            _send(replica, signal.SIGTERM)

    async def stop(self) -> bool:
        """Drain all replicas.

        Returns:
            Whether all of them ended by themselves within their grace period.
        """
        self._stopping.set()
        for replica in self.replicas:
            replica.leaving = True
            replica.state = "draining"
            _send(replica, signal.SIGTERM)
        tasks = [replica.task for replica in self.replicas if replica.task is not None]
        if not tasks:
            return True
        _, late = await asyncio.wait(tasks, timeout=self._config.grace_s + 1.0)
        self.kill()
        if late:
            await asyncio.wait(late, timeout=5.0)
        return not late

    def kill(self) -> None:
        """End all replicas now."""
        for replica in self.replicas:
            _send(replica, signal.SIGKILL)

    async def _keep(self, replica: Replica) -> None:
        """Run one replica again and again until it shall leave."""
        failures = 0
        while not replica.leaving:
            code = await self._live(replica)
            if replica.leaving:
                break  # type: ignore[unreachable]
            if time.monotonic() - replica.started_s > BACKOFF_RESET_S:
                failures = 0
            wait_s = restart_backoff_s(failures, self._backoff_s)
            failures += 1
            replica.restarts += 1
            replica.state = "back-off" if wait_s else "restarting"
            self._event(replica.index, f"ended with code {code}; starts again in {wait_s:g} s")
            try:
                await asyncio.wait_for(self._stopping.wait(), wait_s)
            except TimeoutError:
                continue
        replica.state = "gone"
        if replica in self.replicas and not self._stopping.is_set():
            self.replicas.remove(replica)

    async def _live(self, replica: Replica) -> int:
        replica.port = _free_port()
        own = ListenConfig(host="127.0.0.1", port=replica.port)
        config = msgspec.structs.replace(self._config, http=(*self._config.http, own))
        fd = os.memfd_create("tonnage-config")
        os.write(fd, msgspec.json.encode(config))
        replica.state = "starting"
        replica.started_s = time.monotonic()
        replica.samples.clear()
        try:
            replica.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tonnage.server", "--config", f"/dev/fd/{fd}",
                pass_fds=(fd,), stderr=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(fd)
        replica.probes = ProbeMachine(self._probes, replica.started_s)
        watching = [asyncio.create_task(self._probe(replica)), asyncio.create_task(self._scrape(replica))]
        reading = asyncio.create_task(self._read_log(replica))
        if replica.leaving:
            _send(replica, signal.SIGTERM)
        try:
            return await replica.process.wait()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
            await reading

    async def _probe(self, replica: Replica) -> None:
        machine = replica.probes
        assert machine is not None
        while True:
            await asyncio.sleep(max(0.0, min(machine.next_s() - time.monotonic(), 1.0)))
            due = machine.due(time.monotonic())
            for kind in due:
                settings = self._probes[kind]
                status, _ = await asyncio.to_thread(_get, replica.port, settings.path, settings.timeout_s)
                machine.record(kind, 200 <= status < 400, time.monotonic())
            if machine.restart is not None:
                self._event(replica.index, machine.restart)
                await self._end(replica)
                return
            if not replica.leaving:
                state = "ready" if machine.ready else "not ready" if machine.started else "starting"
                if due and state != replica.state:
                    replica.state = state
                    self._event(replica.index, state)

    async def _end(self, replica: Replica) -> None:
        """SIGTERM, the grace period, SIGKILL."""
        _send(replica, signal.SIGTERM)
        await asyncio.sleep(self._config.grace_s)
        _send(replica, signal.SIGKILL)

    async def _scrape(self, replica: Replica) -> None:
        while True:
            await asyncio.sleep(SCRAPE_PERIOD_S)
            status, body = await asyncio.to_thread(_get, replica.port, endpoints.METRICS_PATH, 2.0)
            if status == 200:
                replica.samples.append(read_sample(body.decode(), time.monotonic()))
                del replica.samples[:-2]

    async def _read_log(self, replica: Replica) -> None:
        """Turn the server's log into events; what is not ours is told as it is."""
        assert replica.process is not None
        assert replica.process.stderr is not None
        async for raw in replica.process.stderr:
            try:
                line = json.loads(raw)
                if line["level"] in ("warning", "error"):
                    self._event(replica.index, f"{line['event']}: {line.get('error', '')}".rstrip(": "))
                elif line["event"] in ("model loaded", "model warm"):
                    took_s = line.get("load_s", line.get("warmup_s"))
                    self._event(replica.index, f"{line['event']} in {took_s:.2f} s")
            except (ValueError, KeyError, TypeError):
                self._event(replica.index, raw.decode(errors="replace").rstrip()[:300])


def read_sample(page: str, at_s: float) -> Sample:
    """Read what the view shows from a metrics page."""
    answered = in_flight = queue = 0.0
    quantiles = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == names.REQUESTS_TOTAL and sample.labels["code"] == "200":
                answered += sample.value
            elif sample.name == names.LATENCY_WINDOW_SECONDS:
                quantiles[sample.labels["quantile"]] = sample.value
            elif sample.name == names.IN_FLIGHT:
                in_flight = sample.value
            elif sample.name == names.QUEUE_LENGTH:
                queue = sample.value
    return Sample(at_s, answered, quantiles, in_flight, queue)


def _hold(listen: ListenConfig) -> socket.socket:
    """Keep the service's port for its replicas; refuse one that others listen on."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        host = "127.0.0.1" if listen.host == "0.0.0.0" else listen.host  # noqa: S104
        if listen.port and probe.connect_ex((host, listen.port)) == 0:
            raise EnvironmentFault(
                f"spec.server.port: must be free, got {listen.port} where something listens already"
                "; stop that, or choose another with --port"
            )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((listen.host, listen.port))
    except OSError as error:
        sock.close()
        raise EnvironmentFault(
            f"spec.server.port: must be free, got {listen.port}: {error.strerror}; choose another with --port"
        ) from None
    return sock


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _get(port: int, path: str, timeout_s: float) -> tuple[int, bytes]:
    """GET from this machine; status 0 when there is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _send(replica: Replica, number: int) -> None:
    if replica.process is not None and replica.process.returncode is None:
        try:
            replica.process.send_signal(number)
        except ProcessLookupError:
            pass  # it has ended and is not yet waited for
