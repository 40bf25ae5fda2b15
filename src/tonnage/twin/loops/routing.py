"""The EndpointSlice controller and the proxies: the balancer learns of a pod's change a little later."""

from __future__ import annotations

from collections.abc import Callable

from tonnage.twin.events import Priority
from tonnage.twin.loops.kubelets import Kubelets
from tonnage.twin.models.endpoints import Endpoint, routed
from tonnage.twin.serving import Serving
from tonnage.twin.state import PodState, Run, Topic


class Routing:
    """Which slots get requests.

    Args:
        run: The run.
        serving: The requests.
        kubelets: Where a pod's slot is known.

    Attributes:
        count: Pods that requests are sent to.
        on_change: Told when that has changed; set by who observes.
    """

    def __init__(self, run: Run, serving: Serving, kubelets: Kubelets) -> None:
        self._run, self._serving, self._kubelets = run, serving, kubelets
        self._slots: dict[str, int] = {}
        self._planned = False
        self.on_change: Callable[[], None] = _nobody
        run.watch(self._changed, Topic.POD_STATUS, Topic.POD_DELETED, Topic.POD_GONE)

    @property
    def count(self) -> int:
        """Pods that requests are sent to."""
        return len(self._slots)

    def settle(self) -> None:
        """Route what is ready now, for the beginning of a run."""
        self._apply(self._slice())

    def _changed(self, pod: PodState) -> None:
        if pod.other is None and not self._planned:
            self._planned = True
            delay_s = self._run.scenario.control.endpoints_s
            self._run.engine.after(delay_s, Priority.ENDPOINTS, self._write)

    def _write(self) -> None:
        self._planned = False
        slots = self._slice()
        proxy_s = self._run.scenario.control.proxy_s
        self._run.engine.after(proxy_s, Priority.ENDPOINTS, lambda: self._apply(slots))

    def _slice(self) -> dict[str, int]:
        pods = [
            Endpoint(pod.name, bool(pod.ready), pod.deleted_s is not None)
            for pod in self._run.own_pods()
            if pod.name in self._kubelets.replicas
        ]
        wanted = routed(pods)
        return {pod.name: self._kubelets.replicas[pod.name].slot for pod in pods if pod.name in wanted}

    def _apply(self, slots: dict[str, int]) -> None:
        for name in [name for name in self._slots if name not in slots]:
            self._serving.route(self._slots.pop(name), routed=False)
        for name, slot in slots.items():
            if name not in self._slots:
                self._slots[name] = slot
                self._serving.route(slot, routed=True)
        self.on_change()


def _nobody() -> None:
    """Nobody is told."""
