"""From a profile to the law of service times: what a batch of each size takes, with its spread.

A profile has measured some batch sizes and keeps quantiles of each. Here every size up to the largest
gets the same cells of probability (fine in the tail, where a p99 is decided) and in each cell one time,
so that sizes in between are interpolated quantile by quantile, and every later step is a sum over cells.
The cells of a size are scaled so that their mean is the measured one, since the mean decides capacity.

What the server itself costs is added where it delays: to the batch where model and server share a
core or run in one thread, else beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt

from tonnage.batching.service_times import size_classes, worthwhile_size
from tonnage.profile.part import Distribution
from tonnage.profile.parts import ModelProfile
from tonnage.profile.pauses import PauseCost

FloatArray = npt.NDArray[np.float64]

_EDGES: Final = (*(i / 20 for i in range(20)), 0.97, 0.98, 0.99, 0.995, 0.999, 1.0)
"""Bounds of the cells of probability: twentieths, and finer beyond the 95th percentile."""
CORES_APART: Final = 2
"""Cores of one worker from which its event loop and its model do not wait for each other."""


def cell_weights() -> FloatArray:
    """The probability of each cell, shape ``(cells,)``; they sum to 1."""
    return np.diff(np.array(_EDGES))


@dataclass(frozen=True, slots=True, eq=False)
class ServiceLaw:
    """How long one worker's model is busy with a batch, and what else a request takes.

    Attributes:
        times_s: Time of a batch of ``row + 1`` items in each cell [s, > 0], shape ``(size_max, cells)``.
        weights: Probability of each cell, sums to 1, shape ``(cells,)``.
        fixed_s: What a request takes beside queue and batch [s, >= 0].
        wait_max_s: How long an unfilled batch may be held [s, >= 0].
        workers: Processes of one replica, among which connections fall at random [>= 1].
        pause_cost: What the first batch after an idle time takes more.
        requests_max_per_s: What the event loop of one worker can read and answer [1/s, > 0].
    """

    times_s: FloatArray
    weights: FloatArray
    fixed_s: float = 0.0
    wait_max_s: float = 0.0
    workers: int = 1
    requests_max_per_s: float = math.inf
    pause_cost: PauseCost = field(default_factory=PauseCost)

    def __post_init__(self) -> None:
        if self.times_s.ndim != 2 or self.times_s.shape[0] < 1 or self.times_s.shape[1] != self.weights.size:
            raise ValueError(f"times_s: must be (sizes, {self.weights.size}), got {self.times_s.shape}")
        if not bool(np.all((self.times_s > 0) & np.isfinite(self.times_s))):
            raise ValueError("times_s: must be finite and > 0")
        if abs(float(self.weights.sum()) - 1) > 1e-9 or bool(np.any(self.weights < 0)):
            raise ValueError(f"weights: must be >= 0 and sum to 1, got {float(self.weights.sum())}")
        for name, value in (("fixed_s", self.fixed_s), ("wait_max_s", self.wait_max_s)):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name}: must be >= 0 and finite, got {value}")
        if self.workers < 1:
            raise ValueError(f"workers: must be >= 1, got {self.workers}")
        if not self.requests_max_per_s > 0:
            raise ValueError(f"requests_max_per_s: must be > 0, got {self.requests_max_per_s}")

    @property
    def size_max(self) -> int:
        """Items in the largest batch."""
        return int(self.times_s.shape[0])

    def mean_s(self, size: int) -> float:
        """Mean time of a batch [s].

        Args:
            size: Items [1 to size_max].
        """
        return float(self.times_s[size - 1] @ self.weights)

    def lone_s(self, percentile: float) -> float:
        """Latency of a request that meets nobody: the whole batch delay, and a batch of one [s].

        Args:
            percentile: In (0, 100).
        """
        order = np.argsort(self.times_s[0])
        within = np.cumsum(self.weights[order])
        index = min(int(np.searchsorted(within, percentile / 100 - 1e-12)), within.size - 1)
        return float(self.times_s[0][order][index]) + self.fixed_s + self.wait_max_s

    @property
    def capacity_per_s(self) -> float:
        """Rate of one replica at which its queue grows without end [1/s].

        Source: stability of a bulk-service queue, rate * E[S of a full batch] < size of a full batch
        (Chaudhry and Templeton, A First Course in Bulk Queues, 1983, chapter 3).
        """
        return self.workers * min(self.size_max / self.mean_s(self.size_max), self.requests_max_per_s)


def cells_of(distribution: Distribution) -> FloatArray:
    """A measured distribution as one time per cell [s], its mean kept, shape ``(cells,)``."""
    edges = np.array(_EDGES)
    middles = (edges[:-1] + edges[1:]) / 2
    values = np.array([distribution.at(100 * float(middle)) for middle in middles])
    mean = float(values @ cell_weights())
    if mean <= 0 or distribution.mean <= 0:
        return np.full(middles.size, max(distribution.mean, 1e-9))
    return np.asarray(values * (distribution.mean / mean), dtype=np.float64)


def law_from_batches(
    measured: dict[int, FloatArray],
    *,
    size_max: int,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Times of every batch size from those of some, between two of them on a straight line.

    Args:
        measured: Size to one time per cell [s], at least one.
        size_max: Largest size wanted [>= 1]; beyond the largest measured, times grow in proportion.
        weights: Probability of each cell, for the check that they fit; None for the cells of this module.

    Returns:
        Shape ``(size_max, cells)``.
    """
    sizes = sorted(measured)
    cells = (weights if weights is not None else cell_weights()).size
    columns = np.array([measured[size] for size in sizes])
    wanted = np.arange(1, size_max + 1, dtype=np.float64)
    inside = np.clip(wanted, sizes[0], sizes[-1])
    times = np.empty((size_max, cells))
    for cell in range(cells):
        times[:, cell] = np.interp(inside, sizes, columns[:, cell])
    return np.asarray(times * np.maximum(1.0, wanted / sizes[-1])[:, None], dtype=np.float64)


