"""A cluster on which training jobs really run: control plane, DNS, process-backed nodes, one shared volume.

The nodes share one folder of this machine, which a PersistentVolume stands for; the controller manager binds the
job's claim to it. Pods have their own addresses, host names and users, and find each other by DNS alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from controlplane.api import Api, Plain, Refused
from controlplane.dns import ClusterDNS
from controlplane.network import Network
from controlplane.node import ProcessNode
from controlplane.plane import ControlPlane, wait_until
from lightkube import ApiError, Client, KubeConfig

from tonnage.spec.load import load_training_job
from tonnage.training import render

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "training"
JOB_LABEL = "tonnage.dev/training-job"
INDEX_LABELS = ("batch.kubernetes.io/job-completion-index", "training.kubeflow.org/replica-index")
START_S_MAX = 600.0


@dataclass(slots=True)
class Cluster:
    """The cluster, as the tests use it.

    Attributes:
        plane: The control plane.
        network: Where pods have their addresses.
        api: An administrator's client.
        client: Another, for logs.
        shared: The folder that all nodes share.
    """

    plane: ControlPlane
    network: Network
    api: Api
    client: Client
    shared: Path

    def volume(self, claim: Path) -> Path:
        """Apply a claim and a volume that fits it; returns the volume's folder."""
        wanted = yaml.safe_load(claim.read_text())
        name = wanted["metadata"]["name"]
        folder = self.shared / name
        folder.mkdir()
        everywhere = [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}]
        spec = {
            "capacity": {"storage": wanted["spec"]["resources"]["requests"]["storage"]},
            "accessModes": wanted["spec"]["accessModes"],
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": everywhere}},
            "claimRef": {"namespace": "default", "name": name},
        }
        self.api.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
        self.api.apply(wanted)
        return folder

    def tonnage(self, *words: str, check: bool = True) -> str:
        """What ``tonnage train`` prints."""
        program = [sys.executable, "-m", "tonnage", "train"]
        command = [*program, *words, "--kubeconfig", str(self.plane.kubeconfig)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self, name: str) -> Plain:
        """What ``tonnage train status`` says."""
        found: Plain = json.loads(self.tonnage("status", name, "--json"))
        return found

    def submit(self, document: Path, **changes: Any) -> None:
        """Apply what our renderer makes of an example, with some fields of its spec changed.

        Args:
            document: The example's ``job.yaml``.
            changes: Fields of ``spec``.
        """
        job = load_training_job(document)
        if changes:
            job = type(job).model_validate({**job.to_document(), "spec": {**job.to_document()["spec"], **changes}})
        for one in render(job, backend="job", gang="none", namespace="default").objects:
            self.api.apply(one)

    def job(self, name: str) -> Plain:
        """The object that runs a job."""
        try:
            return self.api.get("batch/v1", "Job", name)
        except Refused:
            return self.api.get("kubeflow.org/v1", "PyTorchJob", name)

    def pods(self, name: str) -> list[Plain]:
        """The pods of a job, oldest first."""
        found = self.api.find("v1", "Pod", selector=f"{JOB_LABEL}={name}")
        return sorted(found, key=lambda one: one["metadata"]["creationTimestamp"])

    def worker(self, name: str, index: int) -> Plain:
        """The newest pod of a worker."""
        labels = [one["metadata"]["labels"] for one in self.pods(name)]
        numbers = [next(int(one[label]) for label in INDEX_LABELS if label in one) for one in labels]
        return [pod for pod, number in zip(self.pods(name), numbers, strict=True) if number == index][-1]

    def log(self, pod: Plain) -> str:
        """What a pod has logged, through the API server; empty where it has not begun."""
        try:
            return "\n".join(line.rstrip("\n") for line in self.client.log(pod["metadata"]["name"], namespace="default"))
        except ApiError:
            return ""

    def logs(self, name: str) -> str:
        """What all containers of a job have written, in all their lives, from the nodes' own files."""
        folder = self.plane.folder
        files = [
            (pod["metadata"]["name"], file)
            for pod in self.pods(name)
            for file in sorted(folder.glob(f"node-*/{pod['metadata']['uid']}/*.log"))
        ]
        return "\n".join(f"== {pod} {file.stem}\n{file.read_text(errors='replace')}" for pod, file in files)

    def processes(self, pod: Plain) -> dict[int, str]:
        """Processes in a pod: number here to command line."""
        address = pod["status"]["podIP"]
        namespace = next(key for key, value in self.network._namespaces.items() if value == address)
        found = {}
        for word in subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=True).stdout.split():
            with contextlib.suppress(OSError):
                found[int(word)] = Path(f"/proc/{word}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        return found

    def kill(self, pod: Plain, pattern: str) -> int:
        """SIGKILL to the one process of a pod whose command line fits; returns its number."""
        fitting = [number for number, words in self.processes(pod).items() if re.search(pattern, words)]
        assert len(fitting) == 1, self.processes(pod)
        os.kill(fitting[0], signal.SIGKILL)
        return fitting[0]

    def until(self, holds: Callable[[], Any], what: str, job: str, seconds_max: float = START_S_MAX) -> Any:
        """Wait until something holds, and return it; fails with all logs."""
        end_s = time.monotonic() + seconds_max
        while not (found := holds()):
            if time.monotonic() > end_s or self.failed(job):
                states = {one["metadata"]["name"]: one.get("status", {}) for one in self.pods(job)}
                raise AssertionError(f"{what}: not so\n{self.logs(job)}\n{states}\n{self.job(job).get('status')}")
            time.sleep(0.2)
        return found

    def failed(self, name: str) -> bool:
        """Whether the job has failed for good."""
        return self._has(name, "Failed")

    def succeeded(self, name: str) -> bool:
        """Whether the job is complete."""
        return self._has(name, "Complete", "Succeeded")

    def _has(self, name: str, *types: str) -> bool:
        conditions = self.job(name).get("status", {}).get("conditions", [])
        return any(one["type"] in types and one["status"] == "True" for one in conditions)


@contextlib.contextmanager
def cluster(
    folder: Path, *, nodes: int, cpu: str, contents: Mapping[str, Mapping[str, str]]
) -> Iterator[Cluster]:
    """A cluster while the context is open.

    Args:
        folder: For all that it keeps; empty.
        nodes: How many.
        cpu: What each of them has, so that workers have to spread.
        contents: Image, without tag, to its own folders: path in it to path here.
    """
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(Network())
        plane = stack.enter_context(ControlPlane(folder / "plane", address=network.gateway))
        dns = stack.enter_context(ClusterDNS(plane))
        for index in range(nodes):
            node = ProcessNode(plane, network, f"n{index}", pods_max=6, contents=contents, dns=dns.address, capacity={"cpu": cpu})
            stack.enter_context(node)
        shared = folder / "shared"
        shared.mkdir()
        api = Api(plane)
        assert wait_until(lambda: _ready(api) == nodes, 60.0), "nodes must become ready"
        client = Client(config=KubeConfig.from_file(str(plane.kubeconfig)).get(), trust_env=False)
        stack.callback(client.close)
        yield Cluster(plane, network, api, client, shared)


def _ready(api: Api) -> int:
    conditions = [one for node in api.find("v1", "Node", None) for one in node["status"].get("conditions", [])]
    return sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
