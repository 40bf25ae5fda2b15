"""A network of our own: a bridge on this machine, and namespaces on it that have an address each.

A pod in a namespace listens on the port that its manifest says, however many of them run, and is reached at
its own address from here, from the control plane and from other pods: as in a cluster, and nothing leaves the
machine. Needs root and Debian's ``iproute2``.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import shutil
import subprocess
from types import TracebackType


class NoNetwork(Exception):
    """Namespaces cannot be made here; the message says why."""


class Network:
    """A bridge with up to 250 namespaces; all of it goes when its context ends.

    Attributes:
        gateway: This machine's address in it.
    """

    def __init__(self) -> None:
        self._name = f"tn{secrets.token_hex(3)}"
        self._free: list[str] = []
        self._namespaces: dict[str, str] = {}
        self.gateway = ""

    def __enter__(self) -> Network:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise NoNetwork("namespaces: need root and the program ip (Debian: apt-get install iproute2)")
        taken = _taken()
        for third in range(1, 255):
            block = ipaddress.ip_network(f"10.213.{third}.0/24")
            if not any(block.overlaps(one) for one in taken):
                break
        else:
            raise NoNetwork("network: must have a free block in 10.213.0.0/16, got none")
        hosts = [str(one) for one in block.hosts()]
        self.gateway, self._free = hosts[0], hosts[:0:-1]
        try:
            ip("link", "add", self._name, "type", "bridge")
            ip("addr", "add", f"{self.gateway}/24", "dev", self._name)
            ip("link", "set", self._name, "up")
        except subprocess.CalledProcessError as error:
            raise NoNetwork(f"bridge: must be allowed, got {error.stderr.decode().strip()}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._namespaces):
            self.remove(name)
        ip("link", "del", self._name)

    def add(self) -> tuple[str, str]:
        """Make a namespace.

        Returns:
            Its name, and its address.
        """
        address = self._free.pop()
        name = f"{self._name}-{address.rpartition('.')[2]}"
        outer, inner = f"{name[2:]}o", f"{name[2:]}i"
        ip("netns", "add", name)
        self._namespaces[name] = address
        ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        ip("link", "set", outer, "master", self._name, "up")
        ip("link", "set", inner, "netns", name, "name", "eth0")
        ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "route", "add", "default", "via", self.gateway)
        return name, address

    def remove(self, name: str) -> None:
        """End a namespace; its address is used again, last of all."""
        self._free.insert(0, self._namespaces.pop(name))
        ip("netns", "del", name)


def ip(*words: str) -> str:
    """Run the program ip."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30).stdout.decode()


def _taken() -> list[ipaddress.IPv4Network]:
    lines = ip("-o", "-4", "addr").splitlines()
    networks = [ipaddress.ip_interface(line.split()[3]).network for line in lines]
    return [one for one in networks if isinstance(one, ipaddress.IPv4Network)]
