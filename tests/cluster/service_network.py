"""The clients' machine: a namespace of its own in which the real kube-proxy sends a Service's address to pods.

kube-proxy follows EndpointSlices and writes iptables rules, so that each connection goes to a ready pod chosen
by chance, as on any node; nothing of ours stands between the client and the pod. The rules live in the
namespace and touch nothing else of this machine. It is built from the pins in ``kubeproxy``, as the control
plane is, and needs Debian's ``iptables``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

from controlplane.binaries import built
from controlplane.network import Network, NoNetwork
from controlplane.plane import ControlPlane, die_with_parent

MODULE = Path(__file__).parent / "kubeproxy"
PACKAGE = "k8s.io/kubernetes/cmd/kube-proxy"


def kube_proxy() -> Path:
    """The program.

    Raises:
        NoGo: It has to be built, and there is no compiler that can.
        subprocess.CalledProcessError: It did not build.
    """
    return built(MODULE, {"kube-proxy": PACKAGE})["kube-proxy"]


class ServiceNetwork:
    """A namespace with kube-proxy, while its context is open.

    Args:
        plane: Whose Services it knows.
        network: Where the pods are.
        node: A node of the plane, as which kube-proxy looks at the cluster.
    """

    def __init__(self, plane: ControlPlane, network: Network, node: str) -> None:
        self._plane = plane
        self._node = node
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        self._namespace = ""

    def __enter__(self) -> ServiceNetwork:
        if shutil.which("iptables-restore") is None:
            raise NoNetwork("kube-proxy: needs iptables (Debian: apt-get install iptables)")
        program = kube_proxy()
        pair = self._plane.cluster.issue("kube-proxy", name="system:kube-proxy")
        config = self._plane.kubeconfig_for("kube-proxy", pair)
        self._namespace, address = self._network.add()
        options = {
            "kubeconfig": config,
            "proxy-mode": "iptables",
            "hostname-override": self._node,
            "bind-address": address,
            "healthz-bind-address": f"{address}:10256",
            "metrics-bind-address": f"{address}:10249",
            "iptables-min-sync-period": "100ms",
            # this machine's own tables of connections stay as they are
            "conntrack-max-per-core": "0",
            "conntrack-tcp-timeout-established": "0s",
            "conntrack-tcp-timeout-close-wait": "0s",
        }
        words = [str(program), *(f"--{name}={value}" for name, value in options.items())]
        with (self._plane.folder / "kube-proxy.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.inside(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._network.remove(self._namespace)

    def inside(self, *words: str) -> list[str]:
        """A command that runs on the clients' machine."""
        return ["ip", "netns", "exec", self._namespace, *words]

    def environment(self) -> dict[str, str]:
        """Variables for such a command: nothing there goes through a proxy."""
        return {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
