"""Asks the Go side: questions in, one answer each, in the same order."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal


def ask(
    program: Path, kind: Literal["calculator", "controller", "object"], questions: Sequence[Any]
) -> list[Any]:
    """Runs the program over all questions at once.

    Raises:
        RuntimeError: It failed, or did not answer every question; carries the end of what it said.
    """
    text = "".join(json.dumps(question, separators=(",", ":")) + "\n" for question in questions)
    run = subprocess.run(
        [str(program), "-test.run=^TestOracle$", "-test.timeout=0"],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, "TONNAGE_ORACLE": kind},
        check=False,
    )
    answers = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    if run.returncode or len(answers) != len(questions):
        said = (run.stdout[-2000:] + run.stderr[-4000:]).strip()
        raise RuntimeError(
            f"the oracle ended with {run.returncode} after {len(answers)} of {len(questions)} answers: {said}"
        )
    return answers
