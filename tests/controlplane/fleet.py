"""Nodes with GPUs of several vendors, by the hundred, that KWOK keeps alive; pods on them run without processes.

Pods bound to such a node become Running at once. ``Fleet.end`` makes their containers end as a test wishes, and
a pod with the annotation ``RUNS_FOR`` (such as ``2s``) ends well by itself after that time.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from ruamel.yaml import YAML

from controlplane.api import Api, Plain
from controlplane.binaries import KWOK, program, sources
from controlplane.machines import CLASSES, MACHINES, Machine, node, slices
from controlplane.plane import ControlPlane, free_port, wait_until
from controlplane.program import Program

READY_S_MAX = 120.0
RUNS_FOR = "tonnage.test/runs-for"
QUICK = {"kube-controller-manager": {"kube-api-qps": "500", "kube-api-burst": "1000"}}
"""Settings of a control plane for many nodes: the controllers' usual 20 requests a second are a minute for 300."""
_AT_ONCE = 8
_STAGES = (
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/fast/pod-ready",
    "pod/fast/pod-delete",
)


class Fleet:
    """Nodes on one control plane; KWOK runs while the context is open.

    Args:
        plane: Where they join.
        typed: Whether nodes have a ``gpu-type``.

    Attributes:
        started_s: Seconds until KWOK answered.
    """

    def __init__(self, plane: ControlPlane, *, typed: bool = True) -> None:
        self._plane = plane
        self._typed = typed
        self._api = Api(plane)
        self._numbers = {kind: itertools.count() for kind in MACHINES}
        self.started_s = 0.0

    def __enter__(self) -> Fleet:
        port = free_port("127.0.0.1")
        config = self._plane.folder / "kwok.yaml"
        config.write_text("\n---\n".join(json.dumps(one) for one in _stages()))
        command = [
            str(program(KWOK)),
            f"--kubeconfig={self._plane.kubeconfig}",
            f"--config={config}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            "--cidr=10.128.0.0/10",
            f"--server-address=127.0.0.1:{port}",
        ]
        began = time.monotonic()
        self._program = Program("kwok", command, self._plane.folder)
        self._program.start(f"http://127.0.0.1:{port}/healthz")
        self.started_s = time.monotonic() - began
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._program.stop()

    def add(self, counts: Mapping[str, int]) -> float:
        """Let nodes join, and wait until the scheduler may use them.

        Args:
            counts: Kind of ``MACHINES`` to how many.

        Returns:
            Seconds that it took.

        Raises:
            TimeoutError: They were not ready within ``READY_S_MAX``.
        """
        began = time.monotonic()
        made = [(MACHINES[kind], next(self._numbers[kind])) for kind, count in counts.items() for _ in range(count)]
        if any(machine.devices for machine, _ in made):
            for one in CLASSES:
                self._api.apply(one)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda one: self._join(*one), made))
        names = {node(machine, number)["metadata"]["name"] for machine, number in made}
        if not wait_until(lambda: names <= self._ready(), READY_S_MAX, 0.25):
            raise TimeoutError(f"not ready after {READY_S_MAX:g} s: {sorted(names - self._ready())[:5]}")
        return time.monotonic() - began

    def end(self, pod: Plain, exit_code: int = 0) -> None:
        """Let all containers of a running pod end now."""
        meta, kind = pod["metadata"], "Error" if exit_code else "Completed"
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        terminated = {"exitCode": exit_code, "reason": kind, "startedAt": at, "finishedAt": at}
        states = [
            {"name": one["name"], "image": one["image"], "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": terminated}}
            for one in pod["spec"]["containers"]
        ]
        conditions = [
            {**one, "status": "False"} if one["type"] in ("Ready", "ContainersReady") else one
            for one in pod["status"].get("conditions", [])
        ]
        phase = "Failed" if exit_code else "Succeeded"
        status: dict[str, Any] = {"phase": phase, "containerStatuses": states, "conditions": conditions}
        self._api.patch("v1", "Pod", meta["name"], {"status": status}, meta["namespace"], "status")

    def _join(self, machine: Machine, number: int) -> None:
        self._api.create(node(machine, number, typed=self._typed))
        for one in slices(machine, number):
            self._api.create(one)

    def _ready(self) -> set[str]:
        return {
            one["metadata"]["name"]
            for one in self._api.find("v1", "Node")
            if any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", []))
            and not any(t["key"].startswith("node.kubernetes.io/") for t in one["spec"].get("taints", []))
        }


def _stages() -> list[Plain]:
    """What happens to nodes and pods: KWOK's own stages, and the end of a pod after ``RUNS_FOR``."""
    folder = sources(KWOK) / "kustomize" / "stage"
    yaml = YAML(typ="safe")
    found = [yaml.load(folder / f"{one}.yaml") for one in _STAGES]
    ends = yaml.load(folder / "pod/fast/pod-complete.yaml")
    key = f'.metadata.annotations["{RUNS_FOR}"]'
    expressions = [one for one in ends["spec"]["selector"]["matchExpressions"] if "ownerReferences" not in one["key"]]
    ends["spec"]["selector"]["matchExpressions"] = [*expressions, {"key": key, "operator": "Exists"}]
    ends["spec"]["delay"] = {"durationMilliseconds": 1000, "durationFrom": {"expressionFrom": key}}
    return [*found, ends]
