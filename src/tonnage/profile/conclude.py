"""From everything that was seen to the profile: a pure function of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tonnage.profile.alone import Message
from tonnage.profile.driving import Driven
from tonnage.profile.in_server import in_server
from tonnage.profile.load_parts import Capacity, CurvePoint, Memory, Overhead
from tonnage.profile.objective import shown_objective
from tonnage.profile.overhead import Fit
from tonnage.profile.part import Distribution
from tonnage.profile.parts import (
    API_VERSION,
    KIND,
    Batch,
    Machine,
    Metadata,
    ModelIdentity,
    ModelProfile,
    Settings,
    Startup,
)
from tonnage.profile.plan import MeasurePlan
from tonnage.profile.running import StartTimes
from tonnage.profile.search import Found
from tonnage.profile.stability import judge

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that was seen.

    Attributes:
        created: When it began, RFC 3339 in UTC.
        measured_s: How long it took [s].
        machine: Where.
        versions: With what.
        model_file: Digest and size of the model's file; None where it is no file.
        starts: Each start of a fresh server.
        alone: The model by itself.
        batches: What its batches took.
        driven: The server under load.
        fit: The server's own cost; None where it could not be measured.
        before_model_bytes: Memory of a server's process without a model; None where that failed.
        steal_ratio: Share of CPU time that the hypervisor took; None where unknown.
        others_ratio: Share of the server's CPUs that other programs took; None where unknown.
        clock_lag_p99_s: How late timers are [s].
    """

    created: str
    measured_s: float
    machine: Machine
    versions: dict[str, str]
    model_file: tuple[str, int] | None
    starts: tuple[StartTimes, ...]
    alone: Message
    batches: tuple[Batch, ...]
    driven: Driven
    fit: Fit | None
    before_model_bytes: int | None
    steal_ratio: float | None
    others_ratio: float | None
    clock_lag_p99_s: float


def conclude(plan: MeasurePlan, seen: Observed) -> ModelProfile:
    """Put the profile together."""
    driven = seen.driven
    startup = _startup(seen.starts)
    curve = tuple(sorted(driven.points, key=lambda point: point.rate_per_s))
    stability = judge(
        batches=seen.batches,
        startup=startup,
        curve=curve,
        steal_ratio=seen.steal_ratio,
        others_ratio=seen.others_ratio,
        clock_lag_p99_s=seen.clock_lag_p99_s,
    )
    return ModelProfile(
        api_version=API_VERSION,
        kind=KIND,
        metadata=Metadata(name=plan.name, created=seen.created, measured_s=seen.measured_s),
        origin="measured",
        model=_identity(plan, seen),
        machine=seen.machine,
        versions=seen.versions,
        settings=_settings(plan, seen),
        startup=startup,
        batches=seen.batches,
        overhead=_overhead(plan, seen),
        after_idle=driven.after_idle,
        memory=Memory(
            before_model_bytes=seen.before_model_bytes,
            model_bytes=seen.alone.model_bytes,
            ready=driven.ready,
            after_traffic=driven.after_traffic,
            peak_bytes=driven.peak_bytes,
            accelerator_bytes=seen.alone.accelerator_bytes,
        ),
        capacity=_capacity(plan, driven, curve),
        curve=curve,
        stability=stability,
        notes=tuple(_notes(plan, seen, curve)),
    )


