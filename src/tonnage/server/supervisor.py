"""Several workers on one port: starts them, watches them, starts the dead anew, ends them together.

The workers share the port by ``SO_REUSEPORT``, each with its own accept queue, and open it when they
are ready; until the first is, the supervisor itself answers there, 503 with the reason. It never
loads the model. A worker that dies takes with it only what it held; one whose model hangs, or whose
event loop does, is killed, which is the same. Restarts back off, and are counted in the metrics that
all workers share.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
import uvloop

from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.errors import TonnageError
from tonnage.server.http.app import HttpApp
from tonnage.server.listening import bind
from tonnage.server.logs import make_logger
from tonnage.server.metrics.block import Block, State
from tonnage.server.metrics.exposition import expose
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.state import ServerState

WATCH_PERIOD_S = 0.1
STARTING_PERIOD_S = 0.01
"""How often the workers are looked at until one is ready: it waits for the supervisor to leave the port."""
BACKOFF_S_FIRST = 0.1
BACKOFF_S_MAX = 30.0
HEALTHY_S = 60.0
"""A worker that lived this long starts its back-off anew."""
EXIT_SECOND_SIGNAL = 5
_GIVES_UP = (2, 3)
"""Exit codes of a worker that will not do better next time: settings, or a model that does not load."""


def backoff_s(restarts: int) -> float:
    """How long to wait before a worker's next start.

    Args:
        restarts: Its deaths since it last lived for ``HEALTHY_S`` [>= 1].
    """
    return min(BACKOFF_S_MAX, BACKOFF_S_FIRST * 2.0 ** min(restarts - 1, 20))


@dataclass(slots=True)
class _Member:
    """One worker as the supervisor sees it."""

    index: int
    process: asyncio.subprocess.Process | None = None
    started_s: float = 0.0
    deaths: int = 0


class Supervisor:
    """The parent of the workers.

    Args:
        config: The server's settings; ``workers`` is at least 2.
    """

    def __init__(self, config: ServerConfig) -> None:
        assert config.workers is not None
        self._log, _ = make_logger(config.log_format, worker="supervisor", pid=os.getpid())
        # the ports are held from here on, so that a port of 0 is one port for all
        self._held, listens = _hold(config.http)
        held_grpc, grpcs = _hold((config.grpc,) if config.grpc is not None else ())
        self._held += held_grpc
        self._config = msgspec.structs.replace(config, http=listens, grpc=grpcs[0] if grpcs else None)
        self._block = Block.create(config.workers + 1)  # the last slot is the supervisor's own answers
        self._members = [_Member(index) for index in range(config.workers)]
        self._state = ServerState(config.limits.compute_s_max)
        self._state.closing = True  # nobody shall keep a connection to who only says "not yet"
        own = self._block.slots[config.workers]
        self._recorder = Recorder(own, config.window_s)
        self._app = HttpApp(
            config=self._config, state=self._state, recorder=self._recorder, metrics_page=self._metrics_page
        )
        self._doors: list[asyncio.Server] = []
        self._config_fd = _as_file(self._config)
        self._stop = asyncio.Event()
        self._signals = 0
        self._was_ready = False
        self._verdict: int | None = None  # the exit code of a worker that will not do better

    async def run(self) -> int:
        """Supervise until a signal, or until no worker can ever be ready.

        Returns:
            The exit code.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        self._log.info("starting workers", workers=len(self._members))
        await self._open_doors()
        keeping = [asyncio.create_task(self._keep(member)) for member in self._members]
        watching = asyncio.create_task(self._watch())
        await self._stop.wait()
        await self._close_doors()
        for member in self._members:
            _signal(member, signal.SIGTERM)
        _, late = await asyncio.wait(keeping, timeout=self._config.grace_s)
        if late:
            self._log.error("grace period over", workers=len(late))
            for member in self._members:
                _signal(member, signal.SIGKILL)
            await asyncio.wait(keeping, timeout=5.0)
        watching.cancel()
        codes = [task.result() for task in keeping if task.done() and not task.cancelled()]
        self._log.info("stopped")
        return self._verdict or max(codes, default=0)

    async def _keep(self, member: _Member) -> int:
        """Keep one worker running.

        Returns:
            The exit code of its last life.
        """
        while True:
            code = await self._live(member)
            self._block.slots[member.index]["state"] = State.ABSENT
            if self._stop.is_set():
                return max(code, 0)
            if code in _GIVES_UP and not self._was_ready:
                self._verdict = code
                self._stop.set()
                return code
            if time.monotonic() - member.started_s > HEALTHY_S:
                member.deaths = 0
            member.deaths += 1
            self._block.slots[member.index]["restarts"] += 1
            wait_s = backoff_s(member.deaths)
            self._log.warning("worker died", died=member.index, code=code, restart_in_s=round(wait_s, 2))
            try:
                await asyncio.wait_for(self._stop.wait(), wait_s)
            except TimeoutError:
                continue
            return max(code, 0)

    async def _live(self, member: _Member) -> int:
        """Start a worker and wait for its end."""
        member.started_s = time.monotonic()
        member.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tonnage.server",
            "--config",
            f"/dev/fd/{self._config_fd}",
            "--worker",
            str(member.index),
            "--block-fd",
            str(self._block.fd),
            pass_fds=(self._config_fd, self._block.fd),
            # a terminal's Ctrl-C is for the supervisor, which passes it on once; twice would mean "exit now"
            start_new_session=True,
        )
        if self._stop.is_set():  # a signal came while it was started
            _signal(member, signal.SIGTERM)
        return await member.process.wait()

    async def _watch(self) -> None:
        """Kill what hangs, and open or close the supervisor's own door."""
        while True:
            now_s = time.monotonic()
            slots = self._block.slots[:-1]
            states = slots["state"]
            ready = bool((states == State.READY).any())
            self._state.now = State.READY if ready else max(State.STARTING, State(int(states.max())))
            self._was_ready = self._was_ready or ready
            if ready and self._doors:
                await self._close_doors()
            elif not ready and not self._doors and not self._stop.is_set():
                await self._open_doors()
            for member in self._members:
                self._kill_if_hung(member, now_s)
            self._recorder.fold(now_s)
            await asyncio.sleep(WATCH_PERIOD_S if ready else STARTING_PERIOD_S)

    def _kill_if_hung(self, member: _Member, now_s: float) -> None:
        slot = self._block.slots[member.index]
        limit_s = self._config.limits.compute_s_max
        if slot["state"] not in (State.READY, State.DRAINING) or member.process is None:
            return
        silent_s = now_s - float(slot["heartbeat_s"])
        busy_s = now_s - float(slot["busy_since_s"]) if slot["busy_since_s"] else 0.0
        if max(silent_s, busy_s) > limit_s and slot["pid"] == member.process.pid:
            self._log.error(
                "worker hangs", hung=member.index, silent_s=round(silent_s, 1), in_model_s=round(busy_s, 1)
            )
            slot["busy_since_s"] = 0.0
            _signal(member, signal.SIGKILL)

    async def _open_doors(self) -> None:
        self._state.now = State.STARTING
        self._block.slots[-1]["door_open"] = 1
        for listen in self._config.http:
            sock = bind(msgspec.structs.replace(listen, only_ready=True))
            server = await asyncio.get_running_loop().create_server(self._app.new_connection, sock=sock)
            self._doors.append(server)
            self._log.debug("answering until a worker is ready", port=listen.port)

    async def _close_doors(self) -> None:
        for server in self._doors:
            server.close()
        self._doors.clear()
        self._block.slots[-1]["door_open"] = 0
        for connection in list(self._app.connections):
            connection.close_if_idle()

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals > 1:
            self._log.warning("second signal: exiting now")
            for member in self._members:
                _signal(member, signal.SIGKILL)
            os._exit(EXIT_SECOND_SIGNAL)
        self._log.info("draining")
        self._state.now = State.DRAINING
        self._stop.set()

    def _metrics_page(self, accept: str) -> tuple[bytes, str]:
        now_s = time.monotonic()
        self._recorder.fold(now_s)
        config = self._config
        return expose(
            self._block.slots, model=config.model.name, now_s=now_s, window_s=config.window_s, accept=accept
        )


