"""What a load run is to do, as one value that can be sent to another process."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from tonnage.errors import Problem, SpecError
from tonnage.loadgen.target import Target
from tonnage.traffic import ArrivalProcess

CONNECTIONS_MAX = 16_384
"""Most connections of one process: each needs a port of this machine, of which it has some 28,000."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load run.

    Attributes:
        target: Where to connect.
        requests: Whole requests as they go over the wire, at least one, chosen from by the seed.
        arrivals: When they go.
        seed: Decides arrivals and the choice of requests, >= 0.
        connections: Connections that are opened before the start, >= 1.
        connections_max: How many there may be when all are busy; >= ``connections``.
        keep_alive: Whether connections are used again; else each request has its own, opened when it is due.
        timeout_s: How long a request may take from its intended time [s], > 0.
        expect_status: Statuses that count as success; empty means 200 to 299.
        answers_head: Whether the requests are HEADs, whose answers have no body.
        processes: Generator processes that share the load, >= 1.
        share: Which of ``processes`` this plan is for; None for the whole.
    """

    target: Target
    requests: tuple[bytes, ...]
    arrivals: ArrivalProcess
    seed: int = 0
    connections: int = 64
    connections_max: int = 64
    keep_alive: bool = True
    timeout_s: float = 10.0
    expect_status: frozenset[int] = field(default_factory=frozenset)
    answers_head: bool = False
    processes: int = 1
    share: int | None = None

    def __post_init__(self) -> None:
        problems = [
            Problem(name, f"must be {rule}, got {value}")
            for name, value, holds, rule in (
                ("requests", len(self.requests), len(self.requests) >= 1, "at least one"),
                ("seed", self.seed, self.seed >= 0, ">= 0"),
                (
                    "connections",
                    self.connections,
                    1 <= self.connections <= CONNECTIONS_MAX,
                    f"1 to {CONNECTIONS_MAX}",
                ),
                (
                    "connections-max",
                    self.connections_max,
                    self.connections <= self.connections_max <= CONNECTIONS_MAX,
                    f"from connections ({self.connections}) to {CONNECTIONS_MAX}",
                ),
                ("timeout", self.timeout_s, 0 < self.timeout_s < math.inf, "a finite number > 0"),
                ("processes", self.processes, self.processes >= 1, ">= 1"),
            )
            if not holds
        ]
        if problems:
            raise SpecError(problems)

    def shares(self) -> tuple[LoadPlan, ...]:
        """Split into one plan per process; together they send each arrival once."""
        count = self.processes
        return tuple(
            replace(
                self,
                share=index,
                connections=-(-self.connections // count),
                connections_max=max(-(-self.connections // count), -(-self.connections_max // count)),
            )
            for index in range(count)
        )


def connections_for(peak_per_s: float) -> int:
    """Choose how many connections to open: enough for answers that take 10 ms, within 16 to 256.

    By Little's law a rate r with latency w keeps r*w requests in flight.

    Args:
        peak_per_s: Highest planned rate [requests/s].
    """
    return max(16, min(256, math.ceil(peak_per_s * 0.01)))
