"""One pod of the workload as its kubelet has it: pull, start, probe, restart, end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tonnage.twin.engine import Ticket
from tonnage.twin.events import Priority
from tonnage.twin.loops.container import Container, End
from tonnage.twin.loops.probing import ProbeWorker
from tonnage.twin.models import kubelet
from tonnage.twin.models.kubelet import BackOff
from tonnage.twin.models.prober import ProbeKind
from tonnage.twin.pod_life import PodLife, Probe
from tonnage.twin.serving import Serving
from tonnage.twin.state import NodeState, Phase, PodState, Run, Topic

BEFORE_THE_RUN_S: Final = -3600.0
"""When pods that are there at time 0 started [s]."""


class Replica:
    """A pod on its node.

    Args:
        run: The run.
        serving: The requests.
        pod: Its object.
        node: Its node.
        slot: Its slot in the request world.
        on_demand: Called when its demand for CPU or memory changed.
        on_gone: Called when its object is to go.

    Attributes:
        pod: Its object.
        slot: Its slot.
        container: The present or last container; None before the first.
        deleting: Whether its kubelet knows of its deletion.
    """

    def __init__(
        self,
        run: Run,
        serving: Serving,
        pod: PodState,
        node: NodeState,
        slot: int,
        on_demand: Callable[[Replica], None],
        on_gone: Callable[[Replica], None],
    ) -> None:
        assert pod.template is not None
        self.pod, self.node, self.slot = pod, node, slot
        self.life: Final[PodLife] = pod.template.life
        self.container: Container | None = None
        self.deleting = False
        self._run, self._serving = run, serving
        self._on_demand, self._on_gone = on_demand, on_gone
        self._rng = run.rng("pod", pod.number)
        self._tickets: list[Ticket] = []
        self._workers: dict[ProbeKind, ProbeWorker] = {}
        self._back_off: BackOff | None = None
        self._startup_passed = False
        self._ending = False
        self._written: tuple[Phase, bool] | None = None

    # -- what probes see

    @property
    def container_number(self) -> int:
        """Which container there is; 0 for none yet."""
        return self.container.number if self.container else 0

    @property
    def running_s(self) -> float | None:
        """How long the container has been running [s]; None when it is not."""
        if self.container is None or self.container.stage == "ended":
            return None
        return self._run.now_s - self.container.started_s

    @property
    def started(self) -> bool:
        """Whether the startup probe has passed, or there is none."""
        return self.life.startup is None or self._startup_passed

    def answer(self, probe: Probe) -> tuple[bool, float]:
        """Whether a probe passes now, and after how long that is known [s]."""
        assert self.container is not None
        stage = self.container.stage
        endpoint = self.life.endpoint(probe.endpoint)
        if stage in ("process", "ended"):
            return False, 0.0
        answers = {
            "loading": endpoint.while_loading,
            "warming": endpoint.while_warming,
            "draining": endpoint.while_draining,
        }
        answer = answers.get(stage, "success")
        if answer == "refused":
            return False, 0.0
        wait_s = endpoint.answer_s
        if endpoint.shares_queue and stage in ("serving", "draining"):
            assert self.pod.template is not None
            wait_s += self._serving.wait_s(self.slot, self.pod.template.server, self.container.speed)
        return answer == "success", wait_s

    def is_steady(self, probe: Probe) -> bool:
        """Whether the answer stays what it is until the pod changes."""
        serving = self.container is not None and self.container.stage in ("serving", "draining")
        return not (serving and self.life.endpoint(probe.endpoint).shares_queue)

    # -- its life

    def arrive(self) -> None:
        """The kubelet sees the pod for the first time."""
        self.pod.start_time_s = float(int(self._run.now_s))
        self._make_workers()
        for worker in self._workers.values():
            worker.begin()
        self._publish()
        self._pull()

    def arrive_serving(self) -> None:
        """The pod has been serving since long before the run."""
        pod = self.pod
        pod.start_time_s = pod.ready_since_s = pod.created_s = pod.ready_at_s = BEFORE_THE_RUN_S
        pod.phase, pod.ready = "Running", True
        self._written = ("Running", True)
        self._startup_passed = True
        self.node.images.setdefault(self.life.image, 0.0)
        self.container = self._new_container()
        self._make_workers()
        self.container.begin_serving(BEFORE_THE_RUN_S)
        for worker in self._workers.values():
            worker.assume(True)
            worker.wake()

    def delete(self) -> None:
        """The kubelet sees the deletionTimestamp."""
        self.deleting = True
        for kind in ("startup", "liveness"):
            if kind in self._workers:
                self._workers[kind].stop()
        if self.container is None or self.container.stage == "ended":
            self._forget_plans()
            self._finish()
        elif not self._ending:
            self._end_container(self.pod.grace_s, "the pod is deleted")

    def cut(self, why: str) -> None:
        """Everything stops at once, and nobody is there to act."""
        self._forget_plans()
        for worker in self._workers.values():
            worker.stop()
        if self.container is not None:
            self.container.end("cut", why)

    def revive(self) -> None:
        """The node is back: its kubelet starts the container anew, or ends what was deleted meanwhile."""
        self._back_off = None
        self._ending = False
        if self.pod.deleted_s is not None:
            self.deleting = True
            self._finish()
            return
        self._publish()
        self._make_workers()
        for worker in self._workers.values():
            worker.begin()
        if self.container is not None:
            self.pod.restarts += 1
        self._pull()

    def crash(self, how: End, why: str) -> None:
        """The container ends by itself or by the kernel's hand."""
        if self.container is not None:
            self.container.end(how, why)

    # -- steps

    def _pull(self) -> None:
        now_s = self._run.now_s
        image = self.life.image
        there_s = self.node.images.get(image)
        if there_s is None:
            pull_s = self.life.image_pull_s.at(self._rng.random())
            there_s = self.node.images[image] = now_s + pull_s
            if pull_s > 0:
                self._run.note_pod(self.pod, "pulling", f"image {image}, {pull_s:.1f} s")
        wait_s = max(0.0, there_s - now_s)
        create_s = self.life.container_start_s.at(self._rng.random())
        self._after(wait_s + create_s, Priority.CONTAINER, self._start)

    def _start(self) -> None:
        self._startup_passed = False
        self._ending = False
        self.container = self._new_container()
        self._run.note_pod(self.pod, "restarted" if self.pod.restarts else "started")
        self.container.begin()
        self._publish()
        if self.started and "readiness" in self._workers:
            self._after(self._run.scenario.control.status_s, Priority.PROBE, self._trigger_readiness)

    def _new_container(self) -> Container:
        number = self.container_number + 1
        return Container(
            self._run, self._serving, self.pod, self.slot, number, self._rng, self._staged, self._ended
        )

    def _staged(self) -> None:
        for worker in self._workers.values():
            worker.wake()
        self._on_demand(self)

    def _ended(self, how: End, why: str) -> None:
        ended_s = self._run.now_s
        if how == "cut":
            self._on_demand(self)
            return
        if how in ("crashed", "oom_killed"):
            self._run.note_pod(self.pod, "crashed" if how == "crashed" else "oom_killed", why)
        self._forget_plans()
        self._on_demand(self)
        if self.deleting:
            self._finish()
            return
        self._publish()
        at_s = kubelet.may_start_at(self._back_off, ended_s, self._run.scenario.control)
        if at_s > ended_s:
            detail = f"back-off {at_s - ended_s:g} s restarting failed container"
            self._run.note_pod(self.pod, "back_off", detail)
        self._at(at_s, Priority.KUBELET, lambda: self._restart(ended_s))

    def _restart(self, ended_s: float) -> None:
        times = self._run.scenario.control
        self._back_off = kubelet.restarted(self._back_off, ended_s, self._run.now_s, times)
        self.pod.restarts += 1
        self._pull()

    def _end_container(self, grace_s: float, why: str) -> None:
        assert self.container is not None
        self._ending = True
        ending = kubelet.ending(self.life.termination, grace_s)
        self._after(ending.signal_s, Priority.CONTAINER, lambda: self._signal(why))
        self._after(ending.kill_s, Priority.CONTAINER, lambda: self._sigkill(ending.kill_s))

    def _signal(self, why: str) -> None:
        assert self.container is not None
        self._run.note_pod(self.pod, "signalled", why)
        self.container.signal()

    def _sigkill(self, after_s: float) -> None:
        assert self.container is not None
        self.container.end("stopped", f"SIGKILL after {after_s:g} s")

    def _finish(self) -> None:
        """The containers are gone: so will be the object."""
        for worker in self._workers.values():
            worker.stop()
        self._run.engine.after(
            self._run.scenario.control.status_s, Priority.STATUS, lambda: self._on_gone(self)
        )

    # -- probes and status

    def _make_workers(self) -> None:
        kinds: tuple[tuple[ProbeKind, Probe | None], ...] = (
            ("startup", self.life.startup),
            ("liveness", self.life.liveness),
            ("readiness", self.life.readiness),
        )
        self._workers = {
            kind: ProbeWorker(self._run, kind, probe, self, self._stands, self._failed)
            for kind, probe in kinds
            if probe is not None
        }

    def _stands(self, kind: ProbeKind) -> None:
        standing = self._workers[kind].standing
        if kind == "readiness":
            self._publish()
        elif standing == "failure":
            self._kill_for(kind)
        elif kind == "startup":
            self._startup_passed = True
            self._run.note_pod(self.pod, "started_up")
            self._publish()
            self._trigger_readiness()
            if "liveness" in self._workers:
                self._workers["liveness"].wake()

    def _failed(self, kind: ProbeKind, times: str) -> None:
        probe = self._workers[kind].probe
        serving = self.container is not None and self.container.stage == "serving"
        # that a server which is loading is not ready yet says nothing
        if kind == "liveness" or serving:
            detail = f"{kind} probe of {probe.endpoint} failed, {times} of {probe.failure_threshold} in a row"
            self._run.note_pod(self.pod, "probe_failed", detail)

    def _kill_for(self, kind: ProbeKind) -> None:
        if self.container is None or self._ending or self.deleting:
            return
        probe = self._workers[kind].probe
        why = f"{kind} probe failed {probe.failure_threshold} times in a row"
        self._run.note_pod(self.pod, "killed", f"{why}, while {self.container.stage}")
        self._end_container(self.life.termination.grace_s, why)

    def _trigger_readiness(self) -> None:
        if "readiness" in self._workers and self.running_s is not None:
            self._workers["readiness"].trigger()

    def _publish(self) -> None:
        """Write the pod's status, after the time that takes."""
        running = self.running_s is not None
        ready = running and self.started
        if ready and "readiness" in self._workers:
            ready = self._workers["readiness"].standing == "success"
        phase: Phase = "Running" if self.container is not None else "Pending"
        if self._written == (phase, ready):
            return
        self._written = (phase, ready)
        status_s = self._run.scenario.control.status_s
        self._run.engine.after(status_s, Priority.STATUS, lambda: self._write(phase, ready))

    def _write(self, phase: Phase, ready: bool) -> None:
        pod = self.pod
        if pod.gone or not self.node.alive:
            return
        was = pod.ready
        pod.phase = phase
        if was != ready:
            pod.ready, pod.ready_since_s = ready, float(int(self._run.now_s))
            pod.ready_at_s = self._run.now_s if ready else None
            if ready or was:
                self._run.note_pod(pod, "ready" if ready else "unready", self._reason(ready))
        self._run.tell(Topic.POD_STATUS, pod)

    def _reason(self, ready: bool) -> str:
        if ready:
            return ""
        if self.running_s is None:
            return "its container ended"
        return "its readiness probe failed"

    def republish(self) -> None:
        """Write the status again, after somebody else has changed it."""
        self._written = None
        self._publish()

    # -- plans

    def _after(self, delay_s: float, priority: Priority, action: Callable[[], None]) -> None:
        self._at(self._run.now_s + delay_s, priority, action)

    def _at(self, time_s: float, priority: Priority, action: Callable[[], None]) -> None:
        self._tickets = [ticket for ticket in self._tickets if ticket.waiting]
        self._tickets.append(self._run.engine.at(time_s, priority, action))

    def _forget_plans(self) -> None:
        for ticket in self._tickets:
            ticket.cancel()
        self._tickets.clear()
