"""The load: ``tonnage load`` on the clients' machine, with a connection for each request, as kube-proxy counts."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from controlplane.plane import die_with_parent

from cluster.world import NAME, World

TIMEOUT_S = 60


def write_trace(path: Path, steps: Sequence[tuple[float, int]]) -> Path:
    """A trace of requests per second.

    Args:
        path: Where it goes.
        steps: Rate [requests/s] and for how long [s].
    """
    rates = [rate for rate, length in steps for _ in range(length)]
    rows = [f"{second},{rate:g}" for second, rate in enumerate(rates)]
    path.write_text("\n".join(["second,requests", *rows]) + "\n")
    return path


class Load:
    """A running load generator."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self._process = process
        self._out = out
        self._begin_s = time.monotonic()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def elapsed_s(self) -> float:
        """Time since it was started [s]; its load begins a little later."""
        return time.monotonic() - self._begin_s

    def result(self, seconds_max: float = 300) -> dict[str, Any]:
        """Wait for the end, and give what it says."""
        self._process.wait(seconds_max)
        text = self._out.with_suffix(".log").read_text()
        assert self._out.is_file(), text
        found: dict[str, Any] = json.loads(self._out.read_text())
        return found

    def finish(self) -> dict[str, Any]:
        """End it before its time, as Ctrl-C does, and give what it says."""
        if self.running:
            self._process.send_signal(signal.SIGINT)
        return self.result(60)

    def kill(self) -> None:
        if self.running:
            self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def load(world: World, name: str, *words: str) -> Iterator[Load]:
    """Put load on the service's address.

    Args:
        world: Where.
        name: Of the files.
        words: Further options: a trace, or a rate and a duration.
    """
    out = world.folder / f"{name}.json"
    command = [sys.executable, "-m", "tonnage", "load", world.url(), "--model", NAME, "--quiet", "--json", str(out)]
    command += ["--no-keep-alive", "--timeout", f"{TIMEOUT_S}s", *words]
    with out.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            world.clients.inside(*command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=world.clients.environment(),
            preexec_fn=die_with_parent,
        )
    running = Load(process, out)
    try:
        yield running
    finally:
        running.kill()


def failures(result: dict[str, Any]) -> dict[str, int]:
    """Requests that did not succeed, by outcome."""
    return {name: count for name, count in result["outcomes"].items() if name != "http_200"}
