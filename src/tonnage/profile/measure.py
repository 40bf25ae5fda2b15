"""Makes a profile: starts the real server and the load generator, asks ``search`` what to offer next.

In order: how calm the machine is; start-ups in fresh processes; the model alone, by batch size; the server
around a model that computes nothing; then one server for all the rest (see ``driving``). The load comes from
CPUs that are not the server's wherever there are two. Nothing is decided here: what is done next is in
``plan`` and ``search``, what it means in ``conclude``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tonnage.contract.server_config import ServerConfig
from tonnage.loadgen.view import show_duration
from tonnage.profile.alone import Message, Order, measure_alone, memory_before_model
from tonnage.profile.conclude import Observed, conclude, file_facts
from tonnage.profile.cost import measure_cost
from tonnage.profile.driving import drive
from tonnage.profile.machine import (
    cpu_times,
    describe_machine,
    describe_versions,
    taken,
    timer_lag_p99_s,
)
from tonnage.profile.parts import ModelProfile
from tonnage.profile.plan import Cpus, MeasurePlan, share_cpus
from tonnage.profile.running import RunningServer, StartTimes, local_config, on_cpus

_STARTUP: Final = 0.02
_ALONE: Final = 0.15
_COST: Final = 0.32
_TRAFFIC: Final = 0.40


@dataclass(frozen=True, slots=True)
class Step:
    """Where measuring stands.

    Attributes:
        done: Share of the whole that is done, roughly; 0 to 1.
        text: What is done now, or what was found.
        found: Whether it is the latter.
    """

    done: float
    text: str
    found: bool = False


Tell = Callable[[Step], None]


def measure(plan: MeasurePlan, *, tell: Tell) -> ModelProfile:
    """Measure a service on this machine; blocks until it is done, and leaves no process behind.

    Args:
        plan: What and how thoroughly.
        tell: Told of each step, in this thread.

    Raises:
        ModelLoadError: The model does not load here, or raises on its requests.
        EnvironmentFault: A process died, or does not answer.
        KeyboardInterrupt: SIGINT came.
    """
    started_s = time.monotonic()
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    model = plan.config.model
    cpus = share_cpus(os.sched_getaffinity(0), wanted=(plan.config.workers or 1) * model.threads)
    machine = describe_machine(cpus)
    config = local_config(plan.config)
    with on_cpus(cpus.generator):
        times_before = cpu_times(cpus.server)
        tell(Step(0.0, "the machine's timers"))
        lag_s = timer_lag_p99_s(plan.depth.lag_s)
        starts = _starts(plan, config, cpus, tell)
        alone = _alone(plan, config, cpus, tell)
        tell(Step(_COST, "the server's own cost"))
        inline = starts[-1].inline
        fit = measure_cost(plan, alone, inline=inline, cpus=cpus.server)
        tell(Step(_TRAFFIC, "starting the server"))
        with RunningServer(config, cpus.server) as server:
            starts.append(server.wait_ready())
            driven = drive(
                plan,
                server,
                bodies=alone.bodies,
                batches=alone.measured,
                cpus=cpus,
                tell=lambda done, text, found: tell(Step(_TRAFFIC + (1 - _TRAFFIC) * done, text, found)),
            )
        steal_ratio, others_ratio = taken(times_before, cpu_times(cpus.server))
    before_model_bytes = memory_before_model()
    tell(Step(1.0, "done"))
    return conclude(
        plan,
        Observed(
            created=created,
            measured_s=time.monotonic() - started_s,
            machine=machine,
            versions=describe_versions(model.format),
            model_file=file_facts(Path(model.path)) if model.format != "python" else None,
            starts=tuple(starts),
            alone=alone,
            batches=alone.measured,
            driven=driven,
            fit=fit,
            before_model_bytes=before_model_bytes,
            steal_ratio=steal_ratio,
            others_ratio=others_ratio,
            clock_lag_p99_s=lag_s,
        ),
    )


def _starts(plan: MeasurePlan, config: ServerConfig, cpus: Cpus, tell: Tell) -> list[StartTimes]:
    """Start fresh servers one after the other; the first pays for cold files and counts for nothing."""
    depth = plan.depth
    starts: list[StartTimes] = []
    begun_s = time.monotonic()
    while len(starts) <= depth.startups or (
        len(starts) <= 2 * depth.startups and time.monotonic() - begun_s < depth.startup_s_max
    ):
        share = min(1.0, len(starts) / (depth.startups + 1))
        tell(Step(_STARTUP + (_ALONE - _STARTUP) * share, f"start-up {len(starts) + 1}"))
        with RunningServer(config, cpus.server) as server:
            starts.append(server.wait_ready())
    del starts[0]
    load_s = sorted(start.load_s for start in starts)[len(starts) // 2]
    tell(Step(_ALONE, f"the model loads in {show_duration(load_s)} (median of {len(starts)})", True))
    return starts


def _alone(plan: MeasurePlan, config: ServerConfig, cpus: Cpus, tell: Tell) -> Message:
    depth = plan.depth
    result = measure_alone(
        Order(
            config=config,
            sizes=plan.batch_sizes,
            batch_s=depth.batch_s,
            runs_min=depth.batch_runs_min,
            seed=plan.seed,
        ),
        cpus=cpus.server,
        on_done=lambda done: tell(Step(_ALONE + (_COST - _ALONE) * done, "batches of each size")),
    )
    batches = result.measured
    ends = [batches[0], *batches[1:][-1:]]
    text = ", ".join(f"of {one.size} in {show_duration(one.steady_s.at(50))}" for one in ends)
    tell(Step(_COST, f"it runs a batch {text}", True))
    return result
