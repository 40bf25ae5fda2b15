"""What was measured of the model that a workload serves, as far as rules need it."""

from __future__ import annotations

from dataclasses import dataclass

from tonnage.profile import ModelProfile


@dataclass(frozen=True, slots=True)
class Measured:
    """Facts of one model; None for what is not known.

    Attributes:
        ready_s_max: The slowest start, from process start to readiness [s].
        unloaded_s_p99: p99 of a request that waits for nobody [s].
        request_s_max: The longest request seen [s].
    """

    ready_s_max: float | None = None
    unloaded_s_p99: float | None = None
    request_s_max: float | None = None


def measured_of(profile: ModelProfile) -> Measured:
    """Takes the facts out of a profile.

    Args:
        profile: Measured or imported. Without a curve, the unloaded p99 is that of the smallest batch and
            the server's own cost.
    """
    startup, batches, curve = profile.startup, profile.batches, profile.curve
    unloaded: float | None = None
    if batches:
        cost = profile.overhead.per_request_s + profile.overhead.per_batch_s if profile.overhead else 0.0
        unloaded = batches[0].steady_s.at(99) + cost
    elif curve:
        unloaded = curve[0].latency_s.at(99)
    held = [point.latency_s.at(99.9) for point in curve if point.held is not False]
    held += [batch.steady_s.at(99.9) for batch in batches]
    return Measured(
        ready_s_max=max(startup.ready_s.samples or (startup.ready_s.at(99),)) if startup else None,
        unloaded_s_p99=unloaded,
        request_s_max=max(held, default=None),
    )
