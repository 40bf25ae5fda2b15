"""How a training goes on, as lines for those who watch without a terminal; and what its end means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tonnage.cluster.training.state import JobState
from tonnage.training import TrainingStatus, WorkerStatus

EXIT_FAILED: Final = 1


class Changes:
    """Turns one state after the other into lines about what is new."""

    def __init__(self) -> None:
        self._phase = ""
        self._workers: Mapping[str, str] = {}

    def lines(self, state: JobState) -> list[str]:
        """What is new since the last state."""
        status = state.status
        found = []
        workers = {f"{one.role}-{one.index}": worker_text(one) for one in status.workers}
        for name, text in workers.items():
            if self._workers.get(name) != text:
                found.append(f"{name}: {text}")
        self._workers = workers
        phase = phase_text(status)
        if phase != self._phase:
            found.append(f"{status.name}: {phase}")
            self._phase = phase
        return found


def worker_text(one: WorkerStatus) -> str:
    """A worker in one line."""
    text = one.phase.lower()
    if one.node:
        text += f" on {one.node}"
    if one.restarts:
        text += f", started again {one.restarts} times" if one.restarts > 1 else ", started again once"
    if one.phase in ("Failed", "Succeeded") and one.exit_code is not None:
        text += f", exit code {one.exit_code}"
    return f"{text}: {one.reason}" if one.reason else text


def phase_text(status: TrainingStatus) -> str:
    """A training in one line."""
    text = status.phase.lower()
    if status.restarts and not status.ended:
        text += f" ({status.restarts} restarts)" if status.restarts > 1 else " (1 restart)"
    reason = status.reason if not status.message else f"{status.reason}: {status.message}"
    return f"{text}: {reason.removeprefix(': ')}" if reason else text


def exit_code(status: TrainingStatus) -> int:
    """What a program that stands for the training ends with: 0, or the code of its first failed worker."""
    if status.phase == "Succeeded":
        return 0
    codes = [one.exit_code for one in status.workers if one.exit_code]
    # a worker that another's end took along was killed by a signal: the one that failed by itself tells why
    return next((code for code in codes if code < 128), codes[0] if codes else EXIT_FAILED)
