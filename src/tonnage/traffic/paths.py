"""Poisson arrivals whose rate changes: days, flash crowds, bursts, and their sums.

Each process gives a *path*: a rate that is constant within each of consecutive segments. Smooth shapes are
cut into steps whose rate is the mean over the step, so that no request is gained or lost; a bursty process
(a Markov-modulated Poisson process) draws its path from the seed, since given the path it is Poisson too.
Sums and multiples of paths are paths again, so that any mixture is played by one loop.

Source: superposition and conditional form of Poisson processes, Ross, Introduction to Probability
Models, 12th ed., section 5.4; the MMPP as in Fischer and Meier-Hellstern, The Markov-modulated Poisson
process cookbook, Performance Evaluation 18 (1993), section 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np

from tonnage.errors import Problem, SpecError
from tonnage.traffic.arrivals import ARRIVALS_PER_CHUNK_MAX, ArrivalProcess, PoissonArrivals
from tonnage.traffic.trace import FloatArray, require_positive

SEGMENTS_MAX: Final = 10_000_000
"""Segments of one path; a process that would change its rate more often is refused."""
STEPS_PER_DAY: Final = 1440
"""Steps of one period of a diurnal shape."""
STEPS_PER_RAMP: Final = 64
"""Steps of one rise or fall."""


@dataclass(frozen=True, slots=True, eq=False)
class RatePath:
    """A rate over time, constant within segments.

    Attributes:
        edges_s: Ends of the segments, ascending from 0, shape ``(segments + 1,)``, read-only.
        rates_per_s: Rate in each segment [requests/s, >= 0], shape ``(segments,)``, read-only.
    """

    edges_s: FloatArray
    rates_per_s: FloatArray

    def __post_init__(self) -> None:
        edges = np.array(self.edges_s, dtype=np.float64)
        rates = np.array(self.rates_per_s, dtype=np.float64)
        if edges.ndim != 1 or edges.size < 2 or rates.shape != (edges.size - 1,):
            message = f"must be one more than rates_per_s, got shapes {edges.shape} and {rates.shape}"
            raise SpecError([Problem("edges_s", message)])
        if edges[0] != 0 or not np.all(np.isfinite(edges)) or not np.all(np.diff(edges) > 0):
            raise SpecError([Problem("edges_s", "must be finite and ascending from 0, got others")])
        if not np.all(np.isfinite(rates) & (rates >= 0)):
            raise SpecError([Problem("rates_per_s", "must be finite numbers >= 0, got others among them")])
        edges.setflags(write=False)
        rates.setflags(write=False)
        object.__setattr__(self, "edges_s", edges)
        object.__setattr__(self, "rates_per_s", rates)

    @property
    def duration_s(self) -> float:
        """Where the last segment ends [s]."""
        return float(self.edges_s[-1])

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return float(np.dot(self.rates_per_s, np.diff(self.edges_s)))

    def at(self, times_s: FloatArray) -> FloatArray:
        """The rate at each of some times [1/s]; 0 outside of the path."""
        index = np.searchsorted(self.edges_s, times_s, side="right") - 1
        inside = (index >= 0) & (index < self.rates_per_s.size)
        return np.where(inside, self.rates_per_s[np.clip(index, 0, self.rates_per_s.size - 1)], 0.0)


@runtime_checkable
class PathProcess(Protocol):
    """An arrival process that is Poisson along a path."""

    def path(self, rng: np.random.Generator) -> RatePath:
        """Its rate over time; what of it is random comes from ``rng``."""


def path_of(process: ArrivalProcess, rng: np.random.Generator) -> RatePath | None:
    """The path of a process that is Poisson along one; None for any other."""
    if isinstance(process, PoissonArrivals):
        return RatePath(np.array([0.0, process.duration_s]), np.array([process.rate_per_s]))
    return process.path(rng) if isinstance(process, PathProcess) else None


def path_chunks(path: RatePath, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield ascending Poisson arrival times [s] along a path, a bounded number at a time.

    Unit-rate arrivals are drawn and carried through the inverse of the mean number of arrivals by then.
    """
    running = np.concatenate([[0.0], np.cumsum(path.rates_per_s * np.diff(path.edges_s))])
    before = np.flatnonzero(np.diff(running) > 0)  # a segment without arrivals has no inverse
    if before.size == 0:
        return
    lows, rates = running[before], path.rates_per_s[before]
    edges = path.edges_s[before]
    passed = 0.0
    while True:
        marks = passed + np.cumsum(rng.standard_exponential(ARRIVALS_PER_CHUNK_MAX))
        passed = float(marks[-1])
        ended = passed >= running[-1]
        if ended:
            marks = marks[: int(np.searchsorted(marks, running[-1]))]
        if marks.size:
            index = np.searchsorted(lows, marks, side="right") - 1
            yield edges[index] + (marks - lows[index]) / rates[index]
        if ended:
            return


