"""One pod on a process-backed node: started, probed, restarted, ended; what the kubelet does, in little.

Source: kubernetes pkg/kubelet (1.37): startup, readiness and liveness probes (prober/worker.go, followed by
``tonnage.local.probes``), restarts that back off from 10 s to 5 min, readiness in the status, and on deletion
the preStop hook and SIGTERM inside the grace period, then SIGKILL (kuberuntime_container.go, killContainer).
Init containers run first, one after the other; those that restart always are not known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from controlplane.environment import BadPod, command_of, environment_of
from controlplane.sandbox import Mount, Sandbox, first_process, tell
from tonnage.local.probes import BACKOFF_RESET_S, Kind, ProbeMachine, ProbeSettings, restart_backoff_s

TICK_S = 0.05
BACKOFF_S = 10.0
Report = Callable[[dict[str, Any]], Awaitable[bool]]
"""Takes the pod's status, and says whether that was possible; the API server may be away."""


@dataclass(slots=True)
class Outside:
    """What a pod needs of its node.

    Attributes:
        images: Name of an image, without tag, to the command that it runs.
        look_up: Data of ConfigMaps and Secrets of its namespace.
        mounts: Makes the folders of its volumes: pod to mounts by container.
        report: Sends its status.
        host_ip: The node's address.
        backoff_s: First wait before a restart; the kubelet's is 10 s.
    """

    images: Mapping[str, tuple[str, ...]]
    look_up: Callable[[str, str], Mapping[str, str]]
    mounts: Callable[[Mapping[str, Any]], Mapping[str, list[Mount]]]
    report: Report
    host_ip: str
    backoff_s: float = BACKOFF_S


@dataclass(slots=True)
class _Container:
    spec: Mapping[str, Any]
    process: subprocess.Popen[bytes] | None = None
    machine: ProbeMachine | None = None
    life: int = 0
    restarts: int = 0
    in_a_row: int = 0
    started_s: float = 0.0
    started_at: str = ""
    again_s: float = 0.0
    last: dict[str, Any] | None = None
    done: dict[str, Any] | None = None  # terminated for good
    waiting: str = "ContainerCreating"
    message: str = ""


