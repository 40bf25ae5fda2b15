"""One worker: an event loop, a model, and its life from start to drain.

    starting -> loading -> warming -> ready -> draining -> exit 0

It listens from the start, so that probes get an answer with a reason; ports that several processes
share are opened when it is ready. SIGTERM makes readiness fail at once, inference goes on for the
lame-duck time while the endpoints go away, then what is in flight is finished. A second signal
exits now.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from typing import Any

import uvloop

from tonnage.batching import ServiceTimes
from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.errors import TonnageError
from tonnage.server.cpu import cpu_limit
from tonnage.server.engine import Engine
from tonnage.server.http.app import HttpApp
from tonnage.server.listening import bind, last_ones
from tonnage.server.logs import make_logger
from tonnage.server.metrics.block import Block, State
from tonnage.server.metrics.exposition import expose
from tonnage.server.metrics.recorder import FOLD_PERIOD_S, Recorder
from tonnage.server.oip.decode import RequestDecoder
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.runtimes import load_runtime
from tonnage.server.runtimes.base import Runtime
from tonnage.server.state import ServerState
from tonnage.server.tracing import NoTracer, Tracer, make_tracer
from tonnage.server.warmup import WarmupReport, warm_up

EXIT_GRACE_OVER = 4
"""Exit code when requests were still in flight at the end of the grace period."""
EXIT_SECOND_SIGNAL = 5
BACKLOG = 2048
DOOR_S_MAX = 2.0
"""How long a ready worker waits for the supervisor to leave the port."""
GRACE_RESERVE_S = 1.0
"""Kept back from the grace period, so that the exit is ours and not a SIGKILL."""


class Worker:
    """One worker process.

    Args:
        config: The server's settings.
        block: Shared metrics.
        index: This worker's slot in it.
    """

    def __init__(self, config: ServerConfig, block: Block, index: int) -> None:
        self._config = config
        self._slots = block.slots
        self._slot: Any = block.slots[index]
        self._supervised = len(block.slots) > 1
        self._state = ServerState(config.limits.compute_s_max)
        self._recorder = Recorder(self._slot, config.window_s)
        self._log, self._log_stream = make_logger(config.log_format, worker=index, pid=os.getpid())
        self._app = HttpApp(
            config=config, state=self._state, recorder=self._recorder, metrics_page=self._metrics_page
        )
        self._doors: list[tuple[socket.socket, asyncio.Server]] = []
        self._grpc: Any = None
        self._engine: Engine | None = None
        self._tracer: Tracer = NoTracer()
        self._signals = 0
        self._stop = asyncio.Event()
        self._dropped_base = int(self._slot["log_lines_dropped"])
        self._parent = os.getppid()

    async def run(self) -> int:
        """Live one life.

        Returns:
            The exit code.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)
        self._slot["pid"] = os.getpid()
        self._enter(State.STARTING)
        ticking = asyncio.create_task(self._tick())
        try:
            for listen in self._config.http:
                if not listen.only_ready:
                    await self._listen(listen)
            if not await self._until_ready():
                return 0
            await self._stop.wait()
            return await self._drain()
        finally:
            await asyncio.to_thread(self._tracer.close)
            ticking.cancel()
            self._recorder.fold(time.monotonic())
            self._enter(State.ABSENT)

    async def _until_ready(self) -> bool:
        """Load, warm up, open; False when a signal came first."""
        preparing = asyncio.create_task(asyncio.to_thread(self._prepare))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((preparing, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            self._log.info("stopped before the model was ready")
            sys.stderr.flush()
            os._exit(0)  # a load that is under way in its thread cannot be interrupted otherwise
        stopping.cancel()
        runtime, report = preparing.result()
        await self._open(runtime, report)
        return True

    def _prepare(self) -> tuple[Runtime, WarmupReport]:
        """Load and warm the model, in a thread."""
        config = self._config
        self._enter(State.LOADING)
        self._tracer = make_tracer(config.otlp_endpoint, config.model.name, model=config.model.name)
        started_s = time.monotonic()
        runtime = load_runtime(config.model)
        load_s = time.monotonic() - started_s
        self._slot["load_s"] = load_s
        self._log.info(
            "model loaded", model=config.model.name, format=config.model.format, load_s=round(load_s, 4)
        )
        self._enter(State.WARMING)
        started_s = time.monotonic()
        report = warm_up(runtime, config.model, config.batching)
        warmup_s = time.monotonic() - started_s
        self._slot["warmup_s"] = warmup_s
        self._log.info(
            "model warm",
            warmup_s=round(warmup_s, 4),
            first_s=round(report.first_s, 6),
            steady_s={size: round(seconds, 6) for size, seconds in report.steady},
        )
        return runtime, report

    async def _open(self, runtime: Runtime, report: WarmupReport) -> None:
        config = self._config
        batching = config.batching
        size_max = batching.size_max if runtime.signature.batches else 1
        times = ServiceTimes(size_max)
        times.seed(report.steady)
        inline = config.execution == "inline"
        if config.execution == "auto":
            inline = report.suits_inline(cpu_limit() / (config.workers or 1))
        if batching.gather_max is None and report.gather_max < size_max:
            self._log.info(
                "batches stay smaller than sizeMax: larger ones take as long for each item",
                gather_max=report.gather_max,
                size_max=size_max,
            )
        engine = self._engine = Engine(
            runtime=runtime,
            name=config.model.name,
            version=config.model.version,
            batching=batching,
            times=times,
            recorder=self._recorder,
            inline=inline,
            gather_max=report.gather_max,
            tracer=self._tracer,
        )
        decoder = RequestDecoder(
            runtime.signature,
            size_max=size_max,
            padded=frozenset(batching.padding),
            tensors_max=config.limits.tensors_max,
            body_bytes_max=config.limits.body_bytes_max,
        )
        self._app.attach(engine, decoder, runtime.signature)
        if config.grpc is not None:
            await self._open_grpc(config.grpc, engine, decoder, runtime)
        self._quiet_collector()
        self._state.accepting = True
        if self._signals:  # it is to end already, and must not say that it is ready
            return
        self._enter(State.READY)
        await self._until_door_closed()
        for listen in config.http:
            if listen.only_ready:
                await self._listen(listen)
        self._log.info(
            "ready",
            model=config.model.name,
            execution="inline" if inline else "thread",
            gather_max=report.gather_max,
        )

    async def _until_door_closed(self) -> None:
        """Let the supervisor leave the port first: who connects to both may get its "not yet"."""
        deadline_s = time.monotonic() + DOOR_S_MAX
        while self._supervised and self._slots[-1]["door_open"] and time.monotonic() < deadline_s:
            await asyncio.sleep(0.005)

    async def _open_grpc(
        self, listen: ListenConfig, engine: Engine, decoder: RequestDecoder, runtime: Runtime
    ) -> None:
        from tonnage.server.grpc.service import GrpcServer

        self._grpc = GrpcServer(
            config=self._config,
            listen=listen,
            engine=engine,
            decoder=decoder,
            signature=runtime.signature,
            state=self._state,
            recorder=self._recorder,
        )
        port = await self._grpc.start()
        self._log.info("listening", protocol="grpc", address=f"{listen.host}:{port}")

    def _quiet_collector(self) -> None:
        """Collect rarely and ignore what start-up made: a request makes no cycles, but allocates."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 50)

    async def _listen(self, listen: ListenConfig) -> None:
        sock = bind(listen)
        server = await asyncio.get_running_loop().create_server(
            self._app.new_connection, sock=sock, backlog=BACKLOG
        )
        self._doors.append((sock, server))
        host, port = sock.getsockname()[:2]
        self._log.info("listening", protocol="http", address=f"{host}:{port}")

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals > 1:
            self._log.warning("second signal: exiting now")
            os._exit(EXIT_SECOND_SIGNAL)
        self._enter(State.DRAINING)
        self._stop.set()

    async def _drain(self) -> int:
        config = self._config
        end_s = time.monotonic() + max(config.grace_s - GRACE_RESERVE_S, config.grace_s / 2)
        self._log.info("draining", lame_duck_s=config.lame_duck_s, grace_s=config.grace_s)
        self._state.closing = True  # answers tell clients to leave their connections
        await asyncio.sleep(min(config.lame_duck_s, max(0.0, end_s - time.monotonic())))
        await self._close_doors()
        engine = self._engine
        assert engine is not None
        grpc_stopping = asyncio.create_task(self._grpc.stop(end_s)) if self._grpc is not None else None
        clean = await self._until_idle(engine, end_s)
        self._state.accepting = False
        if grpc_stopping is not None:
            await grpc_stopping
        if not clean:
            left = engine.in_flight
            engine.fail_waiting(InferenceError(Fault.NOT_READY, "server: the grace period is over", 1.0))
            self._log.error("grace period over", in_flight=left)
            await asyncio.sleep(0.05)  # lets the last answers out
            return EXIT_GRACE_OVER
        engine.close()
        self._log.info("drained")
        return 0

    async def _close_doors(self) -> None:
        loop = asyncio.get_running_loop()
        for sock, server in self._doors:
            waiting = last_ones(sock)
            server.close()
            for client in waiting:
                await loop.connect_accepted_socket(self._app.new_connection, client)

    async def _until_idle(self, engine: Engine, end_s: float) -> bool:
        """Wait until nothing is in flight and no connection is open; False when time is up first."""
        while time.monotonic() < end_s:
            for connection in list(self._app.connections):
                connection.close_if_idle()
            if engine.in_flight == 0 and not self._app.connections:
                return True
            await asyncio.sleep(0.01)
        return engine.in_flight == 0

    async def _tick(self) -> None:
        """Everything that happens by the clock."""
        next_second_s = 0.0
        while True:
            now_s = time.monotonic()
            self._report(now_s)
            if now_s >= next_second_s:
                next_second_s = now_s + 1.0
                self._app.renew_date()
                for connection in list(self._app.connections):
                    connection.check_time(now_s)
            if self._engine is not None:
                self._engine.expire(now_s)
            if self._supervised and os.getppid() != self._parent and not self._signals:
                self._log.warning("the supervisor has gone")
                self._on_signal()
            await asyncio.sleep(FOLD_PERIOD_S)

    def _report(self, now_s: float) -> None:
        """Bring the shared block up to date."""
        slot = self._slot
        slot["heartbeat_s"] = now_s
        slot["connections"] = len(self._app.connections)
        slot["log_lines_dropped"] = self._dropped_base + self._log_stream.lines_dropped
        if self._engine is not None:
            slot["in_flight"] = self._engine.in_flight
            slot["queue"] = self._engine.queue_length
            slot["busy_since_s"] = self._engine.busy_since_s
        self._recorder.fold(now_s)

    def _metrics_page(self, accept: str) -> tuple[bytes, str]:
        now_s = time.monotonic()
        self._report(now_s)
        config = self._config
        return expose(
            self._slots, model=config.model.name, now_s=now_s, window_s=config.window_s, accept=accept
        )

    def _enter(self, state: State) -> None:
        self._state.now = state
        self._slot["state"] = state


def run_worker(config: ServerConfig, block: Block, index: int) -> int:
    """Run one worker in this process until it has drained.

    Returns:
        The exit code.
    """
    sys.setswitchinterval(0.0005)  # the model's thread must not wait 5 ms for a busy event loop
    log, _ = make_logger(config.log_format, worker=index, pid=os.getpid())
    try:
        return uvloop.run(_run(config, block, index))
    except TonnageError as error:
        block.slots[index]["state"] = State.FAILED
        log.error("cannot serve", error=str(error))  # noqa: TRY400  the message is the whole story
        return error.exit_code


async def _run(config: ServerConfig, block: Block, index: int) -> int:
    return await Worker(config, block, index).run()
