"""Traffic as data: when requests arrive, from a formula or from a recorded trace.

The load generator drives a real server with it and the twin a simulated one, so that both see the
same arrivals for the same seed. Nothing here reads a clock or a file: text comes in as lines, and
randomness as a passed ``numpy.random.Generator``.
"""

from __future__ import annotations

from tonnage.traffic.arrivals import (
    ARRIVALS_PER_CHUNK_MAX,
    ArrivalProcess,
    ClippedArrivals,
    ConstantArrivals,
    CountArrivals,
    PoissonArrivals,
    Spacing,
    TimestampArrivals,
    arrivals_of,
    clipped,
    every_nth,
)
from tonnage.traffic.mixtures import MergedArrivals, ScaledPath, SumPaths, added, scaled
from tonnage.traffic.parse import TraceFormat, parse_trace
from tonnage.traffic.paths import (
    DiurnalArrivals,
    FlashArrivals,
    MmppArrivals,
    PathProcess,
    RatePath,
    path_of,
)
from tonnage.traffic.text import OpenTrace, parse_traffic
from tonnage.traffic.trace import CountTrace, TimestampTrace, Trace, binned, scaled_to_peak, sped_up

__all__ = [
    "ARRIVALS_PER_CHUNK_MAX",
    "ArrivalProcess",
    "ClippedArrivals",
    "ConstantArrivals",
    "CountArrivals",
    "CountTrace",
    "DiurnalArrivals",
    "FlashArrivals",
    "MergedArrivals",
    "MmppArrivals",
    "OpenTrace",
    "PathProcess",
    "PoissonArrivals",
    "RatePath",
    "ScaledPath",
    "Spacing",
    "SumPaths",
    "TimestampArrivals",
    "TimestampTrace",
    "Trace",
    "TraceFormat",
    "added",
    "arrivals_of",
    "binned",
    "clipped",
    "every_nth",
    "parse_trace",
    "parse_traffic",
    "path_of",
    "scaled",
    "scaled_to_peak",
    "sped_up",
]
