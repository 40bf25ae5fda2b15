"""The line to one API server: whom it trusts, how it says who we are, and which proxy it goes through.

The environment decides nothing but the proxy: ``.netrc`` and ``SSL_CERT_FILE`` have no say in whom a cluster
is asked as, and whom it is taken for.

Source: kubernetes v1.37.2, client-go rest/config.go (TLSConfigFor); golang.org/x/net http/httpproxy
(config.useProxy) for ``NO_PROXY``.
"""

from __future__ import annotations

import binascii
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from lightkube.config.client_adapter import user_auth, verify_cluster
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import ConfigError

import tonnage
from tonnage.cluster.credentials import ProgramAuth, ask_program
from tonnage.cluster.faults import BadKubeconfig
from tonnage.cluster.kubeconfig import ClusterTarget

CONNECT_S_MAX: Final = 10.0
ANSWER_S_MAX: Final = 60.0
"""What the API server itself gives a request before it ends it."""


def open_client(target: ClusterTarget, environment: Mapping[str, str] = os.environ) -> httpx2.AsyncClient:
    """Make the client of an API server; nothing is sent yet.

    Args:
        target: Which, and as whom.
        environment: Where proxies are named.

    Raises:
        BadKubeconfig: Certificates or keys cannot be read.
        Unauthorized: The program that gives credentials failed.
    """
    auth: httpx2.Auth | None
    try:
        cluster, user = msgspec.convert(dict(target.cluster), Cluster), _user(target.user)
        context = verify_cluster(cluster, user, lambda path: path, trust_env=False)
        plugin = target.user.get("exec")
        if isinstance(plugin, dict):
            first = ask_program(plugin, target.cluster)
            if first.certificate:
                _load(context, first.certificate, first.key)
            auth = ProgramAuth(plugin, target.cluster, first)
        else:
            auth = user_auth(user)
    except (OSError, ssl.SSLError, ConfigError, binascii.Error, msgspec.ValidationError) as error:
        raise BadKubeconfig(f"context {target.context}: {error}") from None
    proxy = proxy_of(target.server, environment, str(target.cluster.get("proxy-url") or ""))
    return httpx2.AsyncClient(
        base_url=target.server,
        verify=context,
        auth=auth,
        proxy=proxy,
        trust_env=False,
        timeout=httpx2.Timeout(ANSWER_S_MAX, connect=CONNECT_S_MAX, pool=None),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        headers={"user-agent": f"tonnage/{tonnage.__version__}"},
    )


def is_verified(target: ClusterTarget) -> bool:
    """Whether the server has to prove who it is."""
    cluster = target.cluster
    authority = cluster.get("certificate-authority") or cluster.get("certificate-authority-data")
    return bool(authority) or not cluster.get("insecure-skip-tls-verify")


def proxy_of(server: str, environment: Mapping[str, str], named: str = "") -> str | None:
    """The proxy on the way to a server; None for none.

    Args:
        server: Its address.
        environment: Where ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` may be.
        named: What the kubeconfig names; it goes before the environment.
    """
    if named:
        return named
    parts = urlsplit(server)
    key = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    proxy = environment.get(key) or environment.get(key.lower())
    if not proxy:
        return None
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    spared = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
    if host == "localhost" or ((address := _address(host)) is not None and address.is_loopback):
        return None
    if any(_spares(rule.strip().lower(), host, port) for rule in spared.split(",") if rule.strip()):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _spares(rule: str, host: str, port: int) -> bool:
    """Whether a rule of ``NO_PROXY`` is about a host."""
    if rule == "*":
        return True
    address = _address(host)
    try:
        network = ipaddress.ip_network(rule, strict=False)
    except ValueError:
        pass
    else:
        return address is not None and address in network
    name, separator, number = rule.rpartition(":")
    if separator and number.isdecimal():
        if int(number) != port:
            return False
        rule = name
    rule = rule.removeprefix("*")
    return host.endswith(rule) if rule.startswith(".") else host == rule or host.endswith(f".{rule}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _user(settings: Mapping[str, Any]) -> User:
    return msgspec.convert({key: value for key, value in settings.items() if key != "exec"}, User)


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Take in a client certificate, which Python reads from files only; nobody else can read them."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "certificate", Path(folder) / "key"
        for path, text in zip(files, (certificate, key), strict=True):
            path.touch(mode=0o600)
            path.write_text(text)
        context.load_cert_chain(*files)
