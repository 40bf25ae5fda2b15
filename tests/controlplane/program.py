"""One program beside a control plane: started, found ready by its own word, stopped whatever happens."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from controlplane.plane import NotReady, die_with_parent, wait_until

READY_S_MAX = 60.0


class Program:
    """A program that this process started, and that the kernel ends with it.

    Args:
        name: For its log, ``<name>.log`` in the folder.
        command: As a list.
        folder: For the log.
        environment: Beside this process's own.
    """

    def __init__(
        self, name: str, command: list[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._command = command
        self._log = folder / f"{name}.log"
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: str, seconds_max: float = READY_S_MAX) -> None:
        """Start it, and wait until an address answers 200.

        Raises:
            NotReady: It ended, or did not answer in time; the message holds the end of its log.
        """
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                preexec_fn=die_with_parent,
            )
        ended = lambda: process.poll() is not None  # noqa: E731
        if not wait_until(lambda: ended() or _answers(ready), seconds_max) or ended():
            self.stop()
            raise NotReady(f"{self.name}: must answer at {ready} within {seconds_max:g} s\n{self.log()[-4000:]}")

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace")


def _answers(url: str) -> bool:
    unchecked = ssl._create_unverified_context()  # of our own child, on an address of ours
    try:
        with urllib.request.urlopen(url, context=unchecked, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