@dataclass(frozen=True, slots=True)
class DiurnalArrivals:
    """A day's swing: a cosine around a mean.

    Attributes:
        mean_per_s: Mean rate over a period [requests/s, > 0].
        peak_per_s: Highest rate [requests/s, mean to twice the mean].
        duration_s: Length [s, > 0].
        period_s: From peak to peak [s, > 0].
        peak_at_s: Time of the first peak [s, >= 0].
    """

    mean_per_s: float
    peak_per_s: float
    duration_s: float
    period_s: float = 86_400.0
    peak_at_s: float = 43_200.0

    def __post_init__(self) -> None:
        for name, value in (
            ("mean", self.mean_per_s),
            ("duration", self.duration_s),
            ("period", self.period_s),
        ):
            require_positive(name, value)
        if not self.mean_per_s <= self.peak_per_s <= 2 * self.mean_per_s:
            message = f"must be from the mean ({self.mean_per_s:g}) to twice that, got {self.peak_per_s:g}"
            raise SpecError([Problem("peak", message)])
        if not 0 <= self.peak_at_s < math.inf:
            raise SpecError([Problem("peak-at", f"must be >= 0 and finite, got {self.peak_at_s}")])
        _require_segments("period", self.duration_s / self.period_s * STEPS_PER_DAY)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return self.path(np.random.default_rng(0)).requests_expected

    def path(self, rng: np.random.Generator) -> RatePath:  # noqa: ARG002 - nothing is random
        """Steps of ``period_s / STEPS_PER_DAY``; ``rng`` is not used."""
        step_s = self.period_s / STEPS_PER_DAY
        edges = np.append(np.arange(0.0, self.duration_s - step_s * 1e-6, step_s), self.duration_s)
        angles = 2 * math.pi * (edges - self.peak_at_s) / self.period_s
        means = np.diff(np.sin(angles)) / np.diff(angles)
        rates = self.mean_per_s + (self.peak_per_s - self.mean_per_s) * means
        return RatePath(edges, np.maximum(rates, 0.0))

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.path(rng), rng)


