"""What is to be measured and how thoroughly, as one value, and which CPUs take part.

The server and the load generator get CPUs of their own wherever there are two or more: a generator that
competes with the server measures the operating system's scheduler.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tonnage.batching import size_classes
from tonnage.contract.server_config import ServerConfig
from tonnage.profile.load_parts import Objective

CURVE_SHARES: Final = (0.3, 0.5, 0.7, 0.8, 0.9)
"""Shares of the sustainable rate at which the latency curve has a point of its own."""
PAUSES_S: Final = (0.0002, 0.0006, 0.002, 0.006, 0.02, 0.06)
"""Pauses after which requests are timed: caches go cold within some of these."""
LATENCIES_MIN: Final = 2.0
"""A trial that is shorter than this many of the objective's latencies cannot break it by a growing queue."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How thoroughly to measure.

    Attributes:
        startups: Fresh processes at least.
        startup_s_max: More of them, up to twice ``startups``, as long as all took no longer than this [s].
        batch_s: Time spent on each batch size, over all rounds [s].
        batch_runs_min: Batches of each size at least.
        step_s: Length of one trial at least [s].
        step_s_max: ... at most, however few requests that is [s].
        requests_min: Requests of one trial, if ``step_s_max`` allows: how sure its percentiles are.
        latencies_min: Times the objective's latency that a trial lasts, if ``step_s_max`` allows: a queue
            that grows must have the time to show.
        confirm_factor: How many times longer the trial is that confirms.
        curve_factor: How many times longer a point of the curve is.
        trials_max: Trials of the search at most.
        tolerance: Width of the gap at which the search ends, over its upper end.
        idle_s: Time that the server is watched without any request [s].
        lag_s: Time that the machine's timers are watched [s].
        cost_s: Length of each run that measures the server's own cost [s].
        pause_s: Length of each run of requests after pauses [s].
    """

    startups: int
    startup_s_max: float
    batch_s: float
    batch_runs_min: int
    step_s: float
    step_s_max: float
    requests_min: int
    latencies_min: float
    confirm_factor: float
    curve_factor: float
    trials_max: int
    tolerance: float
    idle_s: float
    lag_s: float
    cost_s: float
    pause_s: float

    def duration_s(self, rate_per_s: float, latency_s: float, factor: float = 1.0) -> float:
        """How long a trial at a rate lasts [s].

        Args:
            rate_per_s: Requests offered, > 0 [1/s].
            latency_s: The objective's latency; no trial is shorter than ``LATENCIES_MIN`` of it [s].
            factor: How many times longer than a trial of the search.
        """
        wanted_s = max(self.step_s, self.requests_min / rate_per_s, self.latencies_min * latency_s)
        return factor * max(min(wanted_s, self.step_s_max), LATENCIES_MIN * latency_s)


QUICK: Final = Depth(
    startups=3,
    startup_s_max=4.0,
    batch_s=0.6,
    batch_runs_min=12,
    step_s=1.2,
    step_s_max=6.0,
    requests_min=300,
    latencies_min=2.0,
    confirm_factor=2.0,
    curve_factor=1.5,
    trials_max=10,
    tolerance=0.10,
    idle_s=1.0,
    lag_s=0.5,
    cost_s=0.8,
    pause_s=0.6,
)
FULL: Final = Depth(
    startups=10,
    startup_s_max=40.0,
    batch_s=4.0,
    batch_runs_min=60,
    step_s=5.0,
    step_s_max=30.0,
    requests_min=1500,
    latencies_min=6.0,
    confirm_factor=3.0,
    curve_factor=2.0,
    trials_max=20,
    tolerance=0.04,
    idle_s=4.0,
    lag_s=2.0,
    cost_s=3.0,
    pause_s=4.0,
)


@dataclass(frozen=True, slots=True)
class MeasurePlan:
    """One profile to be made.

    Attributes:
        name: Name of the profile.
        config: Settings of the service; its ports and its drain are replaced while it is measured.
        objective: What must hold.
        others: Further latencies of the document, told in the notes when they do not hold.
        depth: How thoroughly.
        quick: Whether that is the short form.
        seed: Decides arrivals and random payloads, >= 0.
        rate_max_per_s: Highest rate to offer; None for no limit [1/s].
        sizes: Batch sizes to time; None for the size classes.
    """

    name: str
    config: ServerConfig
    objective: Objective
    others: tuple[Objective, ...] = ()
    depth: Depth = FULL
    quick: bool = False
    seed: int = 0
    rate_max_per_s: float | None = None
    sizes: tuple[int, ...] | None = None

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """The batch sizes to time, ascending; a model that does not batch makes it 1 alone."""
        return tuple(sorted(set(self.sizes or size_classes(self.config.batching.size_max))))


@dataclass(frozen=True, slots=True)
class Cpus:
    """Who runs where.

    Attributes:
        server: CPUs of the server and of the model.
        generator: CPUs of the load generator; the same ones when there is only one.
    """

    server: tuple[int, ...]
    generator: tuple[int, ...]

    @property
    def shared(self) -> bool:
        """Whether they share a CPU."""
        return bool(set(self.server) & set(self.generator))


def share_cpus(allowed: Collection[int], *, wanted: int) -> Cpus:
    """Divide the CPUs: the server gets what it wants as long as one is left for the generator.

    Args:
        allowed: CPUs that this process may use, at least one.
        wanted: CPUs that one replica can make use of, >= 1.
    """
    ordered = tuple(sorted(allowed))
    if len(ordered) == 1:
        return Cpus(ordered, ordered)
    # the server takes the highest: the lowest often serve the machine's interrupts
    count = min(wanted, len(ordered) - 1)
    return Cpus(ordered[-count:], ordered[:-count])