def file_facts(path: Path) -> tuple[str, int] | None:
    """SHA-256 in hexadecimal and size of a file [bytes]; None when it cannot be read."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError:
        return None
    return digest.hexdigest(), size


def _startup(starts: Sequence[StartTimes]) -> Startup:
    def of(name: str) -> Distribution:
        return Distribution.of([getattr(start, name) for start in starts], keep=True)

    return Startup(
        process_s=of("process_s"),
        load_s=of("load_s"),
        first_batch_s=of("first_batch_s"),
        warmup_s=of("warmup_s"),
        ready_s=of("ready_s"),
    )


def _identity(plan: MeasurePlan, seen: Observed) -> ModelIdentity:
    model = plan.config.model
    digest, size = seen.model_file if seen.model_file is not None else (None, None)
    return ModelIdentity(
        name=model.name,
        format=model.format,
        version=model.version,
        path=model.path if model.format == "python" else Path(model.path).name,
        sha256=digest,
        size_bytes=size,
        batches=seen.alone.takes_batches,
    )


def _settings(plan: MeasurePlan, seen: Observed) -> Settings:
    config = plan.config
    bodies = seen.alone.bodies
    return Settings(
        size_max=config.batching.size_max if seen.alone.takes_batches else 1,
        wait_max_s=config.batching.wait_s_max,
        gather_max=seen.driven.gather_max,
        queue_max=config.batching.queue_max,
        workers=config.workers or 1,
        threads=config.model.threads,
        execution="inline" if seen.driven.inline else "thread",
        deadline_s=config.deadline_s_default,
        providers=config.model.providers,
        payload=seen.alone.payload,
        payload_bytes=sum(len(body.encode()) for body in bodies) / len(bodies),
        seed=plan.seed,
        quick=plan.quick,
        step_s=plan.depth.step_s,
    )


def _overhead(plan: MeasurePlan, seen: Observed) -> Overhead | None:
    driven = seen.driven
    found = in_server(
        driven.points,
        seen.batches,
        driven.after_idle,
        seen.fit,
        workers=plan.config.workers or 1,
        idle_ratio=driven.idle_ratio,
    )
    if found.fit is None:
        return None
    return Overhead(
        per_request_s=found.fit.per_request_s,
        per_batch_s=found.fit.per_batch_s,
        idle_ratio=driven.idle_ratio,
        requests=found.fit.requests,
        batch_ratio=found.batch_ratio,
    )


def _capacity(plan: MeasurePlan, driven: Driven, curve: Sequence[CurvePoint]) -> Capacity:
    found = driven.found
    at = _at_sustainable(found, curve)
    return Capacity(
        objective=plan.objective,
        sustainable_per_s=found.sustainable_per_s,
        confirmed=found.confirmed,
        generator_limited=found.generator_limited,
        in_flight=at.in_flight if at is not None else None,
        p50_s=at.latency_s.at(50) if at is not None else None,
        p99_s=at.latency_s.at(99) if at is not None else None,
        reason=found.reason,
    )


def _notes(plan: MeasurePlan, seen: Observed, curve: Sequence[CurvePoint]) -> list[str]:
    notes: list[str] = []
    if seen.machine.shared:
        notes.append(
            "server and load generator shared the machine's only CPU: the sustainable rate is too low, and "
            "latencies are too long"
        )
    if len(seen.machine.cpus_server) < (plan.config.workers or 1) * plan.config.model.threads:
        notes.append(
            f"the server had {len(seen.machine.cpus_server)} CPU(s) for {plan.config.workers or 1} worker(s) "
            f"of {plan.config.model.threads} thread(s): one CPU was kept for the load generator"
        )
    if seen.alone.payload == "zeros":
        notes.append("the model refused random requests: zeros were sent; give a sample in spec.model.warmup")
    if seen.alone.open_inputs:
        names = ", ".join(seen.alone.open_inputs)
        notes.append(f"the length of {names} is open and was 1; give a sample in spec.model.warmup")
    if plan.quick:
        notes.append("measured in the short form: tails and the sustainable rate are rough")
    if seen.fit is None:
        notes.append("the server's own cost could not be measured: it lost requests to an empty model")
    elif not seen.fit.separate:
        notes.append(
            "the server's cost of a batch could not be told from that of its requests; all of it is in "
            "overhead.perRequestSeconds"
        )
    at = _at_sustainable(seen.driven.found, curve)
    if at is not None:
        broken = [one for one in plan.others if at.latency_s.at(one.percentile) > one.latency_s]
        notes += [
            f"at the sustainable rate the document's {shown_objective(one)} did not hold" for one in broken
        ]
    return notes


def _at_sustainable(found: Found, curve: Sequence[CurvePoint]) -> CurvePoint | None:
    """The run that says most of the sustainable rate: the one that confirmed it, else the longest."""
    same = [one for one in curve if one.rate_per_s == found.sustainable_per_s and one.held]
    return max(same, key=lambda one: (one.purpose == "confirm", one.requests or 0), default=None)