@dataclass(slots=True)
class PodRun:
    """The life of one pod.

    Args:
        pod: Its object, as plain data.
        sandbox: Where its containers run.
        ip: Its address.
        outside: What it needs of its node.
    """

    pod: Mapping[str, Any]
    sandbox: Sandbox
    ip: str
    outside: Outside
    _containers: list[_Container] = field(default_factory=list)
    _initial: list[_Container] = field(default_factory=list)
    _told: dict[str, Any] | None = None
    _since: dict[str, tuple[str, str]] = field(default_factory=dict)
    _grace_s: float | None = None
    _started_at: str = ""

    def end(self, grace_s: float) -> None:
        """Begin its end; a second call may shorten its grace."""
        self._grace_s = grace_s

    def container_names(self) -> list[str]:
        """Its containers, those that only begin it first."""
        spec = self.pod["spec"]
        return [one["name"] for one in [*spec.get("initContainers", []), *spec["containers"]]]

    def life_of(self, name: str) -> tuple[int, bool]:
        """The last life of a container that began, from 1 (0 where none did), and whether it goes on."""
        for one in (*self._initial, *self._containers):
            if one.spec["name"] == name:
                return one.life, one.process is not None and one.process.poll() is None
        return 0, False

    def is_done(self, name: str) -> bool:
        """Whether a container has ended for good."""
        return any(one.done is not None for one in self._containers if one.spec["name"] == name)

    async def run(self) -> None:
        """Live until all containers are done, or the end that ``end`` began is over."""
        self._started_at = now_text()
        spec = self.pod["spec"]
        self._containers = [_Container(one) for one in spec["containers"]]
        initialized = await self._initialize(spec.get("initContainers", []))
        # a probe asks whether somebody answers, and not who; source: pkg/probe/http, InsecureSkipVerify
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            while initialized and self._grace_s is None and not all(one.done for one in self._containers):
                for one in self._containers:
                    await self._step(one, client)
                await self._tell()
                await asyncio.sleep(TICK_S)
            if self._grace_s is not None:
                await asyncio.gather(*(self._stop(one, client) for one in self._containers))
        while not await self._tell():
            await asyncio.sleep(1.0)

    async def _initialize(self, specs: list[Mapping[str, Any]]) -> bool:
        for spec in specs:
            one = _Container({key: value for key, value in spec.items() if "Probe" not in key})
            self._initial.append(one)
            while self._grace_s is None:
                self._start(one)
                while one.process is not None and one.process.poll() is None and self._grace_s is None:
                    await asyncio.sleep(TICK_S)
                if one.process is not None and one.process.poll() == 0:
                    break
                await asyncio.sleep(self.outside.backoff_s)
            else:
                return False
        return True

    async def _step(self, one: _Container, client: httpx.AsyncClient) -> None:
        now_s = time.monotonic()
        if one.done:
            return
        if one.process is None:
            if now_s >= one.again_s:
                self._start(one)
            return
        code = one.process.poll()
        if code is not None:
            self._on_exit(one, code, now_s)
            return
        assert one.machine is not None
        for kind in one.machine.due(now_s):
            ok = await self._probe(client, one, kind)
            one.machine.record(kind, ok, time.monotonic())
        if one.machine.restart is not None:
            one.message = one.machine.restart
            await self._stop(one, client)
            self._on_exit(one, one.process.returncode if one.process else 137, time.monotonic())

    def _start(self, one: _Container) -> None:
        spec = one.spec
        try:
            variables = environment_of(self.pod, spec, self.outside.look_up, self.ip, self.outside.host_ip)
            command = command_of(spec, self.outside.images.get(image_name(spec), ()), variables)
            security = {**self.pod["spec"].get("securityContext", {}), **spec.get("securityContext", {})}
            if security.get("runAsNonRoot") and not security.get("runAsUser"):
                security["runAsUser"] = (
                    65532  # what our image's user is; a real kubelet reads it from the image
                )
            mounts = self.outside.mounts(self.pod).get(spec["name"], [])
        except BadPod as error:
            one.waiting, one.message = "CreateContainerConfigError", str(error)
            one.again_s = time.monotonic() + 1.0
            return
        one.life += 1
        one.process = self.sandbox.start(
            spec, life=one.life, command=command, environment=variables, mounts=mounts, security=security
        )
        one.started_s, one.started_at = time.monotonic(), now_text()
        one.machine = ProbeMachine(probes_of(spec), one.started_s)
        one.message = ""

    def _on_exit(self, one: _Container, code: int, now_s: float) -> None:
        ran_s = now_s - one.started_s
        code = 128 - code if code < 0 else code
        ended = {
            "exitCode": code,
            "reason": "Completed" if code == 0 else "Error",
            "startedAt": one.started_at,
            "finishedAt": now_text(),
            "message": one.message,
        }
        one.process, one.machine = None, None
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never" or (policy == "OnFailure" and code == 0):
            one.done = ended
            return
        one.in_a_row = 0 if ran_s > BACKOFF_RESET_S else one.in_a_row
        one.again_s = now_s + restart_backoff_s(one.in_a_row, self.outside.backoff_s)
        one.in_a_row += 1
        one.restarts += 1
        one.last, one.waiting = ended, "CrashLoopBackOff"

    async def _stop(self, one: _Container, client: httpx.AsyncClient) -> None:
        process = one.process
        if process is None:
            return
        grace_s = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
        end_s = time.monotonic() + (grace_s if self._grace_s is None else self._grace_s)
        if self._grace_s is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pre_stop(one, client), max(0.0, end_s - time.monotonic()))
        tell(process, signal.SIGTERM)
        while process.poll() is None and time.monotonic() < end_s:
            await self._tell()
            await asyncio.sleep(TICK_S)
        if process.poll() is None:
            tell(process, signal.SIGKILL)
            while process.poll() is None:
                await asyncio.sleep(TICK_S)
        if self._grace_s is not None:
            one.done = {
                "exitCode": process.returncode if process.returncode >= 0 else 128 - process.returncode,
                "finishedAt": now_text(),
            }
            one.process, one.machine = None, None

    async def _pre_stop(self, one: _Container, client: httpx.AsyncClient) -> None:
        hook = one.spec.get("lifecycle", {}).get("preStop", {})
        if "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "httpGet" in hook:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(self._url(one.spec, hook["httpGet"]), timeout=30)
        elif "exec" in hook:
            await self._execute(one, hook["exec"]["command"], 30.0)

    async def _probe(self, client: httpx.AsyncClient, one: _Container, kind: Kind) -> bool:
        probe = one.spec[f"{kind.value}Probe"]
        timeout_s = float(probe.get("timeoutSeconds", 1))
        try:
            if "httpGet" in probe:
                answer = await client.get(
                    self._url(one.spec, probe["httpGet"]), timeout=timeout_s, follow_redirects=False
                )
                return 200 <= answer.status_code < 400
            if "tcpSocket" in probe:
                port = _port(one.spec, probe["tcpSocket"]["port"])
                _, writer = await asyncio.wait_for(asyncio.open_connection(self.ip, port), timeout_s)
                writer.close()
                return True
            return await self._execute(one, probe["exec"]["command"], timeout_s) == 0
        except (httpx.HTTPError, OSError, TimeoutError):
            return False

    async def _execute(self, one: _Container, command: list[str], timeout_s: float) -> int:
        first = first_process(one.process) if one.process is not None else None
        if first is None:
            return 1
        words = ["nsenter", f"--target={first}", "--mount", "--net", "--pid", "--root", "--wd", *command]
        process = await asyncio.create_subprocess_exec(
            *words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            return await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            process.kill()
            return 1

    def _url(self, spec: Mapping[str, Any], get: Mapping[str, Any]) -> str:
        host = get.get("host") or self.ip
        return (
            f"{get.get('scheme', 'HTTP').lower()}://{host}:{_port(spec, get['port'])}{get.get('path', '/')}"
        )

    async def _tell(self) -> bool:
        status = self._status()
        if status != self._told and await self.outside.report(status):
            self._told = status
        return status == self._told

    def _status(self) -> dict[str, Any]:
        states = [self._container_status(one) for one in self._containers]
        ready = bool(states) and all(one["ready"] for one in states)
        phase = "Running" if any(one.life for one in self._containers) else "Pending"
        # a deleted pod ends too, as one that failed or succeeded; source: kubelet_pods.go, getPhase (podIsTerminal)
        if states and all(one.done for one in self._containers):
            failed = any(one.done and one.done["exitCode"] for one in self._containers)
            phase = "Failed" if failed else "Succeeded"
        truth = {True: "True", False: "False"}
        wanted = {
            "PodReadyToStartContainers": True,
            "Initialized": True,
            "Ready": ready,
            "ContainersReady": ready,
        }
        conditions = [self._condition(kind, truth[holds]) for kind, holds in wanted.items()]
        conditions.append(self._condition("PodScheduled", "True"))
        return {
            "phase": phase,
            "hostIP": self.outside.host_ip,
            "hostIPs": [{"ip": self.outside.host_ip}],
            "podIP": self.ip,
            "podIPs": [{"ip": self.ip}],
            "startTime": self._started_at,
            "conditions": conditions,
            "containerStatuses": states,
        }

    def _condition(self, kind: str, status: str) -> dict[str, str]:
        known = self._since.get(kind)
        if known is None or known[0] != status:
            known = self._since[kind] = (status, now_text())
        return {"type": kind, "status": status, "lastTransitionTime": known[1]}

    def _container_status(self, one: _Container) -> dict[str, Any]:
        running = one.process is not None
        if one.done:
            state: dict[str, Any] = {"terminated": one.done}
        elif running:
            state = {"running": {"startedAt": one.started_at}}
        else:
            state = {"waiting": {"reason": one.waiting, "message": one.message}}
        status = {
            "name": one.spec["name"],
            "image": one.spec.get("image", ""),
            "imageID": one.spec.get("image", ""),
            "ready": bool(running and one.machine and one.machine.ready),
            "started": bool(running and one.machine and one.machine.started),
            "restartCount": one.restarts,
            "state": state,
        }
        if one.last:
            status["lastState"] = {"terminated": one.last}
        return status


def image_name(container: Mapping[str, Any]) -> str:
    """A container's image, without tag or digest."""
    image: str = container.get("image", "")
    return image.rpartition("@")[0] or image.rpartition(":")[0] or image


def probes_of(container: Mapping[str, Any]) -> dict[Kind, ProbeSettings]:
    """A container's probes, with the API's defaults filled."""
    found = {}
    for kind in Kind:
        probe = container.get(f"{kind.value}Probe")
        if probe is not None:
            found[kind] = ProbeSettings(
                path=probe.get("httpGet", {}).get("path", ""),
                initial_delay_s=float(probe.get("initialDelaySeconds", 0)),
                period_s=float(probe.get("periodSeconds", 10)),
                timeout_s=float(probe.get("timeoutSeconds", 1)),
                failure_threshold=int(probe.get("failureThreshold", 3)),
                success_threshold=int(probe.get("successThreshold", 1)),
            )
    return found


def now_text() -> str:
    """The time as Kubernetes writes it."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _port(container: Mapping[str, Any], port: int | str) -> int:
    if isinstance(port, int):
        return port
    for one in container.get("ports", []):
        if one.get("name") == port:
            return int(one["containerPort"])
    raise BadPod(f"port {port}: container {container['name']} must have it")
