"""Probes of the server's container.

The startup probe's budget comes from what was measured: a model that loads in 40 s is not given 5 minutes
to hang, and one that loads in 6 minutes is not killed in the sixth.
"""

from __future__ import annotations

import math
from typing import Final

from lightkube.models import core_v1

from tonnage.manifests.names import HTTP_PORT_NAME
from tonnage.profile import ModelProfile
from tonnage.spec.placement import STARTUP_FAILURES_WITHOUT_PROFILE, Probe, Probes, StartupProbe

READY_FACTOR: Final = 3.0
"""How much longer than the slowest measured start a start may take: a cold disk, a busy node."""
BUDGET_S_MIN: Final = 60.0
"""A shorter budget would gain nothing and lose a start to one hiccup."""


def startup_failures(probe: StartupProbe, profile: ModelProfile | None) -> int:
    """How often a startup probe may fail.

    Args:
        probe: The document's probe; what it says itself holds.
        profile: What was measured; None, or one without start-up times, for nothing.
    """
    if probe.failure_threshold is not None:
        return probe.failure_threshold
    if profile is None or profile.startup is None:
        return STARTUP_FAILURES_WITHOUT_PROFILE
    ready = profile.startup.ready_s
    slowest_s = ready.samples[-1] if ready.samples else ready.at(99)
    budget_s = max(READY_FACTOR * slowest_s, BUDGET_S_MIN)
    return math.ceil(budget_s / probe.period.seconds)


def startup_budget_s(probes: Probes, profile: ModelProfile | None) -> float:
    """Time from a container's start until it is killed for not having started [s]; 0 without the probe."""
    probe = probes.startup
    if probe is None:
        return 0.0
    return probe.initial_delay.seconds + startup_failures(probe, profile) * probe.period.seconds


def startup_probe(probes: Probes, profile: ModelProfile | None) -> core_v1.Probe | None:
    """The startup probe."""
    probe = probes.startup
    return _probe(probe, startup_failures(probe, profile), None) if probe is not None else None


def readiness_probe(probes: Probes) -> core_v1.Probe | None:
    """The readiness probe."""
    probe = probes.readiness
    return _probe(probe, probe.failure_threshold, probe.success_threshold) if probe is not None else None


def liveness_probe(probes: Probes) -> core_v1.Probe | None:
    """The liveness probe."""
    probe = probes.liveness
    return _probe(probe, probe.failure_threshold, None) if probe is not None else None


def _probe(probe: Probe, failures: int, successes: int | None) -> core_v1.Probe:
    """A probe in Kubernetes' form; what equals Kubernetes' default is written too, so that it can be read."""
    return core_v1.Probe(
        httpGet=core_v1.HTTPGetAction(path=probe.path, port=probe.port or HTTP_PORT_NAME),
        initialDelaySeconds=round(probe.initial_delay.seconds) or None,
        periodSeconds=round(probe.period.seconds),
        timeoutSeconds=round(probe.timeout.seconds),
        failureThreshold=failures,
        successThreshold=successes,
    )
