"""One server under load: the search for what it carries, the curve below that, and its memory around both.

All load is open-loop and comes from the CPUs that this process has been put on. Between two runs the
server finishes what it holds, so that an overload does not count against the next rate.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tonnage.batching.service_times import BATCH_OVERHEAD_S
from tonnage.errors import ModelLoadError
from tonnage.loadgen import LoadPlan, LoadRun, Target, connections_for, infer_target, render_request, run_load
from tonnage.loadgen.view import show_duration
from tonnage.profile.load_parts import AfterIdle, CurvePoint, ProcessMemory
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch
from tonnage.profile.plan import CURVE_SHARES, PAUSES_S, Cpus, MeasurePlan
from tonnage.profile.processes import memory_of, peak_bytes
from tonnage.profile.running import HOST, RunningServer
from tonnage.profile.search import Found, SearchLimits, Trial, next_step
from tonnage.profile.trial import Judgement, curve_point, judge_run
from tonnage.profile.view import show_rate
from tonnage.traffic import ConstantArrivals, PoissonArrivals

REQUEST_S_GUESS: Final = 30e-6
"""What the server adds to a request, for the first guess of what it carries."""
GENERATOR_PER_S_MAX: Final = 15_000.0
"""Rate above which the load is shared among generator processes, where there are CPUs for them."""
RATE_MIN_SHARE: Final = 1 / 50
"""Lowest rate that is tried, over the first guess."""
CEILING_MIN_SHARE: Final = 0.1
"""... and over the highest rate that the user allows."""
TIMEOUT_S_MIN: Final = 2.0
CONNECTIONS_MAX: Final = 4096
_SPARE_FILES: Final = 128
PAUSED_MIN: Final = 40
"""Requests after pauses of one length, at least."""
_SEARCH_SHARE: Final = 0.6

Tell = Callable[[float, str, bool], None]
"""Told of the share of the driving that is done, of what is done now or was found, and whether the latter."""


@dataclass(frozen=True, slots=True)
class Driven:
    """What was seen of a server under load.

    Attributes:
        points: Every run that answered anything, in order.
        found: The end of the search.
        idle_ratio: CPU time over elapsed time without requests.
        after_idle: Requests after pauses, by ascending pause.
        inline: Whether the model runs in the event loop.
        gather_max: Items up to which the server gathers.
        ready: Memory before the first request.
        after_traffic: Memory after all runs.
        peak_bytes: Most memory at any time [bytes].
    """

    points: tuple[CurvePoint, ...]
    found: Found
    idle_ratio: float
    after_idle: tuple[AfterIdle, ...]
    inline: bool
    gather_max: int
    ready: ProcessMemory
    after_traffic: ProcessMemory
    peak_bytes: int


def drive(
    plan: MeasurePlan,
    server: RunningServer,
    *,
    bodies: tuple[str, ...],
    batches: tuple[Batch, ...],
    cpus: Cpus,
    tell: Tell,
) -> Driven:
    """Put a server that is ready under load.

    Args:
        plan: What must hold, and how thoroughly to look.
        server: The server.
        bodies: The requests' bodies.
        batches: What batches take alone, for the first guess.
        cpus: Who runs where.
        tell: Told of progress.

    Raises:
        ModelLoadError: The server does not answer its own kind of request with success.
        EnvironmentFault: The server or the generator died.
        KeyboardInterrupt: SIGINT came.
    """
    driver = _Driver(plan, server, bodies, cpus, tell)
    driver.check_answer()
    ready = memory_of(server.pids)
    before = server.settled()
    time.sleep(plan.depth.idle_s)
    after = server.settled()
    idle_ratio = (after.cpu_s - before.cpu_s) / (after.at_s - before.at_s)
    after_idle = driver.after_idle(idle_ratio, batches[0].steady_s.mean)
    found = driver.search(first_guess(batches, plan.config.workers or 1))
    driver.curve(found)
    server.settled()
    return Driven(
        points=tuple(driver.points),
        found=found,
        idle_ratio=idle_ratio,
        after_idle=after_idle,
        inline=server.inline,
        gather_max=server.gather_max,
        ready=ready,
        after_traffic=memory_of(server.pids),
        peak_bytes=peak_bytes(server.pids),
    )


def first_guess(batches: tuple[Batch, ...], workers: int) -> float:
    """What the server may carry, from what batches take alone [1/s].

    Args:
        batches: At least one.
        workers: Processes that share the port, >= 1.
    """
    item_s = min((batch.steady_s.mean + BATCH_OVERHEAD_S) / batch.size for batch in batches)
    return workers / (item_s + REQUEST_S_GUESS)


class _Driver:
    """Makes runs and adds up what they show."""

    def __init__(
        self, plan: MeasurePlan, server: RunningServer, bodies: tuple[str, ...], cpus: Cpus, tell: Tell
    ) -> None:
        self._plan = plan
        self._server = server
        self._cpus = cpus
        self._tell = tell
        self._runs = 0
        self._target = infer_target(Target(HOST, server.port), plan.config.model.name)
        headers = [("Content-Type", "application/json")]
        self._bodies = [body.encode() for body in bodies]
        self._requests = tuple(
            render_request(self._target, method="POST", headers=headers, body=body) for body in self._bodies
        )
        self.points: list[CurvePoint] = []

    def check_answer(self) -> None:
        """Ask once, so that a model that refuses its requests is told by its own words."""
        status, answer = self._server.post(self._target.path, self._bodies[0])
        if status == 200:
            return
        try:
            said = str(json.loads(answer)["error"])
        except (ValueError, KeyError, TypeError):
            said = answer[:200].decode(errors="replace")
        raise ModelLoadError(f"model: must answer its sample with 200, got {status or 'no answer'}: {said}")

    def after_idle(self, idle_ratio: float, model_s: float) -> tuple[AfterIdle, ...]:
        """Time requests that find the server idle, after pauses of several lengths.

        Args:
            idle_ratio: CPU time over elapsed time without requests, which is not theirs.
            model_s: About what one takes in the model [s].
        """
        found: list[AfterIdle] = []
        busy_s = model_s + REQUEST_S_GUESS
        # the longest first: what one takes is known when pauses are so short that requests could queue
        for pause_s in reversed(PAUSES_S):
            period_s = busy_s + pause_s
            count = max(PAUSED_MIN, int(self._plan.depth.pause_s / period_s))
            self._tell(0.0, f"requests after pauses of {show_duration(pause_s)}", False)
            before = self._server.settled()
            run = self._load(ConstantArrivals(1 / period_s, count * period_s))
            after = self._server.settled()
            batches = after.batches - before.batches
            if run.result.succeeded != run.records.requests or not batches:
                continue
            cpu_s = after.cpu_s - before.cpu_s - idle_ratio * (after.at_s - before.at_s)
            busy_s = max(model_s, cpu_s / run.records.requests)
            found.append(
                AfterIdle(
                    pause_s=max(0.0, (self._plan.config.workers or 1) * period_s - busy_s),
                    requests=run.records.requests,
                    compute_s=(after.compute_s - before.compute_s) / batches,
                    cpu_s=max(0.0, cpu_s / run.records.requests),
                    latency_s=Distribution.of(run.records.latency_s.tolist()),
                )
            )
        by_pause = {one.pause_s: one for one in found}
        return tuple(by_pause[pause_s] for pause_s in sorted(by_pause))

    def search(self, guess_per_s: float) -> Found:
        """Look for the highest rate that holds."""
        depth, ceiling = self._plan.depth, self._plan.rate_max_per_s
        rate_min = guess_per_s * RATE_MIN_SHARE
        limits = SearchLimits(
            start_per_s=guess_per_s,
            rate_max_per_s=ceiling,
            rate_min_per_s=rate_min if ceiling is None else min(rate_min, ceiling * CEILING_MIN_SHARE),
            tolerance=depth.tolerance,
            trials_max=depth.trials_max,
        )
        trials: list[Trial] = []
        while not isinstance(step := next_step(trials, limits), Found):
            factor = depth.confirm_factor if step.purpose == "confirm" else 1.0
            share = _SEARCH_SHARE * len(trials) / depth.trials_max
            judgement = self._run(step.rate_per_s, step.purpose, factor, share)
            if judgement.verdict == "generator_limited":  # something else may have taken its CPU for once
                judgement = self._run(step.rate_per_s, step.purpose, factor, share)
            trials.append(Trial(step.rate_per_s, step.purpose, judgement.verdict, judgement.reason))
        return step

    def curve(self, found: Found) -> None:
        """Measure latency at shares of what the server carries."""
        if found.sustainable_per_s is None:
            return
        for index, share in enumerate(CURVE_SHARES):
            done = _SEARCH_SHARE + (1 - _SEARCH_SHARE) * index / len(CURVE_SHARES)
            rate = share * found.sustainable_per_s
            self._run(rate, "curve", self._plan.depth.curve_factor, done)

    def _run(
        self, rate_per_s: float, purpose: Literal["search", "confirm", "curve"], factor: float, share: float
    ) -> Judgement:
        duration_s = self._plan.depth.duration_s(rate_per_s, self._plan.objective.latency_s, factor)
        kind = {"search": "searching", "confirm": "confirming", "curve": "curve"}[purpose]
        text = f"{kind}: {show_rate(rate_per_s)} for {duration_s:.3g} s"
        self._tell(share, text, False)
        before = self._server.settled()
        run = self._load(PoissonArrivals(rate_per_s, duration_s))
        after = self._server.settled()
        judgement = judge_run(run.records, run.result, self._plan.objective)
        point = curve_point(
            purpose=purpose,
            rate_per_s=rate_per_s,
            records=run.records,
            result=run.result,
            before=before,
            after=after,
            judgement=judgement,
        )
        if point is not None:
            self.points.append(point)
        if purpose != "curve":
            outcome = {"held": "held", "failed": "did not hold", "generator_limited": "says nothing"}
            reason = f": {judgement.reason}" if judgement.reason else ""
            self._tell(share, f"{show_rate(rate_per_s)} {outcome[judgement.verdict]}{reason}", True)
        elif point is not None:
            p50, p99 = (show_duration(point.latency_s.at(one)) for one in (50, 99))
            self._tell(share, f"at {show_rate(rate_per_s)} p50 {p50}, p99 {p99}", True)
        return judgement

    def _load(self, arrivals: PoissonArrivals | ConstantArrivals) -> LoadRun:
        rate_per_s = arrivals.rate_per_s
        latency_s = self._plan.objective.latency_s
        processes = min(len(self._cpus.generator), max(1, int(rate_per_s // GENERATOR_PER_S_MAX) + 1))
        # a slow answer must not keep the next request from its connection
        connections_max = max(connections_for(rate_per_s), int(2 * rate_per_s * latency_s))
        connections_max = min(connections_max, CONNECTIONS_MAX, self._plan.config.limits.connections_max - 8)
        connections_max = max(1, min(connections_max, _open_files_max() - _SPARE_FILES))
        self._runs += 1
        plan = LoadPlan(
            target=self._target,
            requests=self._requests,
            arrivals=arrivals,
            seed=self._plan.seed + self._runs,  # a chance that is bad for one run is not bad for all
            connections=min(connections_for(rate_per_s), connections_max),
            connections_max=connections_max,
            timeout_s=max(TIMEOUT_S_MIN, 2 * latency_s),
            processes=processes,
        )
        run = run_load(plan)
        if run.result.interrupted:
            raise KeyboardInterrupt
        return run


def _open_files_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20
