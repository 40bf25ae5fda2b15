"""A control plane with process-backed nodes, and ``tonnage train`` run against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from controlplane.binaries import NoGo
from controlplane.network import Network, NoNetwork
from controlplane.node import ProcessNode
from controlplane.plane import ControlPlane, wait_until
from lightkube import ApiError, Client, KubeConfig
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Event, Node, Pod, Service, ServiceAccount

from tonnage.cli.train import train
from tonnage.errors import TonnageError

GPU = "nvidia.com/gpu"
PROGRAM = "import sys; from tonnage.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class World:
    """All of it."""

    folder: Path
    plane: ControlPlane
    network: Network
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        config = KubeConfig.from_file(str(self.plane.kubeconfig)).get()
        self.client = Client(config=config, trust_env=False)

    def ready(self, nodes: int) -> None:
        """Wait for the nodes, and for what the namespace gets from the controllers."""
        assert wait_until(lambda: sum(map(_takes_pods, self.client.list(Node))) == nodes, 120)
        assert wait_until(lambda: _exists(self.client, ServiceAccount, "default"), 120)

    def document(self, name: str, script: str, **spec: Any) -> Path:
        """Write a TrainingJob whose workers run a shell script."""
        document = {
            "apiVersion": "tonnage.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": name},
            "spec": {
                "framework": "plain",
                "image": "trainer:v1",
                "command": ["sh", "-c", script],
                "workers": 2,
                "resources": {"cpu": "100m", "memory": "64Mi"},
                "security": {"user": 1000},
                "gracePeriod": "1s",
                **spec,
            },
        }
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(document))
        return path

    def run(self, *words: str, kubeconfig: Path | None = None) -> Done:
        """Run ``tonnage train`` in this process; errors become exit codes as in ``tonnage``'s own main."""
        where = ["--kubeconfig", str(kubeconfig or self.plane.kubeconfig)]
        result: Result = CliRunner().invoke(train, [*words, *where], prog_name="tonnage train")
        if isinstance(result.exception, TonnageError):
            return Done(result.exception.exit_code, result.stdout, result.stderr + str(result.exception))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start ``tonnage train`` as a process of its own."""
        command = [sys.executable, "-c", PROGRAM, "train", *words, "--kubeconfig", str(self.plane.kubeconfig)]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "NO_COLOR": "1"},
            # those who were started in the background ignore it, and their children would too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def left(self, name: str) -> list[str]:
        """All that the cluster still holds of a training."""
        labels = {"tonnage.dev/training-job": name}
        return [
            f"{kind.__name__}/{one.metadata.name}"
            for kind in (Job, Service, Pod)
            for one in self.client.list(kind, namespace="default", labels=labels)
        ]

    def remove(self, name: str) -> None:
        """Remove a training, whatever state it is in."""
        if self.left(name):
            assert self.run("cancel", name).code == 0
        assert wait_until(lambda: not self.left(name), 30)

    def user(self, name: str, rules: list[Mapping[str, Any]]) -> Path:
        """Make a user who may do what the rules say in namespace default; gives a kubeconfig."""
        from lightkube.resources.rbac_authorization_v1 import Role, RoleBinding

        metadata = {"name": name, "namespace": "default"}
        self.client.apply(Role.from_dict({"metadata": metadata, "rules": rules}), field_manager="test")
        subject = {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        reference = {"kind": "Role", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        binding = {"metadata": metadata, "subjects": [subject], "roleRef": reference}
        self.client.apply(RoleBinding.from_dict(binding), field_manager="test")
        return self.plane.kubeconfig_for(name, self.plane.cluster.issue(name, name=name))

    def events(self) -> list[str]:
        """What was said."""
        return [f"{one.reason}: {one.message}" for one in self.client.list(Event, namespace="default")]


@contextmanager
def standing(folder: Path, nodes: Callable[[ControlPlane, Network], Sequence[ProcessNode]]) -> Iterator[World]:
    """A world whose nodes take pods; the test is skipped where it cannot be.

    Args:
        folder: For its files.
        nodes: Makes the nodes.
    """
    try:
        with ExitStack() as stack:
            network = stack.enter_context(Network())
            plane = stack.enter_context(ControlPlane(folder / "plane", address=network.gateway))
            made = World(folder, plane, network)
            stack.callback(made.client.close)
            found = nodes(plane, network)
            for node in found:
                stack.enter_context(node)
            made.ready(len(found))
            yield made
    except (NoGo, NoNetwork) as reason:
        pytest.skip(str(reason))


def nodes_of(plane: ControlPlane, network: Network) -> list[ProcessNode]:
    """Two plain nodes, and one with two GPUs and the vendor's taint."""
    images = {"trainer": ["sh"]}
    taint = {"key": GPU, "value": "present", "effect": "NoSchedule"}
    return [
        ProcessNode(plane, network, "n1", images=images, backoff_s=1.0, pods_max=8),
        ProcessNode(plane, network, "n2", images=images, backoff_s=1.0, pods_max=8),
        ProcessNode(
            plane,
            network,
            "g1",
            images=images,
            backoff_s=1.0,
            pods_max=4,
            labels={"gpu-type": "t4"},
            capacity={GPU: "2"},
            taints=[taint],
        ),
    ]


def _exists(client: Client, kind: Any, name: str) -> bool:
    try:
        client.get(kind, name, namespace="default")
    except ApiError:
        return False
    return True


def _takes_pods(node: Node) -> bool:
    """Whether a node is ready, and the taint that it is made with is gone."""
    assert node.spec is not None
    assert node.status is not None
    ready = any(one.type == "Ready" and one.status == "True" for one in node.status.conditions or [])
    return ready and not any(one.key == "node.kubernetes.io/not-ready" for one in node.spec.taints or [])
