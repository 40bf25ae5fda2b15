"""From an arrival process to what the kernel plays: segments of time, or single arrivals.

Three forms cover everything. *Rates*: a Poisson process whose rate is constant within each segment; a
process whose rate is itself random (bursts) is first drawn as a path of rates. *Counts*: a known
number in each segment, placed at random or evenly, so that a trace's own counts stay exact. *Times*:
single arrivals, taken in chunks from the process as the load generator takes them. The first two
are played inside the kernel, which draws the gaps itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tonnage.traffic import ArrivalProcess, ClippedArrivals, ConstantArrivals, CountArrivals, path_of
from tonnage.traffic.arrivals import whole_counts
from tonnage.twin.requests.model import refuse_unless

FloatArray = npt.NDArray[np.float64]

PlanKind = Literal["rates", "counts-poisson", "counts-even", "times"]


@dataclass(frozen=True, slots=True, eq=False)
class ArrivalPlan:
    """Arrivals in the kernel's form; make it by ``plan_of``.

    Attributes:
        kind: What ``values`` are: rates [1/s]; counts placed at random or evenly; or none, and
            ``chunks`` has the times.
        edges_s: Ends of the segments, first the start of the first [s], ascending, shape
            ``(segments + 1,)``.
        values: Rate [1/s, >= 0] or whole count [>= 0] of each segment, shape ``(segments,)``.
        duration_s: Length of the traffic [s].
        requests_expected: Mean number of arrivals.
        chunks: Begins to give ascending arrival times [s] in chunks, the same at each call; for ``times``.
        first_share: Where in its gap the first of evenly placed arrivals lies [0 to 1].
        end_s: Arrivals from here on are left out [s].

    Raises:
        SpecError: Segments do not ascend, or a value is negative or not finite.
    """

    kind: PlanKind
    edges_s: FloatArray
    values: FloatArray
    duration_s: float
    requests_expected: float
    chunks: Callable[[], Iterator[FloatArray]] | None = None
    first_share: float = 0.5
    end_s: float = math.inf

    def __post_init__(self) -> None:
        edges, values = self.edges_s, self.values
        segments_fit = edges.ndim == 1 and edges.size == values.size + 1
        refuse_unless(
            ("edges_s", f"shapes {edges.shape} and {values.shape}", segments_fit, "one more than values"),
            ("edges_s", "others", bool(np.all(np.diff(edges) > 0)) and edges[0] >= 0, "ascending and >= 0"),
            ("values", "others", bool(np.all((values >= 0) & np.isfinite(values))), "finite and >= 0"),
            ("chunks", self.chunks, (self.chunks is None) == (self.kind != "times"), "given for times only"),
        )


def plan_of(process: ArrivalProcess, *, seed: int) -> ArrivalPlan:
    """Put a process into the kernel's form.

    Args:
        process: Any arrival process.
        seed: Decides what is drawn here: the path of a random rate, and the times of a process that is
            neither of rates nor of counts [>= 0].
    """
    duration_s, expected = process.duration_s, process.requests_expected
    if isinstance(process, ClippedArrivals):
        whole = plan_of(process.process, seed=seed)
        return replace(whole, duration_s=duration_s, requests_expected=expected, end_s=duration_s)
    path = path_of(process, np.random.default_rng([seed, 3]))
    if path is not None:
        return ArrivalPlan("rates", path.edges_s, path.rates_per_s, duration_s, path.requests_expected)
    if isinstance(process, CountArrivals):
        kind: PlanKind = "counts-poisson" if process.spacing == "poisson" else "counts-even"
        counts = whole_counts(process.trace.counts).astype(np.float64)
        edges = np.arange(counts.size + 1, dtype=np.float64) * process.trace.bin_s
        return ArrivalPlan(kind, edges, counts, duration_s, expected)
    if isinstance(process, ConstantArrivals):
        # the gaps are those of the rate, also when the last one reaches past the end
        edges = np.array([0.0, expected / process.rate_per_s])
        return ArrivalPlan("counts-even", edges, np.array([expected]), duration_s, expected, first_share=0.0)
    return recorded(process, seed=seed)


def recorded(process: ArrivalProcess, *, seed: int) -> ArrivalPlan:
    """Play exactly the arrivals that the load generator sends for the same process and seed.

    Args:
        process: Any arrival process.
        seed: The load run's seed [>= 0].
    """
    expected = process.requests_expected
    return ArrivalPlan(
        "times",
        np.zeros(1),
        np.zeros(0),
        process.duration_s,
        expected,
        chunks=lambda: process.chunks(np.random.default_rng([seed, 0])),
    )
