"""Writes down what the cluster does to a service: replicas wanted, there and ready, and what the HPA saw."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

from lightkube.models.autoscaling_v2 import MetricStatus

from cluster.world import World

PERIOD_S = 0.25


@dataclass(frozen=True, slots=True)
class Sight:
    """The service at one time.

    Attributes:
        at_s: Time since the load began [s].
        wanted: The Deployment's replicas, which the HPA sets.
        ready: Of them, ready.
        metrics: What the HPA saw last, by name, in the metric's unit.
        active: Reason of the HPA's condition ScalingActive.
    """

    at_s: float
    wanted: int
    ready: int
    metrics: dict[str, float]
    active: str


class Observer:
    """Looks several times a second while its context is open; only what differs from before is kept."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._begin_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sights: list[Sight] = []

    def __enter__(self) -> Observer:
        self._begin_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def elapsed_s(self) -> float:
        return time.monotonic() - self._begin_s

    def wait(self, holds: Callable[[Sight], bool], seconds_max: float) -> Sight | None:
        """The first sight from now on that fits; None when none did in time."""
        end_s = time.monotonic() + seconds_max
        first = max(0, len(self.sights) - 1)
        while time.monotonic() < end_s:
            for sight in self.sights[first:]:
                if holds(sight):
                    return sight
            time.sleep(PERIOD_S)
        return None

    def to_json(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.sights]

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(Exception):  # the API server may be away
                self._look()
            self._stop.wait(PERIOD_S)

    def _look(self) -> None:
        deployment, autoscaler = self._world.deployment(), self._world.autoscaler()
        assert deployment.spec is not None
        ready = (deployment.status.readyReplicas or 0) if deployment.status else 0
        status = autoscaler.status
        seen = dict(map(_value, (status.currentMetrics if status else None) or []))
        reasons = [one.reason or "" for one in (status.conditions if status else None) or [] if one.type == "ScalingActive"]
        sight = Sight(self.elapsed_s(), deployment.spec.replicas or 0, ready, seen, "".join(reasons))
        last = self.sights[-1] if self.sights else None
        if last is None or (last.wanted, last.ready, last.metrics, last.active) != (
            sight.wanted,
            sight.ready,
            sight.metrics,
            sight.active,
        ):
            self.sights.append(sight)


def _value(metric: MetricStatus) -> tuple[str, float]:
    assert metric.pods is not None
    text = str(metric.pods.current.averageValue)
    value = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
    return metric.pods.metric.name, value
