"""``spec.traffic`` of a Simulation as an arrival process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tonnage.errors import Problem, SpecError
from tonnage.spec import traffic as parts
from tonnage.traffic import (
    ArrivalProcess,
    ConstantArrivals,
    DiurnalArrivals,
    FlashArrivals,
    MmppArrivals,
    PoissonArrivals,
    RatePath,
    added,
    arrivals_of,
    clipped,
    parse_trace,
    scaled_to_peak,
    sped_up,
)
from tonnage.traffic.paths import path_chunks
from tonnage.traffic.trace import FloatArray
from tonnage.twin.inputs.texts import TextFile
from tonnage.units import Duration

DURATION_S_DEFAULT = 600.0
"""Length of a run whose documents name none."""


@dataclass(frozen=True, slots=True, eq=False)
class StepArrivals:
    """Poisson arrivals at a rate that changes in steps.

    Attributes:
        steps: The rates over time.
    """

    steps: RatePath

    @property
    def duration_s(self) -> float:
        """Where the last step ends [s]."""
        return self.steps.duration_s

    @property
    def requests_expected(self) -> float:
        """Mean number of arrivals."""
        return self.steps.requests_expected

    @property
    def peak_per_s(self) -> float:
        """Highest rate [requests/s]."""
        return float(self.steps.rates_per_s.max())

    def path(self, rng: np.random.Generator) -> RatePath:  # noqa: ARG002 - nothing is random
        """The steps; ``rng`` is not used."""
        return self.steps

    def chunks(self, rng: np.random.Generator) -> Iterator[FloatArray]:
        """Yield ascending arrival times [s]."""
        return path_chunks(self.steps, rng)


def arrival_process(
    said: parts.Traffic, traces: Mapping[str, TextFile], duration_s: float | None
) -> ArrivalProcess:
    """The process that a document describes.

    Args:
        said: The document's traffic.
        traces: Traces by the names that it gives them.
        duration_s: Length where a part names none [s]; None takes a trace's own, else
            ``DURATION_S_DEFAULT``.

    Raises:
        SpecError: The description, or a trace, is wrong; it holds every problem of that part.
    """
    if isinstance(said, parts.SumTraffic):
        return added(tuple(arrival_process(part, traces, duration_s) for part in said.parts))
    if isinstance(said, parts.TraceTraffic):
        return _recorded(said, traces, duration_s)
    length_s = said.duration.seconds if said.duration is not None else duration_s or DURATION_S_DEFAULT
    match said:
        case parts.ConstantTraffic():
            return ConstantArrivals(said.rate.per_second, length_s)
        case parts.PoissonTraffic():
            return PoissonArrivals(said.rate.per_second, length_s)
        case parts.DiurnalTraffic():
            return DiurnalArrivals(
                said.mean.per_second,
                said.peak.per_second,
                length_s,
                said.period.seconds,
                said.peak_at.seconds,
            )
        case parts.FlashTraffic():
            return FlashArrivals(
                said.base.per_second,
                said.peak.per_second,
                length_s,
                said.at.seconds,
                said.rise.seconds,
                said.hold.seconds,
                said.fall.seconds,
            )
        case parts.BurstyTraffic():
            rates = tuple(state.rate.per_second for state in said.states)
            return MmppArrivals(rates, tuple(state.dwell.seconds for state in said.states), length_s)
        case parts.StepTraffic():
            return _steps(said, length_s)


def _recorded(
    said: parts.TraceTraffic, traces: Mapping[str, TextFile], duration_s: float | None
) -> ArrivalProcess:
    file = traces[said.file]
    trace = parse_trace(file.text.splitlines(), source=file.name, trace_format=said.format)
    if said.speed != 1.0:
        trace = sped_up(trace, said.speed)
    if said.peak is not None:
        trace = scaled_to_peak(trace, peak_per_s=said.peak.per_second)
    process = arrivals_of(trace, spacing=said.spacing)
    length_s = said.duration.seconds if said.duration is not None else duration_s
    return process if length_s is None else clipped(process, duration_s=min(length_s, process.duration_s))


def _steps(said: parts.StepTraffic, length_s: float) -> StepArrivals:
    times = [step.at for step in said.steps]
    if times[0] != Duration(0):
        raise SpecError([Problem("steps[0].at", f"must be 0s, got {times[0]}")])
    for index, (before, after) in enumerate(zip(times, times[1:], strict=False), start=1):
        if after <= before:
            raise SpecError([Problem(f"steps[{index}].at", f"must be after {before}, got {after}")])
    if times[-1].seconds >= length_s:
        where = f"steps[{len(times) - 1}].at"
        raise SpecError([Problem(where, f"must be before the end ({length_s:g} s), got {times[-1]}")])
    rates = np.array([step.rate.per_second for step in said.steps])
    return StepArrivals(RatePath(np.array([*(time.seconds for time in times), length_s]), rates))
