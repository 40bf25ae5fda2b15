"""What a request takes beside queue and model: sockets, wake-ups, the client's own loop.

Requests that came after pauses show it, where a profile has them. Where it has none, it has latencies at
rates at which next to nothing waits, and the queue says what of them it explains; what it never explains is
taken as a constant. Noise only adds to a latency, so the smallest difference is nearest to the truth.
"""

from __future__ import annotations

from typing import Final

from tonnage.plan.queueing import estimate
from tonnage.plan.service_time import after_idle_beside_s, service_law
from tonnage.profile.parts import ModelProfile

LOAD_SHARE_MAX: Final = 0.7
"""Of the sustainable rate: beyond it a small error of the service time is a large one of the queue."""


def beside_s(profile: ModelProfile) -> float:
    """The constant part of a latency that the queue does not explain [s, >= 0].

    Args:
        profile: Any; 0 where it has no batches, no settings or no measured latencies.
    """
    if profile.after_idle:
        return after_idle_beside_s(profile)
    settings, capacity = profile.settings, profile.capacity
    if settings is None or not profile.batches or capacity is None or not capacity.sustainable_per_s:
        return 0.0
    cores = len(profile.machine.cpus_server) if profile.machine is not None else 1
    law = service_law(
        profile,
        size_max=settings.size_max,
        wait_max_s=settings.wait_max_s,
        workers=settings.workers,
        cores=max(1, cores),
    )
    unexplained: list[float] = []
    for point in profile.curve:
        if point.rate_per_s > LOAD_SHARE_MAX * capacity.sustainable_per_s or point.held is False:
            continue
        found = estimate(law, point.rate_per_s)
        if found is not None and point.latency_s.quantiles:
            unexplained.append(point.latency_s.at(50) - found.at(50))
    return max(0.0, min(unexplained, default=0.0))
