"""Probes as the kubelet runs them: results in, verdict out; no sockets and no clocks.

Source: kubernetes pkg/kubelet/prober/worker.go (1.37): readiness and liveness wait until startup has
passed; the initial delay counts from the container's start; a result counts when its threshold of
consecutive equal results is reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """One probe.

    Attributes:
        path: What is asked for.
        initial_delay_s: From the process' start to the first probe [s].
        period_s: Between two probes [s].
        timeout_s: Beyond it a probe has failed [s].
        failure_threshold: Consecutive failures that count.
        success_threshold: Consecutive successes that count.
    """

    path: str
    initial_delay_s: float
    period_s: float
    timeout_s: float
    failure_threshold: int
    success_threshold: int = 1


class Kind(Enum):
    """Which of a container's probes."""

    STARTUP = "startup"
    READINESS = "readiness"
    LIVENESS = "liveness"


@dataclass(slots=True)
class _Progress:
    settings: ProbeSettings
    next_s: float
    run: int = 0  # consecutive equal results; positive for successes


@dataclass(slots=True)
class ProbeMachine:
    """The probes of one life of one process.

    Args:
        probes: The probes that it has.
        started_s: When the process was started.

    Attributes:
        started: Whether startup has passed, or there is none.
        ready: Whether it counts as ready.
        restart: Why it must be restarted; None while it need not.
    """

    probes: dict[Kind, ProbeSettings]
    started_s: float
    started: bool = field(init=False)
    ready: bool = field(init=False)
    restart: str | None = field(init=False, default=None)
    _progress: dict[Kind, _Progress] = field(init=False)

    def __post_init__(self) -> None:
        self.started = Kind.STARTUP not in self.probes
        self.ready = self.started and Kind.READINESS not in self.probes
        self._progress = {
            kind: _Progress(settings, self.started_s + settings.initial_delay_s)
            for kind, settings in self.probes.items()
        }

    def due(self, now_s: float) -> list[Kind]:
        """Probes to run now; each must be followed by ``record``."""
        if self.restart is not None:
            return []
        wanted = (Kind.READINESS, Kind.LIVENESS) if self.started else (Kind.STARTUP,)
        return [kind for kind in wanted if kind in self._progress and self._progress[kind].next_s <= now_s]

    def next_s(self) -> float:
        """When the next probe is due at the earliest."""
        wanted = (Kind.READINESS, Kind.LIVENESS) if self.started else (Kind.STARTUP,)
        return min((self._progress[k].next_s for k in wanted if k in self._progress), default=float("inf"))

    def record(self, kind: Kind, ok: bool, now_s: float) -> None:
        """Take in one result."""
        progress = self._progress[kind]
        settings = progress.settings
        progress.next_s = now_s + settings.period_s
        progress.run = max(progress.run, 0) + 1 if ok else min(progress.run, 0) - 1
        if ok and progress.run >= settings.success_threshold:
            self._succeeded(kind)
        elif not ok and -progress.run >= settings.failure_threshold:
            self._failed(kind, settings)

    def _succeeded(self, kind: Kind) -> None:
        if kind is Kind.STARTUP:
            self.started = True
            self.ready = Kind.READINESS not in self.probes
        elif kind is Kind.READINESS:
            self.ready = True

    def _failed(self, kind: Kind, settings: ProbeSettings) -> None:
        if kind is Kind.READINESS:
            self.ready = False
        else:
            self.restart = f"{kind.value} probe failed {settings.failure_threshold} times"


BACKOFF_S_MAX = 300.0
BACKOFF_RESET_S = 600.0


def restart_backoff_s(restarts: int, base_s: float) -> float:
    """Wait before a restart: none for the first, then the base, doubling up to five minutes.

    Args:
        restarts: Restarts so far since it last ran for ``BACKOFF_RESET_S`` [>= 0].
        base_s: The kubelet's is 10 [s].
    """
    return 0.0 if restarts == 0 else min(BACKOFF_S_MAX, base_s * 2.0 ** min(restarts - 1, 30))
