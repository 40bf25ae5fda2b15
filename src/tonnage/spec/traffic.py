"""``spec.traffic`` of a ``Simulation``: arrivals by formula or from a trace."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.spec.scalars import (
    AnyDuration,
    AnyRate,
    NonNegative,
    Part,
    PositiveDuration,
    PositiveRate,
    Text,
)
from tonnage.units import Duration, parse_duration


class ConstantTraffic(Part):
    """A request at every tick."""

    type: Literal["constant"]
    """`constant`"""
    rate: PositiveRate
    """Requests per second."""
    duration: PositiveDuration | None = None
    """For how long; null takes `spec.duration`."""


class PoissonTraffic(Part):
    """Requests of many independent users: random arrivals at one rate."""

    type: Literal["poisson"]
    """`poisson`"""
    rate: PositiveRate
    """Requests per second, on average."""
    duration: PositiveDuration | None = None
    """For how long; null takes `spec.duration`."""


class DiurnalTraffic(Part):
    """A day's swing around a mean."""

    type: Literal["diurnal"]
    """`diurnal`"""
    mean: PositiveRate
    """Mean over a period [requests/s]."""
    peak: PositiveRate
    """Highest rate, from the mean to twice the mean [requests/s]."""
    period: PositiveDuration = parse_duration("24h")
    """From peak to peak."""
    peak_at: AnyDuration = parse_duration("12h")
    """When the first peak is."""
    duration: PositiveDuration | None = None
    """For how long; null takes `spec.duration`."""


class FlashTraffic(Part):
    """A flash crowd: a steady rate, a rise to a peak, a hold, and a fall."""

    type: Literal["flash"]
    """`flash`"""
    base: AnyRate
    """Rate before and after [requests/s]."""
    peak: PositiveRate
    """Rate at the top [requests/s]."""
    at: AnyDuration
    """When the rise begins."""
    rise: AnyDuration = Duration(0)
    """Length of the rise; 0s for a step."""
    hold: AnyDuration = parse_duration("1m")
    """Length of the top."""
    fall: AnyDuration = Duration(0)
    """Length of the fall; 0s for a step."""
    duration: PositiveDuration | None = None
    """For how long in all; null takes `spec.duration`."""


class BurstState(Part):
    """One of the rates between which bursty traffic jumps."""

    rate: AnyRate
    """Requests per second."""
    dwell: PositiveDuration
    """Mean time in this state."""


class BurstyTraffic(Part):
    """Bursts: the rate jumps between states at random times (a Markov-modulated Poisson process)."""

    type: Literal["bursty"]
    """`bursty`"""
    states: Annotated[tuple[BurstState, ...], Field(min_length=2)]
    """The states."""
    duration: PositiveDuration | None = None
    """For how long; null takes `spec.duration`."""


class Step(Part):
    """A rate from a time on."""

    at: AnyDuration
    """From when, from the start; the first at 0s."""
    rate: AnyRate
    """Requests per second, on average."""


class StepTraffic(Part):
    """Random arrivals at a rate that changes in steps."""

    type: Literal["steps"]
    """`steps`"""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """The steps, ascending in time."""
    duration: PositiveDuration | None = None
    """For how long; null takes `spec.duration`."""


class TraceTraffic(Part):
    """What was recorded."""

    type: Literal["trace"]
    """`trace`"""
    file: Text
    """A trace, relative to this file: counts per minute or second, or single arrivals."""
    format: Literal["counts-per-minute", "counts-per-second", "arrivals"] | None = None
    """Its format; null takes it from the header."""
    peak: PositiveRate | None = None
    """Rate to which the busiest bin is scaled [requests/s]; null leaves it as it is."""
    speed: NonNegative = 1.0
    """How much faster than recorded it plays."""
    spacing: Literal["poisson", "constant"] = "poisson"
    """How the requests of one bin lie in it."""
    duration: PositiveDuration | None = None
    """How much of it is played; null: `spec.duration`, else all."""


Simple = Annotated[
    ConstantTraffic
    | PoissonTraffic
    | DiurnalTraffic
    | FlashTraffic
    | BurstyTraffic
    | StepTraffic
    | TraceTraffic,
    Field(discriminator="type"),
]


class SumTraffic(Part):
    """Several at once."""

    type: Literal["sum"]
    """`sum`"""
    parts: Annotated[tuple[Simple, ...], Field(min_length=1)]
    """What comes at once."""


Traffic = Annotated[
    ConstantTraffic
    | PoissonTraffic
    | DiurnalTraffic
    | FlashTraffic
    | BurstyTraffic
    | StepTraffic
    | TraceTraffic
    | SumTraffic,
    Field(discriminator="type"),
]
