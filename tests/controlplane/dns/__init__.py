"""The cluster's DNS: CoreDNS with its ``kubernetes`` plugin, built from the pinned Go modules of this folder.

    with Network() as net, ControlPlane(folder, address=net.gateway) as plane, ClusterDNS(plane) as dns:
        ProcessNode(plane, net, "n1", dns=dns.address)

It answers on port 53 of the control plane's own address, with the rights that kubeadm gives it. Services have no
addresses of their own here (there is no kube-proxy), so that headless ones alone are of use.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType

from controlplane.api import Api
from controlplane.binaries import built
from controlplane.plane import ControlPlane, free_port
from controlplane.program import Program

HERE = Path(__file__).parent
DOMAIN = "cluster.local"
_USER = "system:coredns"
_READS = [
    {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
]


class ClusterDNS:
    """A DNS server for a control plane, while its context is open.

    Args:
        plane: The control plane; it listens on an address of its own, not on loopback.
        ttl_s: How long answers may be kept; kubeadm says 30, CoreDNS itself 5.
        cache_s: How long the server itself keeps them, names that do not exist included; 0 keeps none.

    Attributes:
        address: Where it answers.
    """

    def __init__(self, plane: ControlPlane, *, ttl_s: int = 5, cache_s: int = 0) -> None:
        self.address = plane.address
        self._plane = plane
        self._ttl_s, self._cache_s = ttl_s, cache_s
        self._program: Program | None = None

    def __enter__(self) -> ClusterDNS:
        plane, folder = self._plane, self._plane.folder / "dns"
        folder.mkdir()
        config = plane.kubeconfig_for("coredns", plane.cluster.issue("coredns", name=_USER))
        api = Api(plane)
        group = "rbac.authorization.k8s.io"
        api.apply({"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": _USER}, "rules": _READS})
        subject = {"apiGroup": group, "kind": "User", "name": _USER}
        role = {"apiGroup": group, "kind": "ClusterRole", "name": _USER}
        binding = {"metadata": {"name": _USER}, "subjects": [subject], "roleRef": role}
        api.apply({"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", **binding})
        port = free_port(self.address)
        lines = [
            f"bind {self.address}",
            "errors",
            f"ready {self.address}:{port}",
            f"kubernetes {DOMAIN} in-addr.arpa {{\n    kubeconfig {config}\n    ttl {self._ttl_s}\n  }}",
        ]
        if self._cache_s:
            lines.append(f"cache {self._cache_s}")
        file = folder / "Corefile"
        file.write_text(".:53 {\n  " + "\n  ".join(lines) + "\n}\n")
        self._program = Program("coredns", [str(coredns()), "-conf", str(file)], folder)
        self._program.start(f"http://{self.address}:{port}/ready")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._program is not None:
            self._program.stop()

    def log(self) -> str:
        """What it has logged."""
        return self._program.log() if self._program is not None else ""


def coredns() -> Path:
    """The server's program.

    Raises:
        NoGo: It has to be built, and there is no compiler that can.
        subprocess.CalledProcessError: It did not build.
    """
    name = f"coredns-{hashlib.sha256((HERE / 'main.go').read_bytes()).hexdigest()[:8]}"
    return built(HERE, {name: "."}, stamp="")[name]
