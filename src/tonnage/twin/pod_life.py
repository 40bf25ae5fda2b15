"""What one replica does with its time: pulling, starting, loading, warming up, answering probes, ending.

Everything that varies from pod to pod is ``Samples``: measured values, of which each pod draws its own. A
single value is a constant; a profile's kept samples are the distribution that was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

Answer = Literal["refused", "failure", "success"]
"""What a probe finds: nothing listens, an error status, or success."""
EndpointName = Literal["health", "live", "other"]
"""Which path a probe asks: the server's readiness, its liveness, or what only needs an open port."""

UNBOUNDED: Final = math.inf


def require(holds: bool, where: str, what: str, got: object) -> None:
    """Refuse a value.

    Raises:
        ValueError: It does not hold; the text is ``<where>: must be <what>, got <value>``.
    """
    if not holds:
        raise ValueError(f"{where}: must be {what}, got {got}")


@dataclass(frozen=True, slots=True)
class Samples:
    """A quantity that differs from one time to the next, as the values that were seen.

    Attributes:
        values: At least one, ascending, each finite and >= 0, in the unit of the field that holds it.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        require(len(self.values) > 0, "values", "at least one", len(self.values))
        sound = all(v >= 0 and math.isfinite(v) for v in self.values)
        require(sound, "values", "finite and >= 0", self.values)
        ascending = all(a <= b for a, b in zip(self.values, self.values[1:], strict=False))
        require(ascending, "values", "ascending", self.values)

    @classmethod
    def of(cls, *values: float) -> Samples:
        """Samples from values in any order."""
        return cls(tuple(sorted(float(value) for value in values)))

    @property
    def mean(self) -> float:
        """Arithmetic mean, in their unit."""
        return math.fsum(self.values) / len(self.values)

    @property
    def max(self) -> float:
        """The largest."""
        return self.values[-1]

    def at(self, share: float) -> float:
        """The value below which this share lies, between two samples on a straight line.

        Args:
            share: In [0, 1]; drawn uniformly it makes ``at`` a draw from the distribution.
        """
        place = share * (len(self.values) - 1)
        low = min(int(place), len(self.values) - 1)
        high = min(low + 1, len(self.values) - 1)
        return self.values[low] + (self.values[high] - self.values[low]) * (place - low)


ZERO: Final = Samples((0.0,))


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe as the pod's spec has it, with Kubernetes' defaults.

    Attributes:
        initial_delay_s: From the container's start to the first probe, whole seconds [s, >= 0].
        period_s: From one to the next [s, >= 1].
        timeout_s: After which no answer is a failure [s, >= 1].
        success_threshold: Successes in a row after which it counts as passed [>= 1; 1 but for readiness].
        failure_threshold: Failures in a row after which it counts as failed [>= 1].
        endpoint: Which of ``PodLife.endpoints`` it asks.

    Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_Probe.
    """

    initial_delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3
    endpoint: EndpointName = "health"

    def __post_init__(self) -> None:
        require(self.initial_delay_s >= 0, "initial_delay_s", ">= 0", self.initial_delay_s)
        for name in ("period_s", "timeout_s", "success_threshold", "failure_threshold"):
            require(getattr(self, name) >= 1, name, ">= 1", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What one path of the server answers, by what the server is doing.

    Attributes:
        name: Its name.
        while_loading: Answer while the model loads.
        while_warming: Answer between load and readiness.
        while_draining: Answer after SIGTERM.
        shares_queue: Whether it waits behind the requests, so that load can fail it by its timeout.
        answer_s: How long an answer takes without load [s, >= 0].
    """

    name: EndpointName
    while_loading: Answer
    while_warming: Answer
    while_draining: Answer
    shares_queue: bool = False
    answer_s: float = 0.0

    def __post_init__(self) -> None:
        require(self.answer_s >= 0, "answer_s", ">= 0", self.answer_s)


TONNAGE_ENDPOINTS: Final = (
    Endpoint("health", "failure", "failure", "failure"),
    Endpoint("live", "success", "success", "success"),
    Endpoint("other", "success", "success", "success"),
)
"""Our server's: it listens while it loads, and no load fails its liveness."""
PLAIN_ENDPOINTS: Final = (
    Endpoint("health", "refused", "refused", "refused", shares_queue=True),
    Endpoint("live", "refused", "refused", "refused", shares_queue=True),
    Endpoint("other", "refused", "refused", "refused"),
)
"""Those of a server that loads before it listens, answers probes where it answers requests, and closes its
port at SIGTERM."""


@dataclass(frozen=True, slots=True)
class Termination:
    """How a replica ends.

    Attributes:
        grace_s: terminationGracePeriodSeconds: from deletion to SIGKILL, preStop included [s, >= 0].
        pre_stop_s: How long the preStop hook sleeps before SIGTERM [s, >= 0].
        lame_duck_s: After SIGTERM the server still takes new requests for so long [s, >= 0].
        drains: Whether it then answers what it has taken in (else that is lost at SIGTERM).
    """

    grace_s: float = 30.0
    pre_stop_s: float = 0.0
    lame_duck_s: float = 0.0
    drains: bool = True

    def __post_init__(self) -> None:
        for name in ("grace_s", "pre_stop_s", "lame_duck_s"):
            require(0 <= getattr(self, name) < math.inf, name, ">= 0 and finite", getattr(self, name))


@dataclass(frozen=True, slots=True)
class Crash:
    """A container that ends by itself.

    Attributes:
        load_ratio: Share of the loads that end in a crash [0 to 1].
        after_ready_s: Time from readiness to a crash, drawn for each start; None for never [s].
    """

    load_ratio: float = 0.0
    after_ready_s: Samples | None = None

    def __post_init__(self) -> None:
        require(0 <= self.load_ratio <= 1, "load_ratio", "0 to 1", self.load_ratio)


@dataclass(frozen=True, slots=True)
class Compute:
    """CPU and memory of one replica, as asked for and as used.

    Attributes:
        cpu_request_cores: Requested [cores]; None when the container has no request.
        cpu_limit_cores: Limit [cores]; None for no limit: it takes what is free.
        cpu_start_cores: Used while starting, loading and warming up when it can get them [cores, >= 0].
        cpu_idle_cores: Used when ready and idle [cores, >= 0].
        cpu_busy_cores: Used beside the idle ones while the model runs without a pause [cores, >= 0].
        memory_request_bytes: Requested [bytes]; None when the container has no request.
        memory_limit_bytes: Limit [bytes]; None for no limit.
        memory_load_bytes: Used at the peak of loading [bytes, >= 0].
        memory_ready_bytes: Used once ready [bytes, >= 0].
        cpu_bound_ratio: Share of a batch's time that the CPU computes, so that it stretches when the node
            gives fewer cores than are wanted [0 to 1]; 0 for a model on a GPU whose CPU work does not matter.
    """

    cpu_request_cores: float | None = None
    cpu_limit_cores: float | None = None
    cpu_start_cores: float = 1.0
    cpu_idle_cores: float = 0.0
    cpu_busy_cores: float = 1.0
    memory_request_bytes: int | None = None
    memory_limit_bytes: int | None = None
    memory_load_bytes: int = 0
    memory_ready_bytes: int = 0
    cpu_bound_ratio: float = 1.0

    def __post_init__(self) -> None:
        for name in ("cpu_start_cores", "cpu_idle_cores", "cpu_busy_cores"):
            require(0 <= getattr(self, name) < math.inf, name, ">= 0 and finite", getattr(self, name))
        for name in ("memory_load_bytes", "memory_ready_bytes"):
            require(getattr(self, name) >= 0, name, ">= 0", getattr(self, name))
        for name in ("cpu_request_cores", "memory_request_bytes"):
            require((getattr(self, name) or 0) >= 0, name, ">= 0", getattr(self, name))
        for name in ("cpu_limit_cores", "memory_limit_bytes"):
            limit = getattr(self, name)
            require(limit is None or limit > 0, name, "> 0", limit)
        require(0 <= self.cpu_bound_ratio <= 1, "cpu_bound_ratio", "0 to 1", self.cpu_bound_ratio)


@dataclass(frozen=True, slots=True)
class PodLife:
    """One replica's times and answers.

    Attributes:
        image: Name of the image; nodes that hold it need no pull.
        image_pull_s: First pull on a node [s].
        container_start_s: From image to running process, sandbox and network included [s].
        process_s: From running process to an open port [s].
        load_s: Loading the model, with the cores of ``compute.cpu_start_cores`` [s].
        warmup_s: From loaded to ready [s].
        slow_start: (seconds after it could answer, service-time factor until then), ascending, each factor
            > 0; after the last one the factor is 1. Empty for none.
        compute: CPU and memory.
        startup: Startup probe; None for none.
        readiness: Readiness probe; None: ready when the container runs, loaded or not.
        liveness: Liveness probe; None for none.
        endpoints: What each path answers.
        termination: How it ends.
        crash: Ends by itself.
    """

    image: str = "model"
    image_pull_s: Samples = ZERO
    container_start_s: Samples = Samples((1.0,))
    process_s: Samples = ZERO
    load_s: Samples = ZERO
    warmup_s: Samples = ZERO
    slow_start: tuple[tuple[float, float], ...] = ()
    compute: Compute = Compute()
    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None
    endpoints: tuple[Endpoint, ...] = TONNAGE_ENDPOINTS
    termination: Termination = Termination()
    crash: Crash = Crash()

    def __post_init__(self) -> None:
        names = [endpoint.name for endpoint in self.endpoints]
        require(len(set(names)) == len(names), "endpoints", "each name once", names)
        ends = [until_s for until_s, _ in self.slow_start]
        require(ends == sorted(set(ends)), "slow_start", "times ascending", self.slow_start)
        require(all(f > 0 for _, f in self.slow_start), "slow_start", "factors > 0", self.slow_start)
        for where in ("startup", "liveness"):
            probe: Probe | None = getattr(self, where)
            if probe is not None:
                threshold = probe.success_threshold
                require(threshold == 1, f"{where}.success_threshold", "1", threshold)
        for where in ("startup", "readiness", "liveness"):
            probe = getattr(self, where)
            if probe is not None:
                require(probe.endpoint in names, f"{where}.endpoint", f"one of {names}", probe.endpoint)

    def endpoint(self, name: EndpointName) -> Endpoint:
        """The endpoint of a name that a probe has."""
        return next(endpoint for endpoint in self.endpoints if endpoint.name == name)
