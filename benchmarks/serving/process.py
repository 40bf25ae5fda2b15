"""One server under test: started on its own core, watched, and stopped with all it started."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.machine import TICKS_PER_S

_TAG = "SERVING_BENCHMARK_ID"


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a server's processes; ``rss`` counts shared pages in each, ``pss`` shares them out."""

    rss_bytes: int
    pss_bytes: int
    processes: int


def free_port() -> int:
    """A port that is free now, with the two after it free as well (some peers need three)."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
        try:
            for offset in range(3):
                with socket.socket() as other:
                    other.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port


def ask(
    port: int, method: str, path: str, document: Any = None, *, timeout_s: float = 10.0
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        payload = None if document is None else json.dumps(document)
        connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def set_nice(pid: int, nice: int) -> None:
    """Sets the niceness of a process that has just been started in a session of its own.

    Where the kernel groups processes by session ("autogroup"), niceness counts only inside the group, so the
    group's own is set too.

    Source: ``man 7 sched``, "The autogroup feature".
    """
    if not nice:
        return
    os.setpriority(os.PRIO_PROCESS, pid, nice)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text(str(nice))


class Server:
    """A server process and everything it started, pinned to one core.

    Descendants are found by an environment variable that they inherit, since some peers' processes leave both
    the process group and the parent.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        core: int | None,
        nice: int,
    ) -> None:
        self._id = f"{os.getpid()}-{time.monotonic_ns()}"
        self.log_path = Path(tempfile.mkstemp(prefix="serving-", suffix=".log")[1])
        prefix = [] if core is None else ["taskset", "-c", str(core)]
        self.started_at = time.monotonic()
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [*prefix, *command],
                cwd=folder,
                env={**os.environ, **environment, _TAG: self._id},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        set_nice(self._process.pid, nice)

    def pids(self) -> list[int]:
        """Every living process of this server."""
        needle, found = f"{_TAG}={self._id}\0".encode(), []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if needle in Path(f"/proc/{entry}/environ").read_bytes() + b"\0":
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def log_tail(self) -> str:
        """The end of what the server wrote."""
        return self.log_path.read_text(errors="replace")[-3000:]

    def wait(self, port: int, path: str, document: Any = None, *, limit_s: float = 120.0) -> float:
        """Waits until a request is answered with 200 and says how long after the start that was, in seconds.

        Raises:
            RuntimeError: The server died or the limit passed; the message holds the end of its log.
        """
        method, said = ("GET" if document is None else "POST"), "no answer"
        while True:
            try:
                status, body = ask(port, method, path, document)
                if status == 200:
                    return time.monotonic() - self.started_at
                said = f"{status} {body[:300]!r}"
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            if self._process.poll() is not None or time.monotonic() - self.started_at > limit_s:
                raise RuntimeError(f"{path}: must be answered with 200, got {said}; log:\n{self.log_tail()}")
            time.sleep(0.01)

    def cpu_s(self, pids: Sequence[int]) -> float:
        """Processor seconds that these processes have used."""
        total = 0
        for pid in pids:
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
                total += int(fields[11]) + int(fields[12])
            except OSError:
                pass
        return total / TICKS_PER_S

    def memory(self) -> Memory:
        """Memory of all processes of this server now."""
        rss = pss = 0
        pids = self.pids()
        for pid in pids:
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            for key, value in re.findall(r"^(Rss|Pss):\s+(\d+)", text, re.MULTILINE):
                if key == "Rss":
                    rss += int(value) * 1024
                else:
                    pss += int(value) * 1024
        return Memory(rss, pss, len(pids))

    def stop(self) -> None:
        """Asks the server to stop, then ends what is left of it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._await_end(8.0)
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self._await_end(3.0)
        self.log_path.unlink(missing_ok=True)

    def _await_end(self, limit_s: float) -> None:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            self._process.poll()
            if not self.pids():
                return
            time.sleep(0.05)