def gathered_size(profile: ModelProfile, size_max: int) -> int:
    """Items up to which the server will gather, as its warm-up decides from what it measures there.

    Args:
        profile: With batches; what its own server chose for the same bound is taken as it is.
        size_max: The document's bound [>= 1].

    Source: ``tonnage.batching.service_times.worthwhile_size``, the server's own rule.
    """
    if size_max == 1:
        return 1
    settings = profile.settings
    if settings is not None and settings.gather_max is not None and settings.size_max == size_max:
        return min(settings.gather_max, size_max)
    steady = [(size, profile.batch_mean_s(size) or 0.0) for size in size_classes(size_max)]
    return worthwhile_size(steady)


def in_server_ratio(profile: ModelProfile) -> float:
    """How much longer a batch takes in the running server than alone, where it shares the caches.

    Args:
        profile: Any; 1 where it was not measured.
    """
    ratio = profile.overhead.batch_ratio if profile.overhead is not None else None
    return ratio if ratio is not None else 1.0


def pause_cost(profile: ModelProfile) -> PauseCost:
    """What the first request after a pause takes more than one that follows another.

    CPU time tells it, to which it does not matter whether a request had to wait for another. Where the model
    does not compute on the CPU, latencies do, less what they are beside the server's own time.

    Args:
        profile: Any; no cost where requests after pauses were not measured.
    """
    if not profile.after_idle or not profile.batches:
        return PauseCost()
    overhead = profile.overhead
    around_s = overhead.per_request_s + overhead.per_batch_s if overhead is not None else 0.0
    busy_s = (profile.batch_mean_s(1) or 0.0) * in_server_ratio(profile) + around_s
    beside_s = after_idle_beside_s(profile)
    return PauseCost.rising(
        (
            one.pause_s,
            (one.cpu_s if one.cpu_s >= one.compute_s else one.latency_s.at(50) - beside_s) - busy_s,
        )
        for one in profile.after_idle
    )


def after_idle_beside_s(profile: ModelProfile) -> float:
    """What a request takes beside the server's own time: sockets, wake-ups, the client's own loop [s, >= 0].

    Args:
        profile: With requests after pauses.
    """
    return max(0.0, median(one.latency_s.at(50) - one.cpu_s for one in profile.after_idle))


def service_law(
    profile: ModelProfile,
    *,
    size_max: int,
    wait_max_s: float,
    workers: int,
    cores: float,
    gather_max: int | None = None,
    inline: bool | None = None,
) -> ServiceLaw:
    """The law of a replica's service times.

    Args:
        profile: With batches.
        size_max: Items in one batch at most, 1 without batching [>= 1].
        wait_max_s: How long an unfilled batch may be held [s, >= 0].
        workers: Processes of one replica [>= 1].
        cores: CPU limit of one replica [> 0].
        gather_max: Items that are gathered [1 to size_max]; None where the server measures it at warm-up.
        inline: Whether the model runs in the event loop; None takes what the profile's server chose.

    Raises:
        ValueError: The profile has no batches.
    """
    if not profile.batches:
        raise ValueError("batches: must be measured, got none")
    size = gather_max or gathered_size(profile, size_max)
    ratio = in_server_ratio(profile)
    measured = {batch.size: cells_of(batch.steady_s) * ratio for batch in profile.batches}
    times = law_from_batches(measured, size_max=size)
    if inline is None:
        inline = profile.settings is not None and profile.settings.execution == "inline"
    per_request_s = profile.overhead.per_request_s if profile.overhead is not None else 0.0
    per_batch_s = profile.overhead.per_batch_s if profile.overhead is not None else 0.0
    fixed_s, requests_max_per_s = per_request_s + per_batch_s, math.inf
    if inline or cores / workers < CORES_APART:
        times = times + (per_batch_s + per_request_s * np.arange(1, size + 1, dtype=np.float64))[:, None]
        fixed_s = 0.0
    elif per_request_s > 0:
        requests_max_per_s = 1 / per_request_s
    return ServiceLaw(
        times_s=np.maximum(times, 1e-9),
        weights=cell_weights(),
        fixed_s=fixed_s,
        wait_max_s=wait_max_s if size > 1 else 0.0,
        workers=workers,
        requests_max_per_s=requests_max_per_s,
        pause_cost=pause_cost(profile),
    )
