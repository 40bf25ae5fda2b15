"""Clients, network, control plane and objective of a Simulation, as the twin has them."""

from __future__ import annotations

import math
from typing import Any, Final

from tonnage.hpa import ControllerConfig
from tonnage.spec.experiment import Client, Control
from tonnage.spec.serving import Latency
from tonnage.spec.simulation import Goal
from tonnage.twin.control_times import ControlTimes
from tonnage.twin.requests import Balancing, ClientModel, RequestConfig
from tonnage.twin.scenario import Objective

_BALANCING: Final = {
    "random": Balancing.RANDOM,
    "roundRobin": Balancing.ROUND_ROBIN,
    "twoChoices": Balancing.TWO_CHOICES,
    "leastRequest": Balancing.LEAST_REQUEST,
    "connection": Balancing.CONNECTION,
}
_PERCENTILES: Final = (("p99", 99.0), ("p95", 95.0), ("p50", 50.0))


def objective_of(goal: Goal | None, service: Latency | None) -> Objective | None:
    """What must hold: the Simulation's goal, else the ModelService's latency; None where nothing is said.

    Args:
        goal: The Simulation's.
        service: The latency of the ModelService's objective.
    """
    error_ratio_max = float(goal.error_ratio_max) if goal is not None else 0.0
    for latency in (goal.latency if goal is not None else None, service):
        found = _percentile(latency) if latency is not None else None
        if found is not None:
            return Objective(*found, error_ratio_max)
    return None


def _percentile(latency: Latency) -> tuple[float, float] | None:
    """The highest percentile that is given, and its latency [s]."""
    for name, percentile in _PERCENTILES:
        if (value := getattr(latency, name)) is not None:
            return percentile, value.seconds
    return None


def client_of(said: Client) -> ClientModel:
    """Time-outs and retries."""
    backoff_s = said.backoff.seconds
    return ClientModel(
        timeout_s=said.timeout.seconds if said.timeout is not None else math.inf,
        retries_max=said.retries,
        backoff_s=backoff_s,
        backoff_s_max=max(1.0, backoff_s),
    )


def network_of(said: Client, beside_s: float = 0.0) -> RequestConfig:
    """Balancing and round trips.

    Args:
        said: What the Simulation says.
        beside_s: What a request takes beside network, queue and model, as the profile tells [s, >= 0].
    """
    return RequestConfig(
        balancing=_BALANCING[said.balancing],
        connections=said.connections,
        round_trip_s=said.round_trip.seconds + beside_s,
        jitter_s=said.jitter.seconds,
    )


def control_of(said: Control) -> ControlTimes:
    """Kubernetes' defaults, but for what is said."""
    flags = {
        "sync_period_s": said.sync_period,
        "downscale_stabilization_s": said.downscale_stabilization,
        "cpu_initialization_period_s": said.cpu_initialization_period,
        "initial_readiness_delay_s": said.initial_readiness_delay,
    }
    times = {
        "hpa_phase_s": said.first_sync,
        "node_monitor_grace_s": said.node_monitor_grace,
        "toleration_s": said.eviction_after,
        "node_removed_s": said.node_removed_after,
    }
    given: dict[str, Any] = {name: value.seconds for name, value in flags.items() if value is not None}
    if said.tolerance is not None:
        given["tolerance"] = float(said.tolerance)
    hpa = ControllerConfig(**given)
    return ControlTimes(
        hpa=hpa, **{name: value.seconds for name, value in times.items() if value is not None}
    )
