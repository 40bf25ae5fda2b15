"""The seam to the requests: the request world, brought up to now before every change and every reading."""

from __future__ import annotations

import dataclasses
import math

from tonnage.twin.engine import Engine
from tonnage.twin.requests import RequestWorld, ServerModel, SlotTotals, SlotWindow
from tonnage.twin.scenario import Scenario


class Serving:
    """Slots of the request world, by pod; a slot is used again when its pod is gone.

    Attributes:
        world: The request world; read its series through ``finish`` only.
    """

    def __init__(self, scenario: Scenario, engine: Engine) -> None:
        slo_s = scenario.objective.latency_s if scenario.objective else math.inf
        config = dataclasses.replace(scenario.network, interval_s=scenario.interval_s, slo_s=slo_s)
        self.world = RequestWorld(
            config, scenario.servers, scenario.traffic, scenario.client, seed=scenario.seed
        )
        self._engine = engine
        self._servers = scenario.servers
        self._batch_s = [_single_and_full_s(server) for server in scenario.servers]
        self._free: list[int] = []
        self._slots = 0
        self._now_s = 0.0

    def take_slot(self) -> int:
        """A free slot, the lowest one."""
        if self._free:
            self._free.sort(reverse=True)
            return self._free.pop()
        self._slots += 1
        return self._slots - 1

    def give_slot(self, slot: int) -> None:
        """Give a slot back; whoever was in it is gone."""
        self._free.append(slot)

    def start(self, slot: int, server: int, speed: float) -> None:
        """A pod can answer."""
        self._catch_up()
        self.world.start(slot, server, speed=speed)

    def drain(self, slot: int) -> None:
        """A pod takes nothing new."""
        self._catch_up()
        self.world.drain(slot)

    def kill(self, slot: int) -> int:
        """A pod's process is gone; how many requests that cost."""
        self._catch_up()
        return self.world.kill(slot) if self.world.is_serving(slot) else 0

    def route(self, slot: int, routed: bool) -> None:
        """Whether requests are sent to a slot."""
        self._catch_up()
        self.world.set_routed(slot, routed)

    def set_speed(self, slot: int, speed: float) -> None:
        """How fast a pod works."""
        self._catch_up()
        self.world.set_speed(slot, speed)

    def in_flight(self, slot: int) -> int:
        """Requests at a pod."""
        self._catch_up()
        return self.world.in_flight(slot)

    def read(self, slot: int) -> SlotWindow:
        """What a pod has done."""
        self._catch_up()
        return self.world.read_slot(slot)

    def totals(self, slot: int) -> SlotTotals:
        """What a pod has done since it started; moves no window."""
        self._catch_up()
        return self.world.totals(slot)

    def wait_s(self, slot: int, server: int, speed: float) -> float:
        """How long something that came now would wait behind the requests of a pod, about [s].

        Args:
            slot: The pod's slot.
            server: Its server model.
            speed: Its speed.

        Returns:
            The time of full batches of what is there; infinite when the queue is full.
        """
        model, (single_s, full_s) = self._servers[server], self._batch_s[server]
        there = self.in_flight(slot)
        if there >= model.queue_max * model.workers:
            return math.inf
        gathered = model.gather_max or model.size_max
        rounds, rest = divmod(there, gathered)
        # between a batch of one and a full one on a straight line
        share = (rest - 1) / (gathered - 1) if rest > 1 else 0.0
        rest_s = single_s + (full_s - single_s) * share if rest else 0.0
        return (rounds * full_s + rest_s) / (model.workers * model.parallel) / speed

    def advance(self, until_s: float) -> None:
        """Play requests up to a time that the engine has reached or will reach without any change."""
        if until_s > self._now_s:
            self.world.advance(until_s)
            self._now_s = until_s

    def _catch_up(self) -> None:
        self.advance(self._engine.now_s)


def _single_and_full_s(server: ServerModel) -> tuple[float, float]:
    """Mean time of a batch of one, and of a full one, overheads included [s]."""
    full = server.gather_max or server.size_max
    times = [
        server.service.mean_s(size) + server.batch_overhead_s + size * server.request_overhead_s
        for size in (1, full)
    ]
    return times[0], times[1]
