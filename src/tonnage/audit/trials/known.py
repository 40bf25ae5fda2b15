"""What a trial knows of the service beside its objects, and what it assumes where nobody said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tonnage.profile import ModelProfile
from tonnage.scheduling import Node
from tonnage.traffic import ArrivalProcess

SERVICE_S_ASSUMED: Final = 0.02
"""Time of a request where there is no profile [s]; about that of an image model."""
READY_S_ASSUMED: Final = 30.0
"""Time of a start where there is no profile [s]."""
GPU_READY_S_ASSUMED: Final = 120.0
"""Time of a start on a GPU where there is no profile [s]; Source: vllm#44881 (277 s), kserve#5062."""
LONGEST_S_ASSUMED: Final = 10.0
"""The longest request where there is no profile [s]."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the command line says.

    Attributes:
        profile: What was measured of the model; None for nothing.
        profile_text: The same as text, for the twin.
        service_time_s: Time of one request in the model, where there is no profile [s, > 0].
        traffic: Arrivals that go before those of a trial; None for none.
        traffic_text: How they were written.
        rate_per_s: Requests per second before anything happens; None takes what suits the replicas [> 0].
        meanings: What custom metrics are, by name: one of ``tonnage.twin.inputs.MEANINGS``.
        nodes: The nodes that there are; empty for not known.
        seed: Of all chance.
    """

    profile: ModelProfile | None = None
    profile_text: str = ""
    service_time_s: float | None = None
    traffic: ArrivalProcess | None = None
    traffic_text: str = ""
    rate_per_s: float | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    seed: int = 0

    @property
    def is_measured(self) -> bool:
        """Whether a profile says how long batches take."""
        return self.profile is not None and bool(self.profile.batches) and self.service_time_s is None

    @property
    def request_s(self) -> float:
        """Time of one request that waits for nobody, in the model [s]."""
        if self.is_measured and self.profile is not None:
            return self.profile.batches[0].steady_s.mean
        return self.service_time_s or SERVICE_S_ASSUMED

    @property
    def capacity_per_s(self) -> float:
        """What one replica carries [requests/s]; one request after the other where that was not measured."""
        capacity = self.profile.capacity if self.profile is not None else None
        if self.service_time_s is None and capacity is not None and capacity.sustainable_per_s:
            return capacity.sustainable_per_s
        return 1.0 / self.request_s

    @property
    def is_start_measured(self) -> bool:
        """Whether a profile says how long a start takes."""
        return self.profile is not None and self.profile.startup is not None
