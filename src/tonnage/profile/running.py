"""The real server as a process: started as a pod starts it, followed by its log, watched from outside.

It listens on ports that the kernel chooses, so that a profile can be made beside whatever runs already,
and is in a session of its own, so that a terminal's Ctrl-C reaches only who measures; that one ends it.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tonnage.contract import endpoints
from tonnage.contract import metrics as names
from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.errors import EnvironmentFault, ModelLoadError
from tonnage.profile.processes import cpu_s

HOST: Final = "127.0.0.1"
START_S_MAX: Final = 1800.0
"""How long a server may take to be ready."""
IDLE_S_MAX: Final = 60.0
"""How long a server may take to finish what it holds after a run."""
_POLL_S: Final = 0.02
_LOG_LINES_SHOWN: Final = 5
_EVENTS: Final = ("listening", "starting workers")


@dataclass(frozen=True, slots=True)
class Counters:
    """What the server has done so far, by its own metrics and by the kernel's.

    Attributes:
        at_s: When [s, monotonic].
        cpu_s: CPU time of all its processes [s].
        batches: Batches run.
        items: Items in them.
        compute_s: Time of the batches in the model [s].
        busy: Requests in flight or waiting.
    """

    at_s: float
    cpu_s: float
    batches: float
    items: float
    compute_s: float
    busy: float


@dataclass(frozen=True, slots=True)
class StartTimes:
    """How long one start took, by the server's log and the times at which its lines came [s].

    ``inline`` says whether the server then ran the model in its event loop.
    """

    process_s: float
    load_s: float
    first_batch_s: float
    warmup_s: float
    ready_s: float
    inline: bool


def local_config(config: ServerConfig) -> ServerConfig:
    """A service's settings with ports that the kernel chooses, no lame-duck time and no traces sent."""
    return msgspec.structs.replace(
        config,
        http=(ListenConfig(host=HOST, port=0),),
        grpc=ListenConfig(host=HOST, port=0) if config.grpc is not None else None,
        workers=config.workers or 1,
        lame_duck_s=0.0,
        log_format="json",
        otlp_endpoint=None,
    )