def _hold(listens: tuple[ListenConfig, ...]) -> tuple[list[socket.socket], tuple[ListenConfig, ...]]:
    """Bind each address without listening, and say it with its real port and as a shared one."""
    socks = []
    shared = []
    for listen in listens:
        sock = bind(msgspec.structs.replace(listen, only_ready=True))
        socks.append(sock)
        shared.append(msgspec.structs.replace(listen, port=sock.getsockname()[1], only_ready=True))
    return socks, tuple(shared)


def _as_file(config: ServerConfig) -> int:
    """The settings as an anonymous file that workers inherit; needs no writable disk."""
    fd = os.memfd_create("tonnage-config", os.MFD_CLOEXEC)
    os.write(fd, msgspec.json.encode(config))
    return fd


def _signal(member: _Member, number: int) -> None:
    if member.process is not None and member.process.returncode is None:
        try:
            member.process.send_signal(number)
        except ProcessLookupError:
            pass  # it has ended and is not yet waited for


def run_supervisor(config: ServerConfig) -> int:
    """Run the supervisor in this process until its workers have drained.

    Returns:
        The exit code.
    """

    async def run() -> int:
        return await Supervisor(config).run()

    runner: Callable[[Awaitable[int]], int] = uvloop.run  # type: ignore[assignment]
    try:
        return runner(run())
    except TonnageError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
