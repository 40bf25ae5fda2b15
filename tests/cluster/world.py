"""All of it: control plane, nodes, network, what ``tonnage render`` made, and the clients' machine.

Everything is as a user does it: manifests by ``tonnage render``, a Secret with a certificate that the given
authority vouches for, server-side apply, and nothing else. Pods are processes of this machine that run the real server and
the real metrics API from the environment of the tests; nobody but that metrics API tells the HPA anything.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import yaml
from controlplane.api import Api
from controlplane.network import Network, ip
from controlplane.node import ProcessNode
from controlplane.plane import ControlPlane, wait_until
from controlplane.sandbox import must_be_seen
from lightkube import ApiError, Client, KubeConfig
from lightkube.resources.apiregistration_v1 import APIService
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.resources.core_v1 import Namespace, Node, Pod, Secret, Service
from lightkube.types import PatchType

from cluster.service_network import ServiceNetwork

HERE = Path(__file__).parent
MODEL_FOLDER = HERE / "model"
NAME, NAMESPACE = "sleeper", "serving"
SYSTEM, METRICS_API, SECRET = "tonnage-system", "tonnage-metrics-api", "tonnage-metrics-api-tls"
APP = {"app.kubernetes.io/name": NAME}
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
FIRST_REPLICAS_S_MAX = 120.0
SYNC_S = 5.0
"""The HPA controller's period in the tests; it is 15 s by default."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is deployed.

    Attributes:
        document: A ModelService; ``[model]`` in it stands for the model's folder.
        profile: What was measured of it.
        control: Options of kube-controller-manager.
        nodes: How many nodes.
    """

    document: Path
    profile: Path
    control: Mapping[str, str]
    nodes: int = 3


class World:
    """Runs while its context is open.

    Args:
        folder: For all files; empty.
        inputs: What is deployed.

    Attributes:
        objects: File with what was rendered.
        api: For plain objects; it keeps what the API server warns of.
        client: For typed ones.
    """

    def __init__(self, folder: Path, inputs: Inputs) -> None:
        self.folder = folder
        self.inputs = inputs
        self.objects = folder / "objects.yaml"
        self.nodes: list[ProcessNode] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> World:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        must_be_seen(Path(sys.executable))
        here = Path(sys.executable).parent
        before = os.environ["PATH"]
        os.environ["PATH"] = f"{here}{os.pathsep}{before}"  # where pods find python and tonnage, as in an image
        self._stack.callback(os.environ.__setitem__, "PATH", before)
        network = self._stack.enter_context(Network())
        control = {"kube-controller-manager": self.inputs.control}
        plane = ControlPlane(self.folder / "plane", address=network.gateway, settings=control)
        self.plane = self._stack.enter_context(plane)
        for number in range(self.inputs.nodes):
            labels = {"topology.kubernetes.io/zone": f"zone-{number % 2}"}
            node = ProcessNode(plane, network, f"node-{number}", pods_max=8, labels=labels, backoff_s=1.0)
            self.nodes.append(self._stack.enter_context(node))
        self._stack.callback(lambda: [node.kill() for node in self.nodes])  # none has to end well
        self.clients = self._stack.enter_context(ServiceNetwork(plane, network, "node-0"))
        self.api = Api(plane)
        self.client = Client(config=KubeConfig.from_file(str(plane.kubeconfig)).get(), trust_env=False)
        self._stack.callback(self.client.close)

    def render(self) -> str:
        """What ``tonnage render`` makes of the document, the metrics API with it."""
        document = self.folder / "service.yaml"
        text = self.inputs.document.read_text().replace("[model]", f"[{MODEL_FOLDER}]")
        document.write_text(text)
        authority = str(self.plane.cluster.certificate)
        words = ["--profile", str(self.inputs.profile), "--metrics-api", "--ca-bundle", authority]
        made = tonnage("render", str(document), *words)
        self.objects.write_text(made)
        return made

    def deploy(self) -> None:
        """Apply what is rendered, and wait until both Deployments have their replicas."""
        for name in (NAMESPACE, SYSTEM):
            self.client.create(Namespace.from_dict({"metadata": {"name": name, "labels": RESTRICTED}}))
        self.put_pair(dt.timedelta(days=1))
        for value in yaml.safe_load_all(self.objects.read_text()):
            self.api.apply(value)
        assert wait_until(self._is_up, FIRST_REPLICAS_S_MAX, 0.25), self.story()

    def put_pair(self, life: dt.timedelta) -> None:
        """Make or change the Secret that holds the metrics API's certificate.

        Args:
            life: How long it holds; in the past when negative.
        """
        hosts = (f"{METRICS_API}.{SYSTEM}.svc",)
        pair = self.plane.cluster.issue(METRICS_API, name=METRICS_API, hosts=hosts, life=life)
        data = {"tls.crt": pair.certificate.read_text(), "tls.key": pair.key.read_text()}
        secret = {"metadata": {"name": SECRET, "namespace": SYSTEM}, "type": "kubernetes.io/tls", "stringData": data}
        try:
            self.client.create(Secret.from_dict(secret))
        except ApiError as error:
            if error.status.code != 409:
                raise
            self.client.patch(Secret, SECRET, {"stringData": data}, namespace=SYSTEM, patch_type=PatchType.MERGE)

    def _is_up(self) -> bool:
        return self.ready(METRICS_API, SYSTEM) == 2 and self.ready() >= 2 and self.url() != ""

    def url(self) -> str:
        """Where clients find the service; empty while it has no address."""
        spec = self.client.get(Service, NAME, namespace=NAMESPACE).spec
        assert spec is not None
        port = (spec.ports or [])[0].port
        return f"http://{spec.clusterIP}:{port}" if spec.clusterIP else ""

    def deployment(self, name: str = NAME, namespace: str = NAMESPACE) -> Deployment:
        return self.client.get(Deployment, name, namespace=namespace)

    def replicas(self) -> int:
        """How many replicas the HPA wants."""
        spec = self.deployment().spec
        assert spec is not None
        return spec.replicas or 0

    def ready(self, name: str = NAME, namespace: str = NAMESPACE) -> int:
        status = self.deployment(name, namespace).status
        return (status.readyReplicas or 0) if status else 0

    def rolled_out(self, name: str = NAME, namespace: str = NAMESPACE) -> bool:
        """Whether all pods are of the newest template, and ready."""
        found = self.deployment(name, namespace)
        assert found.status is not None
        assert found.spec is not None
        assert found.metadata is not None
        wanted, status = found.spec.replicas, found.status
        counts = (status.replicas, status.updatedReplicas, status.readyReplicas)
        return status.observedGeneration == found.metadata.generation and counts == (wanted,) * 3

    def autoscaler(self) -> HorizontalPodAutoscaler:
        return self.client.get(HorizontalPodAutoscaler, NAME, namespace=NAMESPACE)

    def condition(self, kind: str = "ScalingActive") -> tuple[str, str]:
        """Status and reason of a condition of the HPA."""
        status = self.autoscaler().status
        found = [one for one in (status.conditions if status else None) or [] if one.type == kind]
        return (found[0].status, found[0].reason or "") if found else ("", "")

    def available(self) -> list[str]:
        """Status of the APIServices of the metrics API."""
        found = []
        for version in ("v1beta2", "v1beta1"):
            service = self.client.get(APIService, f"{version}.custom.metrics.k8s.io")
            conditions = (service.status.conditions if service.status else None) or []
            found += [one.status for one in conditions if one.type == "Available"]
        return found

    def pods(self, name: str = NAME, namespace: str = NAMESPACE) -> list[Pod]:
        """Pods of a Deployment that are not being deleted, by name."""
        label = {"app.kubernetes.io/name": name}
        found = self.client.list(Pod, namespace=namespace, labels=label)
        living = [pod for pod in found if pod.metadata and pod.metadata.deletionTimestamp is None]
        return sorted(living, key=lambda pod: pod.metadata.name)

    def kill(self, pod: Pod) -> None:
        """``kill -9`` of the program in a pod's container, which is told by its network."""
        assert pod.status is not None
        addresses = json.loads((self.node_of(pod).folder / "settings.json").read_text())["addresses"]
        namespace = next(name for name, address in addresses.items() if address == pod.status.podIP)
        killed = 0
        for number in map(int, ip("netns", "pids", namespace).split()):
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            if Path(words[0].decode()).name.startswith(("python", "tonnage")):
                os.kill(number, signal.SIGKILL)
                killed += 1
        assert killed, f"no program in {namespace}"

    def node_of(self, pod: Pod) -> ProcessNode:
        """The node that runs a pod."""
        assert pod.spec is not None
        return next(node for node in self.nodes if node.name == pod.spec.nodeName)

    def node_list(self) -> Path:
        """The nodes as the API server has them, as a file."""
        nodes = []
        for one in self.client.list(Node):
            plain = {"apiVersion": "v1", "kind": "Node", **one.to_dict()}
            plain["metadata"].pop("managedFields", None)
            nodes.append(plain)
        path = self.folder / "nodes.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
        return path

    def story(self) -> str:
        """What can be said of a failure: pods, conditions, and the ends of the logs."""
        pods = [pod for namespace in (SYSTEM, NAMESPACE) for pod in self.client.list(Pod, namespace=namespace)]
        lines = [f"{pod.metadata.name}: {pod.status.to_dict() if pod.status else None}" for pod in pods]
        logs = [log for node in self.nodes for log in (node.folder / "node.log", *sorted(node.folder.glob("*/*.log")))]
        return "\n".join([*lines, *(f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in logs)])


def tonnage(*words: str, seconds_max: float = 180) -> str:
    """Run the command, and give what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tonnage", *words], capture_output=True, text=True, timeout=seconds_max, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
