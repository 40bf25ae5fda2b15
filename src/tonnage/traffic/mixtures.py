"""Sums and multiples of arrival processes.

A sum of processes that are Poisson along paths is one too, and so is a multiple; of a trace of counts
a multiple is the trace with other counts. A sum of any others merges their arrivals in order of time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tonnage.errors import Problem, SpecError
from tonnage.traffic.arrivals import (
    ARRIVALS_PER_CHUNK_MAX,
    ArrivalProcess,
    ConstantArrivals,
    CountArrivals,
    PoissonArrivals,
)
from tonnage.traffic.paths import PathProcess, RatePath, path_chunks, path_of
from tonnage.traffic.trace import CountTrace, FloatArray, require_positive


@dataclass(frozen=True, slots=True)
class SumPaths:
    """Several processes along paths, at once; it lasts as long as the longest.

    Attributes:
        parts: Processes for each of which ``path_of`` gives a path; at least one.
    """

    parts: tuple[ArrivalProcess, ...]

    @property
    def duration_s(self) -> float:
        """Length of the longest [s]."""
        return max(part.duration_s for part in self.parts)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals of all."""
        return sum(part.requests_expected for part in self.parts)

    @property
    def peak_per_s(self) -> float:
        """Bound of the rate: the sum of the peaks, wherever they are [requests/s]."""
        return sum(part.peak_per_s for part in self.parts)

    def path(self, rng: np.random.Generator) -> RatePath:
        """The sum of the parts' paths, drawn in order."""
        paths = [path for path in (path_of(part, rng) for part in self.parts) if path is not None]
        edges = np.unique(np.concatenate([path.edges_s for path in paths]))
        middles = (edges[1:] + edges[:-1]) / 2
        return RatePath(edges, np.sum([path.at(middles) for path in paths], axis=0))

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.path(rng), rng)


@dataclass(frozen=True, slots=True)
class ScaledPath:
    """A process along a path with all rates multiplied.

    Attributes:
        process: A process for which ``path_of`` gives a path.
        factor: By how much [> 0].
    """

    process: ArrivalProcess
    factor: float

    def __post_init__(self) -> None:
        require_positive("factor", self.factor)

    @property
    def duration_s(self) -> float:
        """The process' own [s]."""
        return self.process.duration_s

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return self.process.requests_expected * self.factor

    @property
    def peak_per_s(self) -> float:
        """Highest rate [requests/s]."""
        return self.process.peak_per_s * self.factor

    def path(self, rng: np.random.Generator) -> RatePath:
        """The process' path with other rates."""
        path = path_of(self.process, rng)
        assert path is not None, "scaled() makes this of processes along paths only"
        return RatePath(path.edges_s, path.rates_per_s * self.factor)

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.path(rng), rng)


@dataclass(frozen=True, slots=True)
class MergedArrivals:
    """Several processes of any kind, at once: their arrivals in order of time.

    Attributes:
        parts: At least one.
    """

    parts: tuple[ArrivalProcess, ...]

    @property
    def duration_s(self) -> float:
        """Length of the longest [s]."""
        return max(part.duration_s for part in self.parts)

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals of all."""
        return sum(part.requests_expected for part in self.parts)

    @property
    def peak_per_s(self) -> float:
        """Bound of the rate: the sum of the peaks, wherever they are [requests/s]."""
        return sum(part.peak_per_s for part in self.parts)

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]; each part has a stream of ``rng`` of its own."""
        walks = [part.chunks(own) for part, own in zip(self.parts, rng.spawn(len(self.parts)), strict=True)]
        heads = [next(walk, None) for walk in walks]
        while any(head is not None for head in heads):
            # all that lies up to the earliest end of a chunk is known of every part
            bound = min(float(head[-1]) for head in heads if head is not None)
            due = []
            for i, head in enumerate(heads):
                if head is None:
                    continue
                cut = int(np.searchsorted(head, bound, side="right"))
                due.append(head[:cut])
                heads[i] = head[cut:] if cut < head.size else next(walks[i], None)
            merged = np.sort(np.concatenate(due))
            for start in range(0, merged.size, ARRIVALS_PER_CHUNK_MAX):
                yield merged[start : start + ARRIVALS_PER_CHUNK_MAX]


def _has_path(process: ArrivalProcess) -> bool:
    return isinstance(process, (PoissonArrivals, PathProcess))


def added(parts: tuple[ArrivalProcess, ...]) -> ArrivalProcess:
    """All of several processes at once.

    Args:
        parts: At least one.

    Raises:
        SpecError: There is none.
    """
    if not parts:
        raise SpecError([Problem("parts", "must be at least one, got none")])
    if len(parts) == 1:
        return parts[0]
    return SumPaths(parts) if all(map(_has_path, parts)) else MergedArrivals(parts)


def scaled(process: ArrivalProcess, factor: float) -> ArrivalProcess:
    """The same shape with all rates multiplied.

    Args:
        process: Any process but one of single recorded arrivals.
        factor: By how much [> 0].

    Raises:
        SpecError: The factor is out of range, or the process has no rate to multiply.
    """
    require_positive("factor", factor)
    if _has_path(process):
        return ScaledPath(process, factor)
    if isinstance(process, ConstantArrivals):
        return ConstantArrivals(process.rate_per_s * factor, process.duration_s)
    if isinstance(process, CountArrivals):
        trace = CountTrace(process.trace.bin_s, process.trace.counts * factor)
        return CountArrivals(trace, process.spacing)
    if isinstance(process, MergedArrivals):
        return MergedArrivals(tuple(scaled(part, factor) for part in process.parts))
    raise SpecError(
        [Problem("factor", "needs rates or counts, got single arrivals", hint="count them per bin first")]
    )
