"""What a request world is made of: servers, clients, balancing. Values only, each refusing what cannot be.

Times are seconds of simulated time. A *slot* is a numbered place for one pod; a *server model* says how
the pod in it behaves; the *client model* says what those who send do about answers that do not come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.profile.pauses import PauseCost
from tonnage.twin.requests.service import ParametricService, ServiceLaw

SLOTS_MAX: Final = 1_000_000
"""Slots of one world at most."""
QUEUE_MAX: Final = 1 << 22
"""Requests that may wait at one worker at most: 32 MiB of arrival times."""
SIZE_MAX: Final = 65_536
"""Items of one batch at most."""


class Balancing(Enum):
    """How a request finds its pod among those that are routed.

    Values are what a command line takes.
    """

    RANDOM = "random"
    """Each request to a pod at random: kube-proxy when each request has its own connection."""
    ROUND_ROBIN = "round-robin"
    """The next pod in turn."""
    TWO_CHOICES = "two-choices"
    """The less loaded of two pods drawn at random; load is the requests sent and not yet answered."""
    LEAST_REQUEST = "least-request"
    """The least loaded of all pods; among equals the one that has been so for longest."""
    CONNECTION = "connection"
    """Each request over one of ``connections`` kept-alive connections at random; a connection stays
    with its pod, even when that is no longer routed, until the pod goes away: kube-proxy as it
    mostly is."""


class Cause(Enum):
    """Why one attempt of a request was not answered."""

    QUEUE_FULL = "queue_full"
    """Refused on arrival: too many were waiting."""
    DEADLINE = "deadline"
    """Refused on arrival: it was not expected to meet its deadline."""
    LATE = "late"
    """Dropped when its turn came: its deadline could no longer be met."""
    REFUSED = "refused"
    """The pod did not take connections: not started yet, draining, or gone."""
    LOST = "lost"
    """The pod was killed while it had the request."""
    TIMEOUT = "timeout"
    """The client had waited long enough; the server may still work on it, in vain."""
    NO_ENDPOINT = "no_endpoint"
    """No pod was routed."""


CAUSES: Final = tuple(Cause)
"""In the order of every per-cause count."""


@dataclass(frozen=True, slots=True)
class ServerModel:
    """How one kind of pod serves.

    A pod has ``workers`` that share its port; each has its own queue and batching policy, and runs up to
    ``parallel`` batches at a time. A batch of n items holds its place for
    ``(service(n) + batch_overhead_s + n * request_overhead_s + pause_cost) / speed`` seconds, the last where
    the worker had nothing to do before.

    Attributes:
        service: Time of a batch in the model, by its size.
        size_max: Items in one batch at most [1 to SIZE_MAX].
        gather_max: Items up to which requests are gathered [1 to size_max]; None for size_max.
        wait_s_max: How long the oldest request may wait for company [s, >= 0].
        queue_max: Requests that may wait at one worker [1 to QUEUE_MAX].
        deadline_s: Time each request has at the server [s, > 0]; ``math.inf`` for no deadline.
        workers: Worker processes on the pod's port [>= 1]; a request (or connection) goes to one at random.
        parallel: Batches that one worker runs at a time [>= 1]; more than 1 needs ``deadline_s`` inf.
        batch_overhead_s: Added to each batch [s, >= 0].
        request_overhead_s: Added to each batch for each of its requests [s, >= 0].
        pause_cost: Added to the first batch after a pause, by the pause's length; CPU time too.
        cpu_s_by_size: (batch size, CPU seconds of such a batch) ascending; between sizes on a straight
            line, beyond the last in proportion. Empty: CPU time is the time the batch holds its place at
            speed 1. Overheads count as CPU time as they are.
        warmup: (batch size, seconds) with which what is expected of batches starts, as the server's
            warm-up seeds it; empty for nothing known. Only deadlines ask for it.

    Raises:
        SpecError: A field is out of its range.
    """

    service: ServiceLaw = field(default_factory=lambda: ParametricService(item_s=0.001))
    size_max: int = 32
    gather_max: int | None = None
    wait_s_max: float = 0.0
    queue_max: int = 4096
    deadline_s: float = math.inf
    workers: int = 1
    parallel: int = 1
    batch_overhead_s: float = 0.0
    request_overhead_s: float = 0.0
    pause_cost: PauseCost = field(default_factory=PauseCost)
    cpu_s_by_size: tuple[tuple[int, float], ...] = ()
    warmup: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        gather = self.size_max if self.gather_max is None else self.gather_max
        sizes = [size for size, _ in self.cpu_s_by_size]
        refuse_unless(
            ("size_max", self.size_max, 1 <= self.size_max <= SIZE_MAX, f"1 to {SIZE_MAX}"),
            ("gather_max", gather, 1 <= gather <= self.size_max, f"1 to size_max ({self.size_max})"),
            ("wait_s_max", self.wait_s_max, 0 <= self.wait_s_max < math.inf, ">= 0 and finite"),
            ("queue_max", self.queue_max, 1 <= self.queue_max <= QUEUE_MAX, f"1 to {QUEUE_MAX}"),
            ("deadline_s", self.deadline_s, self.deadline_s > 0, "> 0"),
            ("workers", self.workers, 1 <= self.workers <= 1024, "1 to 1024"),
            ("parallel", self.parallel, 1 <= self.parallel <= 1024, "1 to 1024"),
            (
                "parallel",
                self.parallel,
                self.parallel == 1 or self.deadline_s == math.inf,
                "1 where there is a deadline_s",
            ),
            (
                "batch_overhead_s",
                self.batch_overhead_s,
                0 <= self.batch_overhead_s < math.inf,
                ">= 0 and finite",
            ),
            (
                "request_overhead_s",
                self.request_overhead_s,
                0 <= self.request_overhead_s < math.inf,
                ">= 0 and finite",
            ),
            ("cpu_s_by_size", sizes, sizes == sorted(set(sizes)), "ascending without repeats"),
            (
                "warmup",
                list(self.warmup),
                all(size >= 1 and 0 <= seconds < math.inf for size, seconds in self.warmup),
                "sizes >= 1 with times >= 0",
            ),
        )


@dataclass(frozen=True, slots=True)
class ClientModel:
    """What those who send do when an answer does not come.

    A retry goes out ``backoff_s * backoff_factor ** k`` seconds (k = 0 for the first, at most
    ``backoff_s_max``) after the client knows, spread by a random factor in
    [1 - ``backoff_spread``, 1 + ``backoff_spread``].

    Attributes:
        timeout_s: How long one attempt is waited for [s, > 0]; ``math.inf`` for ever.
        retries_max: Attempts after the first [0 to 100].
        retry_on: Causes that are tried again.
        backoff_s: Before the first retry [s, >= 0].
        backoff_factor: Growth from one retry to the next [>= 1].
        backoff_s_max: Longest back-off before its spread [s, >= backoff_s].
        backoff_spread: Share of the back-off by which it varies [0 to 1].

    Raises:
        SpecError: A field is out of its range.
    """

    timeout_s: float = math.inf
    retries_max: int = 0
    retry_on: frozenset[Cause] = frozenset(CAUSES)
    backoff_s: float = 0.025
    backoff_factor: float = 2.0
    backoff_s_max: float = 1.0
    backoff_spread: float = 0.0

    def __post_init__(self) -> None:
        refuse_unless(
            ("timeout_s", self.timeout_s, self.timeout_s > 0, "> 0"),
            ("retries_max", self.retries_max, 0 <= self.retries_max <= 100, "0 to 100"),
            ("backoff_s", self.backoff_s, 0 <= self.backoff_s < math.inf, ">= 0 and finite"),
            ("backoff_factor", self.backoff_factor, 1 <= self.backoff_factor < math.inf, ">= 1 and finite"),
            (
                "backoff_s_max",
                self.backoff_s_max,
                self.backoff_s <= self.backoff_s_max < math.inf,
                "at least backoff_s and finite",
            ),
            ("backoff_spread", self.backoff_spread, 0 <= self.backoff_spread <= 1, "0 to 1"),
        )


@dataclass(frozen=True, slots=True)
class RequestConfig:
    """Balancing, the network, and what is recorded.

    *Server-observed* latency runs from a request's arrival at its pod to the end of its batch.
    *Client-observed* latency runs from a request's first attempt to its answer: waits, all its attempts,
    ``round_trip_s`` and jitter included. The whole round trip is charged on the way back, and an outcome
    is booked in the interval in which the server's part of it ends.

    Attributes:
        balancing: How a request finds its pod.
        connections: Kept-alive connections, for ``Balancing.CONNECTION`` [>= 1].
        round_trip_s: The network's part of every latency [s, >= 0].
        jitter_s: Mean of an exponential time added to that [s, >= 0].
        interval_s: Width of one interval of the series [s, > 0].
        slo_s: Client-observed latency up to which an answer is good [s, > 0]; ``math.inf`` for any.
        batch_log_max: Batches, and refusals on arrival, that are written down one by one [>= 0]; later
            ones are not. For tests and for a close look at a short run.

    Raises:
        SpecError: A field is out of its range.
    """

    balancing: Balancing = Balancing.RANDOM
    connections: int = 100
    round_trip_s: float = 0.0
    jitter_s: float = 0.0
    interval_s: float = 1.0
    slo_s: float = math.inf
    batch_log_max: int = 0

    def __post_init__(self) -> None:
        refuse_unless(
            ("connections", self.connections, 1 <= self.connections <= 10_000_000, "1 to 10000000"),
            ("round_trip_s", self.round_trip_s, 0 <= self.round_trip_s < math.inf, ">= 0 and finite"),
            ("jitter_s", self.jitter_s, 0 <= self.jitter_s < math.inf, ">= 0 and finite"),
            ("interval_s", self.interval_s, 0 < self.interval_s < math.inf, "> 0 and finite"),
            ("slo_s", self.slo_s, self.slo_s > 0, "> 0"),
            ("batch_log_max", self.batch_log_max, 0 <= self.batch_log_max <= 10_000_000, "0 to 10000000"),
        )


def refuse_unless(*rules: tuple[str, object, bool, str]) -> None:
    """Raise with every rule that does not hold.

    Args:
        rules: (field, its value, whether the rule holds, what must hold).

    Raises:
        SpecError: At least one does not.
    """
    problems = [
        Problem(name, f"must be {rule}, got {value}") for name, value, holds, rule in rules if not holds
    ]
    if problems:
        raise SpecError(problems)
