"""One run of a pod's container: process, load, warm-up, serving, draining, end.

The stages before serving are work: they take their time at full CPU and longer with less (``set_rate``).
Whoever made the container is told of every change of stage, and of its end with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import numpy as np

from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.pod_life import PodLife
from tonnage.twin.serving import Serving
from tonnage.twin.state import PodState, Run

Stage = Literal["process", "loading", "warming", "serving", "draining", "ended"]
End = Literal["stopped", "crashed", "oom_killed", "cut"]

DRAIN_LOOK_S: Final = 0.05
"""How often a draining server is asked whether it is empty [s]."""
_WORK: Final[tuple[Stage, ...]] = ("process", "loading", "warming")


class Container:
    """A running container.

    Args:
        run: The run.
        serving: The requests.
        pod: Its pod.
        slot: The pod's slot.
        number: Which start of the pod's container it is, from 1.
        rng: The pod's own randomness.
        on_stage: Called after each change of stage but the last.
        on_end: Called once, with how and why it ended.

    Attributes:
        stage: What it does.
        started_s: When it began [s].
        serving_since_s: When it began to serve [s]; infinite before.
    """

    def __init__(
        self,
        run: Run,
        serving: Serving,
        pod: PodState,
        slot: int,
        number: int,
        rng: np.random.Generator,
        on_stage: Callable[[], None],
        on_end: Callable[[End, str], None],
    ) -> None:
        assert pod.template is not None
        self.number: Final = number
        self.started_s = run.now_s
        self.serving_since_s = math.inf
        self.stage: Stage = "process"
        self.life: Final[PodLife] = pod.template.life
        self._run, self._serving, self._pod, self._slot = run, serving, pod, slot
        self._server = pod.template.server
        self._rng = rng
        self._on_stage, self._on_end = on_stage, on_end
        self._tickets: list[Ticket] = []
        self._work: Ticket | None = None
        self._left_s = 0.0
        self._since_s = 0.0
        self._rate = 1.0
        self._speed = 1.0
        self._factor = 1.0
        self._fails_at_s: float | None = None
        self._cpu_s = 0.0
        self._cpu_at_s = run.now_s

    @property
    def speed(self) -> float:
        """How fast it serves; 1 as measured."""
        return self._speed / self._factor

    @property
    def memory_bytes(self) -> int:
        """What it uses [bytes]."""
        compute = self.life.compute
        return compute.memory_load_bytes if self.stage in _WORK else compute.memory_ready_bytes

    @property
    def cpu_wanted_cores(self) -> float:
        """What it would use beside its requests if it got it [cores]."""
        if self.stage == "ended":
            return 0.0
        return self.life.compute.cpu_start_cores if self.stage in _WORK else self.life.compute.cpu_idle_cores

    def cpu_s(self) -> float:
        """CPU time that it has used, requests not included [s]."""
        self._account()
        return self._cpu_s

    def begin(self) -> None:
        """Start the process."""
        self._begin_work("process", self.life.process_s.at(self._rng.random()))

    def begin_serving(self, started_s: float) -> None:
        """Serve at once, as one that started before the run [s]."""
        self.started_s = started_s
        self._serve()

    def set_rate(self, rate: float) -> None:
        """What share of the CPU that starting wants it gets (0 to 1]."""
        self._account()
        if rate == self._rate or self.stage not in _WORK:
            self._rate = rate
            return
        self._left_s -= (self._run.now_s - self._since_s) * self._rate
        self._rate = rate
        self._plan_work()

    def set_speed(self, speed: float) -> None:
        """How fast it serves, as its CPU allows (> 0); 1 as measured."""
        if speed == self._speed:
            return
        self._speed = speed
        if self.stage in ("serving", "draining"):
            self._serving.set_speed(self._slot, self.speed)

    def signal(self) -> None:
        """SIGTERM: a serving one drains; what is not serving yet ends at once."""
        if self.stage == "draining":
            return
        if self.stage != "serving" or not self.life.termination.drains:
            self.end("stopped", "SIGTERM")
            return
        self.stage = "draining"
        self._on_stage()
        self._later(self.life.termination.lame_duck_s, self._close)

    def end(self, how: End, why: str) -> None:
        """It is over; what it had is lost."""
        if self.stage == "ended":
            return
        self._account()
        was, self.stage = self.stage, "ended"
        for ticket in self._tickets:
            ticket.cancel()
        if self._work is not None:
            self._work.cancel()
        if was in ("serving", "draining"):
            lost = self._serving.kill(self._slot)
            if lost:
                self._run.note_pod(self._pod, "lost_requests", f"{lost} requests were lost: {why}")
        self._on_end(how, why)

    def _begin_work(self, stage: Stage, seconds: float) -> None:
        self._account()
        self.stage, self._left_s = stage, seconds
        self._plan_work()
        self._on_stage()

    def _plan_work(self) -> None:
        if self._work is not None:
            self._work.cancel()
        self._since_s = self._run.now_s
        self._work = self._run.engine.after(self._left_s / self._rate, Priority.CONTAINER, self._work_done)

    def _work_done(self) -> None:
        draw = self._rng.random
        if self._fails_at_s is not None:
            limit = self.life.compute.memory_limit_bytes
            self.end("oom_killed", f"the load needs more than the limit of {limit} bytes")
        elif self.stage == "process":
            self._run.note_pod(self._pod, "loading")
            self._begin_work("loading", self._load_s(self.life.load_s.at(draw())))
        elif self.stage == "loading":
            if draw() < self.life.crash.load_ratio:
                self.end("crashed", "the load failed")
                return
            self._run.note_pod(self._pod, "loaded")
            self._begin_work("warming", self.life.warmup_s.at(draw()))
        else:
            self._run.note_pod(self._pod, "warm")
            self._serve()

    def _load_s(self, seconds: float) -> float:
        """The load, or as much of it as the memory limit allows: memory is taken to grow evenly."""
        compute = self.life.compute
        limit = compute.memory_limit_bytes
        if limit is not None and compute.memory_load_bytes > limit:
            self._fails_at_s = seconds * limit / compute.memory_load_bytes
            return self._fails_at_s
        return seconds

    def _serve(self) -> None:
        self._account()
        compute = self.life.compute
        self.stage = "serving"
        self.serving_since_s = self._run.now_s
        limit = compute.memory_limit_bytes
        if limit is not None and compute.memory_ready_bytes > limit:
            self._later(0.0, lambda: self.end("oom_killed", f"it needs more than the limit of {limit} bytes"))
        factors = [factor for _, factor in self.life.slow_start] + [1.0]
        self._factor = factors[0]
        for (until_s, _), factor in zip(self.life.slow_start, factors[1:], strict=True):
            self._later(until_s, partial(self._set_factor, factor))
        self._serving.start(self._slot, self._server, self.speed)
        after_s = self.life.crash.after_ready_s
        if after_s is not None:
            self._later(after_s.at(self._rng.random()), lambda: self.end("crashed", "the process ended"))
        self._on_stage()

    def _account(self) -> None:
        now_s = self._run.now_s
        rate = self._rate if self.stage in _WORK else 1.0
        self._cpu_s += (now_s - self._cpu_at_s) * self.cpu_wanted_cores * rate
        self._cpu_at_s = now_s

    def _set_factor(self, factor: float) -> None:
        self._factor = factor
        self._serving.set_speed(self._slot, self.speed)

    def _close(self) -> None:
        self._serving.drain(self._slot)
        self._look_empty()

    def _look_empty(self) -> None:
        if self._serving.in_flight(self._slot) == 0:
            self.end("stopped", "drained")
        else:
            self._later(DRAIN_LOOK_S, self._look_empty)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        self._tickets = [ticket for ticket in self._tickets if ticket.waiting]
        self._tickets.append(self._run.engine.after(delay_s, Priority.CONTAINER, action))