@dataclass(frozen=True, slots=True)
class FlashArrivals:
    """A flash crowd: a steady rate, a straight rise to a peak, a hold, and a straight fall back.

    Attributes:
        base_per_s: Rate before and after [requests/s, >= 0].
        peak_per_s: Rate at the top [requests/s, > 0].
        duration_s: Length of all [s, > 0].
        at_s: Where the rise begins [s, >= 0].
        rise_s: Length of the rise [s, >= 0]; 0 for a step.
        hold_s: Length of the top [s, >= 0].
        fall_s: Length of the fall [s, >= 0].
    """

    base_per_s: float
    peak_per_s: float
    duration_s: float
    at_s: float
    rise_s: float = 0.0
    hold_s: float = 60.0
    fall_s: float = 0.0

    def __post_init__(self) -> None:
        require_positive("peak", self.peak_per_s)
        require_positive("duration", self.duration_s)
        problems = [
            Problem(name, f"must be >= 0 and finite, got {value}")
            for name, value in (
                ("base", self.base_per_s),
                ("at", self.at_s),
                ("rise", self.rise_s),
                ("hold", self.hold_s),
                ("fall", self.fall_s),
            )
            if not 0 <= value < math.inf
        ]
        if not problems and self.at_s >= self.duration_s:
            problems = [Problem("at", f"must be before the end ({self.duration_s:g} s), got {self.at_s:g}")]
        if problems:
            raise SpecError(problems)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return self.path(np.random.default_rng(0)).requests_expected

    def path(self, rng: np.random.Generator) -> RatePath:  # noqa: ARG002 - nothing is random
        """Each ramp in ``STEPS_PER_RAMP`` steps; ``rng`` is not used."""
        corners = np.cumsum([0.0, self.at_s, self.rise_s, self.hold_s, self.fall_s])
        heights = [self.base_per_s, self.base_per_s, self.peak_per_s, self.peak_per_s, self.base_per_s]
        parts = [corners]
        for start_s, end_s in ((corners[1], corners[2]), (corners[3], corners[4])):
            parts.append(np.linspace(start_s, end_s, STEPS_PER_RAMP + 1))
        edges = np.unique(np.clip(np.concatenate([*parts, [self.duration_s]]), 0.0, self.duration_s))
        middles = (edges[1:] + edges[:-1]) / 2
        # a step has two corners at one time; no middle lies between them
        return RatePath(edges, np.interp(middles, corners, heights))

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.path(rng), rng)


@dataclass(frozen=True, slots=True)
class MmppArrivals:
    """Bursts: a Poisson process whose rate jumps between states at random times.

    A state lasts an exponential time; then each other state is as likely as any. The first state is
    drawn as time would find it.

    Attributes:
        rates_per_s: Rate of each state [requests/s, >= 0, not all 0]; at least two.
        dwell_s: Mean time in each state [s, > 0]; as many.
        duration_s: Length [s, > 0].
    """

    rates_per_s: tuple[float, ...]
    dwell_s: tuple[float, ...]
    duration_s: float

    def __post_init__(self) -> None:
        require_positive("duration", self.duration_s)
        if len(self.rates_per_s) < 2 or len(self.rates_per_s) != len(self.dwell_s):
            got = f"{len(self.rates_per_s)} and {len(self.dwell_s)}"
            message = f"must be at least two, and as many as dwell times, got {got}"
            raise SpecError([Problem("rates", message)])
        if not all(0 <= rate < math.inf for rate in self.rates_per_s) or not any(self.rates_per_s):
            raise SpecError([Problem("rates", f"must be >= 0 and not all 0, got {list(self.rates_per_s)}")])
        for dwell_s in self.dwell_s:
            require_positive("dwell", dwell_s)
        _require_segments("dwell", self.duration_s * len(self.dwell_s) / sum(self.dwell_s))

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals, over all paths."""
        weighted = math.fsum(r * d for r, d in zip(self.rates_per_s, self.dwell_s, strict=True))
        return self.duration_s * weighted / math.fsum(self.dwell_s)

    @property
    def peak_per_s(self) -> float:
        """Highest rate of any state [requests/s]."""
        return max(self.rates_per_s)

    def path(self, rng: np.random.Generator) -> RatePath:
        """Draw the states and how long each lasts."""
        states = len(self.rates_per_s)
        shares = np.array(self.dwell_s) / math.fsum(self.dwell_s)
        state = int(rng.choice(states, p=shares))
        edges, rates = [0.0], []
        while edges[-1] < self.duration_s:
            rates.append(self.rates_per_s[state])
            edges.append(edges[-1] + self.dwell_s[state] * max(float(rng.standard_exponential()), 1e-9))
            state = (state + 1 + int(rng.integers(states - 1))) % states
        edges[-1] = self.duration_s
        return RatePath(np.array(edges), np.array(rates))

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.path(rng), rng)


def _require_segments(name: str, segments: float) -> None:
    if segments > SEGMENTS_MAX:
        message = f"must change the rate at most {SEGMENTS_MAX} times in all, got about {segments:.3g}"
        raise SpecError([Problem(name, message)])