@contextmanager
def on_cpus(cpus: Collection[int]) -> Iterator[None]:
    """Run this thread, and what it starts meanwhile, on some CPUs only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class RunningServer:
    """A server process; use it as a context, which ends it.

    Args:
        config: Its settings, as ``local_config`` makes them.
        cpus: Where it runs.
    """

    def __init__(self, config: ServerConfig, cpus: Collection[int]) -> None:
        self._config = config
        self._lines: list[tuple[float, dict[str, Any]]] = []
        self._text: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        fd = os.memfd_create("tonnage-config")
        try:
            os.write(fd, msgspec.json.encode(config))
            self._started_s = time.monotonic()
            with on_cpus(cpus):
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tonnage.server", "--config", f"/dev/fd/{fd}"],
                    pass_fds=(fd,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE, start_new_session=True,
                )  # fmt: skip
        finally:
            os.close(fd)
        try:
            self._reader = threading.Thread(target=self._read, name="server-log", daemon=True)
            self._reader.start()
        except BaseException:  # an interrupt: nobody would end the process otherwise
            self._process.kill()
            raise

    def __enter__(self) -> RunningServer:
        """The server is running already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: drained after good work, at once after an error."""
        self.stop(now=error is not None)

    def wait_ready(self) -> StartTimes:
        """Wait until all workers are ready.

        Raises:
            ModelLoadError: The server says that it cannot serve.
            EnvironmentFault: It ended without saying so, or took too long.
        """
        workers = self._config.workers or 1
        self._wait(lambda: len(self._events("ready")) >= workers or bool(self._events("cannot serve")))
        refused = self._events("cannot serve")
        if refused:
            raise ModelLoadError(str(refused[0][1].get("error", "the server cannot serve")))
        if len(self._events("ready")) < workers:
            raise EnvironmentFault(self._why("must become ready"))
        first = next(at for at, line in self._lines if line["event"] in _EVENTS)
        loaded = [line["load_s"] for _, line in self._events("model loaded")]
        warm = [line for _, line in self._events("model warm")]
        return StartTimes(
            process_s=first - self._started_s,
            load_s=max(loaded),
            first_batch_s=max(line["first_s"] for line in warm),
            warmup_s=max(line["warmup_s"] for line in warm),
            ready_s=self._events("ready")[workers - 1][0] - self._started_s,
            inline=self.inline,
        )

    @property
    def port(self) -> int:
        """Its HTTP port."""
        for _, line in self._events("listening"):
            if line.get("protocol") == "http":
                return int(str(line["address"]).rpartition(":")[2])
        raise EnvironmentFault(self._why("must listen"))

    @property
    def inline(self) -> bool:
        """Whether the model runs in the event loop, as the server chose."""
        return self._events("ready")[0][1].get("execution") == "inline"

    @property
    def gather_max(self) -> int:
        """Items up to which requests are gathered, as the server chose."""
        return int(str(self._events("ready")[0][1]["gather_max"]))

    @property
    def pids(self) -> tuple[int, ...]:
        """Its processes that have told of themselves, the supervisor included."""
        told = {int(line["pid"]) for _, line in self._snapshot() if "pid" in line}
        return tuple(sorted(told | {self._process.pid}))

    def counters(self) -> Counters:
        """What it has done so far.

        Raises:
            EnvironmentFault: It does not answer.
        """
        status, page = self.get(endpoints.METRICS_PATH)
        if status != 200:
            raise EnvironmentFault(self._why(f"must answer 200 on {endpoints.METRICS_PATH}, got {status}"))
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(page.decode()):
            for sample in family.samples:
                if "le" not in sample.labels and "quantile" not in sample.labels:
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return Counters(
            at_s=time.monotonic(),
            cpu_s=sum(map(cpu_s, self.pids)),
            batches=found[f"{names.BATCH_SIZE}_count"],
            items=found[f"{names.BATCH_SIZE}_sum"],
            compute_s=found[f"{names.COMPUTE_SECONDS}_sum"],
            busy=found[names.IN_FLIGHT] + found[names.QUEUE_LENGTH],
        )

    def settled(self) -> Counters:
        """Wait until nothing is in flight, so that a run's work is counted and the next begins afresh.

        Raises:
            EnvironmentFault: It does not answer, or holds requests for longer than a minute.
        """
        end_s = time.monotonic() + IDLE_S_MAX
        while True:
            time.sleep(0.25 if (self._config.workers or 1) > 1 else _POLL_S)
            counters = self.counters()
            if not counters.busy:
                return counters
            if time.monotonic() > end_s:
                text = f"must finish what it holds within {IDLE_S_MAX:g} s, got {counters.busy:g} requests"
                raise EnvironmentFault(self._why(text))

    def get(self, path: str) -> tuple[int, bytes]:
        """GET from it; status 0 when there is no answer."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """POST JSON to it, with all the time in the world; status 0 when there is no answer."""
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=IDLE_S_MAX)
        try:
            patience = {endpoints.DEADLINE_HEADER: str(int(IDLE_S_MAX * 1e3))}
            headers = {} if body is None else {"content-type": "application/json", **patience}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def stop(self, *, now: bool = False) -> None:
        """End it.

        Args:
            now: Do not let it drain.
        """
        if self._process.poll() is None:
            # a supervisor passes this on to its workers; they would only see it gone otherwise
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(1.0 if now else self._config.grace_s + 1.0)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.pids:
            if pid == self._process.pid or self._is_ours(pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self._process.wait()
        self._reader.join(5.0)
        if self._process.stderr is not None and not self._reader.is_alive():
            self._process.stderr.close()

    def _is_ours(self, pid: int) -> bool:
        """Whether a worker's number has not gone to another program since."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123  not a file on a disk
                return b"tonnage.server" in file.read()
        except OSError:
            return False

    def _read(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            at_s = time.monotonic()
            try:
                line = json.loads(raw)
                fits = isinstance(line, dict) and "event" in line
            except ValueError:
                fits, line = False, {}
            with self._news:
                if fits:
                    self._lines.append((at_s, line))
                    if line.get("level") in ("warning", "error"):
                        self._text.append(f"{line['event']}: {line.get('error', '')}".rstrip(": "))
                else:
                    self._text.append(raw.decode(errors="replace").rstrip())
                del self._text[:-_LOG_LINES_SHOWN]
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _snapshot(self) -> list[tuple[float, dict[str, Any]]]:
        with self._news:
            return list(self._lines)

    def _events(self, name: str) -> list[tuple[float, dict[str, Any]]]:
        return [pair for pair in self._snapshot() if pair[1]["event"] == name]

    def _wait(self, done: Callable[[], bool]) -> None:
        end_s = time.monotonic() + START_S_MAX
        with self._news:
            # in slices, since a wait without an end cannot be interrupted everywhere
            while not self._ended and not done() and time.monotonic() < end_s:
                self._news.wait(0.5)

    def _why(self, what: str) -> str:
        code = self._process.poll()
        state = "it runs" if code is None else f"it ended with code {code}"
        said = "; ".join(self._text)[:1000]
        return f"server: {what}; {state}" + (f" and said: {said}" if said else "")
