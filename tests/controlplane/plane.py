"""Starts and stops one control plane: etcd, API server, controller manager, scheduler; TLS and RBAC everywhere.

It listens on free ports of one address, keeps everything in one folder, and ends when its context does,
whatever happens: each program gets SIGKILL from the kernel should this process die.
"""

from __future__ import annotations

import ctypes
import json
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from controlplane.binaries import programs
from controlplane.certificates import Authority, Pair, service_account_key

READY_S_MAX = 60.0
SERVICE_RANGE = "10.96.0.0/16"
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class NotReady(Exception):
    """A program did not come up; the message holds the end of its log."""


class ControlPlane:
    """A control plane that runs while its context is open.

    Args:
        folder: For certificates, data and logs; empty.
        address: Where it listens; loopback, or an address of a network of our own.
        settings: Program to further command line options, such as
            ``{"kube-controller-manager": {"horizontal-pod-autoscaler-sync-period": "5s"}}``.

    Attributes:
        kubeconfig: File of an administrator.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str = "127.0.0.1",
        settings: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.folder = folder
        self.address = address
        self.kubeconfig = folder / "admin.kubeconfig"
        self._settings = settings or {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}
        self._port = free_port(address)

    def __enter__(self) -> ControlPlane:
        found = programs()
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._certify()
            self._start_etcd(found["etcd"])
            self._start_api_server(found["kube-apiserver"])
            self._start_controllers(found)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://{self.address}:{self._port}"

    def stop(self) -> None:
        """End all programs, those that need others first."""
        for name in reversed(list(self._processes)):
            self.stop_program(name)

    def stop_program(self, name: str, number: int = signal.SIGTERM) -> None:
        """End one program."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, name: str) -> None:
        """Start one program again as it was, after ``stop_program`` or its death."""
        if name in self._processes:
            self.stop_program(name)
        self._run(name, self._commands[name])
        if name == "kube-apiserver":
            self._until(name, f"{self.url}/readyz", self._admin)

    def kubeconfig_for(self, file: str, pair: Pair) -> Path:
        """Write a kubeconfig for whom a certificate of the cluster's authority vouches."""
        path = self.folder / f"{file}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.cluster.certificate)}
        user = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": file, "user": user}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": file}}],
            "current-context": "here",
        }
        path.write_text(json.dumps(document))
        return path

    def log(self, name: str) -> str:
        """What a program has logged."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _certify(self) -> None:
        self.cluster = Authority(self.folder, "cluster-ca")
        self.front_proxy = Authority(self.folder, "front-proxy-ca")
        self._etcd = Authority(self.folder, "etcd-ca")
        self._service_account = service_account_key(self.folder / "service-account.key")
        self._admin = self.cluster.issue("admin", name="admin", groups=("system:masters",))
        self.kubeconfig_for("admin", self._admin)

    def _start_etcd(self, program: Path) -> None:
        client, peer = free_port(self.address), free_port(self.address)
        pair = self._etcd.issue("etcd", name="etcd", hosts=(self.address, "localhost"))
        self._etcd_url = f"https://{self.address}:{client}"
        self._etcd_pair = pair
        trusted = {
            "trusted-ca-file": self._etcd.certificate,
            "cert-file": pair.certificate,
            "key-file": pair.key,
        }
        peers = f"https://{self.address}:{peer}"
        options = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": self._etcd_url,
            "advertise-client-urls": self._etcd_url,
            "listen-peer-urls": peers,
            "initial-advertise-peer-urls": peers,
            "initial-cluster": f"default={peers}",
            "client-cert-auth": "true",
            **trusted,
            "peer-client-cert-auth": "true",
            **{f"peer-{name}": value for name, value in trusted.items()},
            "unsafe-no-fsync": "true",  # it is thrown away with the folder
            "log-level": "warn",
        }
        self._start("etcd", program, options)
        self._until("etcd", f"{self._etcd_url}/health", pair, self._etcd.certificate)

    def _start_api_server(self, program: Path) -> None:
        hosts = (self.address, "localhost", "10.96.0.1", "kubernetes.default.svc", "kubernetes.default")
        serving = self.cluster.issue(
            "kube-apiserver", name="kube-apiserver", hosts=tuple(dict.fromkeys(hosts))
        )
        kubelet = self.cluster.issue("kubelet-client", name="kube-apiserver", groups=("system:masters",))
        proxy = self.front_proxy.issue("front-proxy-client", name="front-proxy-client")
        options = {
            "bind-address": self.address,
            # the API server does not advertise a loopback address, and nobody here asks for its endpoints
            **({"endpoint-reconciler-type": "none"} if self.address.startswith("127.") else {}),
            "advertise-address": self.address,
            "secure-port": self._port,
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "client-ca-file": self.cluster.certificate,
            "kubelet-client-certificate": kubelet.certificate,
            "kubelet-client-key": kubelet.key,
            "kubelet-certificate-authority": self.cluster.certificate,
            "kubelet-preferred-address-types": "InternalIP",
            "etcd-servers": self._etcd_url,
            "etcd-cafile": self._etcd.certificate,
            "etcd-certfile": self._etcd_pair.certificate,
            "etcd-keyfile": self._etcd_pair.key,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self._service_account,
            "service-account-signing-key-file": self._service_account,
            "service-cluster-ip-range": SERVICE_RANGE,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",  # beside the defaults, PodSecurity among them
            "requestheader-client-ca-file": self.front_proxy.certificate,
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": proxy.certificate,
            "proxy-client-key-file": proxy.key,
            "enable-aggregator-routing": "true",  # to the endpoints, since there is no kube-proxy here
        }
        self._start("kube-apiserver", program, options)
        self._until("kube-apiserver", f"{self.url}/readyz", self._admin)

    def _start_controllers(self, found: Mapping[str, Path]) -> None:
        ports = {}
        for name in ("kube-controller-manager", "kube-scheduler"):
            pair = self.cluster.issue(name, name=f"system:{name}")
            serving = self.cluster.issue(f"{name}-serving", name=name, hosts=(self.address,))
            config = self.kubeconfig_for(name, pair)
            ports[name] = free_port(self.address)
            options: dict[str, object] = {
                "kubeconfig": config,
                "authentication-kubeconfig": config,
                "authorization-kubeconfig": config,
                "bind-address": self.address,
                "secure-port": ports[name],
                "tls-cert-file": serving.certificate,
                "tls-private-key-file": serving.key,
                "leader-elect": "false",
            }
            if name == "kube-controller-manager":
                options |= {
                    "service-account-private-key-file": self._service_account,
                    "root-ca-file": self.cluster.certificate,
                    "use-service-account-credentials": "true",
                }
            self._start(name, found[name], options)
        for name, port in ports.items():
            self._until(name, f"https://{self.address}:{port}/healthz", self._admin)

    def _start(self, name: str, program: Path, options: Mapping[str, object]) -> None:
        merged = {**options, **self._settings.get(name, {})}
        self._run(name, [str(program), *(f"--{option}={value}" for option, value in merged.items())])

    def _run(self, name: str, command: list[str]) -> None:
        self._commands[name] = command
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent
            )

    def _until(self, name: str, url: str, pair: Pair, authority: Path | None = None) -> None:
        context = ssl.create_default_context(cafile=str(authority or self.cluster.certificate))
        context.load_cert_chain(pair.certificate, pair.key)

        def answers() -> bool:
            try:
                with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                    return bool(answer.status == 200)
            except (urllib.error.URLError, OSError):
                return False

        process = self._processes[name]
        if (
            not wait_until(lambda: process.poll() is not None or answers(), READY_S_MAX)
            or process.poll() is not None
        ):
            raise NotReady(f"{name}: must be ready within {READY_S_MAX:g} s\n{self.log(name)[-4000:]}")


def wait_until(holds: Callable[[], bool], seconds_max: float, every_s: float = 0.1) -> bool:
    """Wait until something holds; False when it did not in time."""
    end = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True


def free_port(address: str) -> int:
    """A port that nobody listens on now."""
    with socket.socket() as door:
        door.bind((address, 0))
        return int(door.getsockname()[1])


def die_with_parent() -> None:
    """For a child between fork and exec: end when the parent does."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
