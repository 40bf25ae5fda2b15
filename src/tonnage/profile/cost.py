"""Measures the server's own cost: the real server around a model that computes nothing, under real load.

A real model's time would hide it: a model call of ten milliseconds that varies by one percent varies by more
than the server costs. Two servers are run: one that takes each request as a batch, one that waits for
company, so that a request's cost and a batch's can be told apart; CPU time is counted by the kernel, so
that a neighbour on the machine does not add to it.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final

import msgspec

from tonnage.contract.server_config import ModelConfig, ServerConfig
from tonnage.loadgen import LoadPlan, LoadRun, Target, infer_target, render_request, run_load
from tonnage.profile.alone import Message, Order, measure_alone
from tonnage.profile.overhead import Cost, Fit, fit_overhead
from tonnage.profile.plan import MeasurePlan
from tonnage.profile.quantiles import proportional
from tonnage.profile.running import HOST, RunningServer, local_config
from tonnage.traffic import PoissonArrivals

RATE_PER_S_FIRST: Final = 200.0
RATE_PER_S_MAX: Final = 12_000.0
"""What one generator offers without effort."""
CPU_RATIO: Final = 0.6
"""Share of one core that the runs shall take: a server that sleeps between requests pays for each waking, one
that is busy finds the next request waiting, and what a busy one costs is what decides what it carries."""
PROBE_S: Final = 0.4
TOGETHER_MAX: Final = 16
"""Items that the server which waits for company may gather."""
PROBES: Final = 3
"""Short runs from which that rate is found."""
_CONNECTIONS: Final = 64
_ALONE_S: Final = 0.15
_ALONE_RUNS_MIN: Final = 50


def measure_cost(plan: MeasurePlan, alone: Message, *, inline: bool, cpus: Collection[int]) -> Fit | None:
    """Measure what the server costs for a request and for a batch.

    Args:
        plan: The service, and how thoroughly.
        alone: The model's inputs, answer and requests.
        inline: Whether the real model runs in the event loop; this one then does too.
        cpus: CPUs of the server.

    Returns:
        The fit; None when requests failed.

    Raises:
        EnvironmentFault: A process died.
        KeyboardInterrupt: SIGINT came.
    """
    config = _config(plan, alone, inline=inline)
    together = min(TOGETHER_MAX, config.batching.size_max)
    model_s = _model_cpu_s(config, (1, together) if together > 1 else (1,), cpus)
    costs: list[Cost] = []
    rate = 0.0
    for size in dict.fromkeys((1, together)):
        # long enough for about twice the requests that the batch can hold
        wait_s = min(0.2, 2 * size / rate) if rate and size > 1 else 0.0
        batching = msgspec.structs.replace(config.batching, size_max=size, wait_s_max=wait_s)
        with RunningServer(msgspec.structs.replace(config, batching=batching), cpus) as server:
            server.wait_ready()
            rate = rate or _rate(server, alone, plan)
            for share in (1.0, 0.85, 0.7):
                cost = _run(plan, server, alone, rate * share, model_s)
                if cost is None:
                    return None
                costs.append(cost)
    return fit_overhead(costs)


def _config(plan: MeasurePlan, alone: Message, *, inline: bool) -> ServerConfig:
    model = ModelConfig(
        name=plan.config.model.name,
        version=plan.config.model.version,
        format="python",
        path="tonnage.profile.echo:Echo",
        inputs=alone.inputs,
        outputs=alone.outputs or None,
        options={"answer": msgspec.to_builtins(alone.answer), "batches": alone.takes_batches},
    )
    batching = plan.config.batching
    if not alone.takes_batches:
        batching = msgspec.structs.replace(batching, size_max=1)
    config = msgspec.structs.replace(
        plan.config,
        model=model,
        batching=batching,
        workers=1,
        deadline_s_default=None,
        execution="inline" if inline else "thread",
    )
    return local_config(config)


def _model_cpu_s(config: ServerConfig, sizes: tuple[int, ...], cpus: Collection[int]) -> dict[float, float]:
    """CPU time of a batch of this model, assembly included, which counts as the model's [s by size]."""
    order = Order(config=config, sizes=sizes, batch_s=_ALONE_S, runs_min=_ALONE_RUNS_MIN, seed=0)
    measured = measure_alone(order, cpus=cpus, on_done=lambda _: None).measured
    return {float(batch.size): batch.cpu_s or 0.0 for batch in measured}


def _rate(server: RunningServer, alone: Message, plan: MeasurePlan) -> float:
    """The rate at which the server is about as busy as it shall be [1/s]."""
    rate = RATE_PER_S_FIRST
    for _ in range(PROBES):
        before = server.settled()
        _load(plan, server, alone, rate, PROBE_S)
        after = server.settled()
        busy = (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s)
        rate = min(RATE_PER_S_MAX, rate * min(10.0, CPU_RATIO / max(busy, 0.01)))
    return rate


def _target(server: RunningServer, plan: MeasurePlan) -> Target:
    return infer_target(Target(HOST, server.port), plan.config.model.name)


def _load(
    plan: MeasurePlan, server: RunningServer, alone: Message, rate_per_s: float, duration_s: float
) -> LoadRun:
    target = _target(server, plan)
    headers = [("Content-Type", "application/json")]
    requests = tuple(
        render_request(target, method="POST", headers=headers, body=body.encode()) for body in alone.bodies
    )
    run = run_load(
        LoadPlan(
            target=target,
            requests=requests,
            arrivals=PoissonArrivals(rate_per_s, duration_s),
            seed=plan.seed,
            connections=_CONNECTIONS,
            connections_max=_CONNECTIONS,
        )
    )
    if run.result.interrupted:
        raise KeyboardInterrupt
    return run


def _run(
    plan: MeasurePlan, server: RunningServer, alone: Message, rate_per_s: float, model_s: dict[float, float]
) -> Cost | None:
    before = server.settled()
    time.sleep(plan.depth.cost_s / 4)
    idle = server.settled()
    run = _load(plan, server, alone, rate_per_s, plan.depth.cost_s)
    after = server.settled()
    batches, items = int(after.batches - idle.batches), after.items - idle.items
    if run.result.succeeded != run.records.requests or not batches:
        return None
    idle_ratio = (idle.cpu_s - before.cpu_s) / (idle.at_s - before.at_s)
    cpu_s = after.cpu_s - idle.cpu_s - idle_ratio * (after.at_s - idle.at_s)
    return Cost(cpu_s - batches * proportional(model_s, items / batches), run.result.succeeded, batches)
