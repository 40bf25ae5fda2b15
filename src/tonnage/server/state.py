"""Whether the server lives and is ready, and why not: the one place that probes, clients and drain ask."""

from __future__ import annotations

from dataclasses import dataclass

from tonnage.server.metrics.block import State

_REASONS = {
    State.ABSENT: "the process has not started",
    State.STARTING: "the process is starting",
    State.LOADING: "the model is loading",
    State.WARMING: "the model is warming up",
    State.DRAINING: "the server is draining",
    State.FAILED: "the model could not be loaded",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer of a probe.

    Attributes:
        ok: Whether it passes.
        reason: Why not; empty when it does.
    """

    ok: bool
    reason: str = ""


class ServerState:
    """Where one worker is in its life.

    Attributes:
        now: Its state.
        accepting: Whether inference is answered: from ready until the end of the lame-duck time.
        closing: Whether clients are told to leave their connections.
    """

    __slots__ = ("_compute_s_max", "accepting", "closing", "now")

    def __init__(self, compute_s_max: float) -> None:
        self._compute_s_max = compute_s_max
        self.now = State.STARTING
        self.accepting = False
        self.closing = False

    def readiness(self) -> Verdict:
        """Ready: loaded, warm and not draining."""
        if self.now is State.READY:
            return Verdict(True)
        return Verdict(False, _REASONS[self.now])

    def liveness(self, busy_since_s: float, now_s: float) -> Verdict:
        """Alive unless the model has been in one call for too long.

        Args:
            busy_since_s: Start of the model call that runs now [s, monotonic]; 0 for none.
            now_s: The time.
        """
        if busy_since_s and now_s - busy_since_s > self._compute_s_max:
            return Verdict(
                False,
                f"the model has been in one call for {now_s - busy_since_s:.1f} s, "
                f"more than {self._compute_s_max:g} s",
            )
        return Verdict(True)
