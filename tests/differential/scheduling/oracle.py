"""Talks with the real scheduler: one question a line, one answer a line, about one cluster after the other."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any


class Oracle:
    """The running Go program.

    Args:
        program: The test binary of tests/upstream/scheduler.

    Raises:
        RuntimeError: It ended, or said that it cannot answer; carries what it said.
    """

    def __init__(self, program: Path) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            [str(program), "-test.run=^TestOracle$", "-test.timeout=0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "TONNAGE_ORACLE": "1", "GOMAXPROCS": "2"},
        )

    def ask(self, op: str, **question: Any) -> dict[str, Any]:
        """Asks one question and waits for the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, **question}).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.startswith(b"{"):
            raise RuntimeError(f"the oracle ended: {line.decode()}{self._stderr()}")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("error"):
            raise RuntimeError(f"the oracle cannot answer {op}: {answer['error']}")
        return answer

    def _stderr(self) -> str:
        self._process.wait(30)
        self._said.seek(0)
        return self._said.read()[-4000:].decode(errors="replace")

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._said.close()
