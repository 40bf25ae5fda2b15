"""How one replica serves: a profile's batches, the settings of the server, and what the user says instead.

Each field comes from the first of these that has it: what the Simulation says of the server, the
ModelService, our server's settings among the objects, those that the profile was measured with, a plain
server. Overheads hold a batch up where model and server share a core or run in one thread, as in planning.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeVar

from tonnage.contract.server_config import ServerConfig
from tonnage.plan.service_time import CORES_APART, gathered_size, in_server_ratio, pause_cost
from tonnage.profile import ModelProfile
from tonnage.profile.parts import Batch
from tonnage.profile.pauses import PauseCost
from tonnage.profile.quantiles import percentile_of
from tonnage.spec.experiment import ServerBehavior, ServiceTime
from tonnage.spec.service import ModelService
from tonnage.twin.requests import MeasuredService, ParametricService, ServerModel, ServiceLaw
from tonnage.units import Duration

T = TypeVar("T")

PLAIN_QUEUE_MAX: Final = 4096
_WORKERS_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """What is known of the server.

    Attributes:
        behavior: What the Simulation says; None for nothing.
        service: The ModelService; None for plain manifests.
        profile: What was measured; None for nothing.
        service_time_s: Time of a request in the model, from the command line [s]; None for nothing.
        cores: CPU limit of the container, which decides the workers of our server [> 0].
        config: Our server's settings among the objects; None where there are none.
    """

    behavior: ServerBehavior | None
    service: ModelService | None
    profile: ModelProfile | None
    service_time_s: float | None
    cores: float
    config: ServerConfig | None = None


def has_service_time(facts: ServingFacts) -> bool:
    """Whether the time of a batch is known."""
    said = facts.behavior is not None and facts.behavior.service_time is not None
    measured = facts.profile is not None and bool(facts.profile.batches)
    return said or measured or facts.service_time_s is not None


def server_model(facts: ServingFacts) -> ServerModel:
    """The model of a replica's server.

    Raises:
        SpecError: A value is out of what the twin can play.
        ValueError: No service time is known.
    """
    own = _own(facts)
    size_max = _said(facts, "size_max", own.size_max)
    workers = _said(facts, "workers", own.workers or _workers(facts.cores))
    law, measured = _law(facts)
    profile = facts.profile if measured else None
    per_batch_s, per_request_s = _overheads(profile, facts.cores / workers)
    gather_max = own.gather_max or (gathered_size(profile, size_max) if profile is not None else size_max)
    return ServerModel(
        service=law,
        size_max=size_max,
        gather_max=min(gather_max, size_max),
        wait_s_max=_said_s(facts, "wait_max", own.wait_s) if size_max > 1 else 0.0,
        queue_max=_said(facts, "queue_max", own.queue_max),
        deadline_s=_said_s(facts, "deadline", own.deadline_s),
        workers=workers,
        parallel=_said(facts, "parallel", 1),
        batch_overhead_s=per_batch_s,
        request_overhead_s=per_request_s,
        pause_cost=pause_cost(profile) if profile is not None else PauseCost(),
        cpu_s_by_size=_cpu_times(profile),
        warmup=_warmup(profile, size_max),
    )


def _said(facts: ServingFacts, name: str, default: T) -> T:
    value: T | None = getattr(facts.behavior, name, None)
    return default if value is None else value


def _said_s(facts: ServingFacts, name: str, default_s: float) -> float:
    said: Duration | None = getattr(facts.behavior, name, None)
    return default_s if said is None else said.seconds


@dataclass(frozen=True, slots=True)
class _Own:
    """What the server has been set to; a plain one where nothing tells.

    Attributes:
        size_max: Items in one batch at most, 1 without batching.
        gather_max: Items that are gathered; None where the server measures it at warm-up.
        queue_max: Requests that may wait.
        workers: Processes; None for as many as the CPU limit has whole cores.
        wait_s: How long an unfilled batch may be held [s].
        deadline_s: A request's time to answer where it names none [s]; infinite for none.
    """

    size_max: int = 1
    gather_max: int | None = None
    queue_max: int = PLAIN_QUEUE_MAX
    workers: int | None = 1
    wait_s: float = 0.0
    deadline_s: float = math.inf


def _own(facts: ServingFacts) -> _Own:
    """From the first of document, settings among the objects, and profile that there is."""
    if facts.service is not None:
        batching, deadline = facts.service.spec.batching, facts.service.deadline_default
        return _Own(
            batching.size_max if batching.enabled else 1,
            batching.gather_max,
            batching.queue_max,
            facts.service.spec.server.workers,
            batching.wait_max.seconds,
            deadline.seconds if deadline is not None else math.inf,
        )
    if facts.config is not None:
        config = facts.config
        return _Own(
            config.batching.size_max,
            config.batching.gather_max,
            config.batching.queue_max,
            config.workers,
            config.batching.wait_s_max,
            config.deadline_s_default or math.inf,
        )
    settings = facts.profile.settings if facts.profile is not None else None
    if settings is None:
        return _Own()
    return _Own(
        settings.size_max,
        None,  # what its warm-up chose holds for its own size_max only: gathered_size knows
        settings.queue_max,
        settings.workers,
        settings.wait_max_s,
        settings.deadline_s or math.inf,
    )


def _workers(cores: float) -> int:
    """Worker processes that our server takes by itself: as many as the CPU limit has whole cores.

    Source: ``tonnage.server.cpu``, the server's own rule for ``workers: null``.
    """
    return min(max(1, math.floor(cores)), _WORKERS_MAX)


def _law(facts: ServingFacts) -> tuple[ServiceLaw, bool]:
    """The time of a batch, and whether it was measured."""
    said = facts.behavior.service_time if facts.behavior is not None else None
    if said is not None:
        return _said_law(said), False
    if facts.service_time_s is not None:
        return ParametricService(item_s=facts.service_time_s), False
    if facts.profile is None or not facts.profile.batches:
        raise ValueError("a profile with batches or a service time is needed")
    return _measured(facts.profile.batches, in_server_ratio(facts.profile)), True


def _said_law(said: ServiceTime) -> ServiceLaw:
    if said.spread > 0:
        return ParametricService(
            item_s=said.per_item.seconds,
            batch_s=said.per_batch.seconds,
            shape="lognormal",
            variation=said.spread,
        )
    return ParametricService(item_s=said.per_item.seconds, batch_s=said.per_batch.seconds)


def _measured(batches: tuple[Batch, ...], ratio: float) -> MeasuredService:
    """Samples, or quantiles scaled to the mean, whatever was kept; a constant where only the mean was.

    Args:
        batches: As measured alone.
        ratio: How much longer they take in the server.
    """
    if all(batch.steady_s.samples for batch in batches):
        return MeasuredService.from_samples({batch.size: _samples(batch, ratio) for batch in batches})
    quantiles = {
        batch.size: {percentile_of(name): value for name, value in batch.steady_s.quantiles.items()}
        or {50.0: batch.steady_s.mean}
        for batch in batches
    }
    return MeasuredService.from_quantiles(
        quantiles, means={batch.size: batch.steady_s.mean * ratio for batch in batches}
    )


def _samples(batch: Batch, ratio: float) -> list[float]:
    """The kept samples, to the mean of all that were measured."""
    samples = batch.steady_s.samples or ()
    factor = ratio * batch.steady_s.mean * len(samples) / max(sum(samples), 1e-12)
    return [factor * one for one in samples]


def _overheads(profile: ModelProfile | None, cores_of_worker: float) -> tuple[float, float]:
    """What the server adds to a batch and to each of its requests [s]; nothing where it runs beside it."""
    if profile is None or profile.overhead is None:
        return 0.0, 0.0
    inline = profile.settings is not None and profile.settings.execution == "inline"
    if inline or cores_of_worker < CORES_APART:
        return profile.overhead.per_batch_s, profile.overhead.per_request_s
    return 0.0, 0.0


def _cpu_times(profile: ModelProfile | None) -> tuple[tuple[int, float], ...]:
    batches = profile.batches if profile is not None else ()
    return tuple((batch.size, batch.cpu_s) for batch in batches if batch.cpu_s is not None)


def _warmup(profile: ModelProfile | None, size_max: int) -> tuple[tuple[int, float], ...]:
    """What the server's warm-up would have measured: about the fastest of a few runs of each size."""
    batches = profile.batches if profile is not None else ()
    return tuple((batch.size, batch.steady_s.at(10)) for batch in batches if batch.size <= size_max)
