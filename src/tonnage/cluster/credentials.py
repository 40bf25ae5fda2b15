"""Credentials from a program that the kubeconfig names, as the large clouds have it.

The program is run when the first request is made and again when its token has expired or is refused. It says
who it is in an ``ExecCredential``; a client certificate in it holds until this process ends.

Source: kubernetes v1.37.2, client-go plugin/pkg/client/auth/exec/exec.go (Authenticator.refreshCredsLocked),
pkg/apis/clientauthentication/v1/types.go.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from tonnage.cluster.faults import BadKubeconfig, Unauthorized

_GROUP: Final = "client.authentication.k8s.io"
_VERSIONS: Final = (f"{_GROUP}/v1", f"{_GROUP}/v1beta1", f"{_GROUP}/v1alpha1")
_SECONDS_MAX: Final = 120.0
"""A program that asks a person to log in may take this long."""
_EARLY_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What a program said.

    Attributes:
        token: Bearer token; empty for none.
        certificate: Client certificate in PEM form; empty for none.
        key: Its key.
        expires_s: When it ends [s since 1970]; None for not said.
    """

    token: str
    certificate: str
    key: str
    expires_s: float | None


class ProgramAuth(httpx2.Auth):
    """Puts a program's token on every request.

    Args:
        settings: Field ``exec`` of the kubeconfig's user.
        cluster: Fields of the kubeconfig's cluster, for programs that ask for them.
        first: What the program said already; None runs it for the first request.
    """

    def __init__(
        self, settings: Mapping[str, Any], cluster: Mapping[str, Any], first: Credential | None = None
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._known = first
        self._lock = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send with the token that is known, and once more with a new one when it is refused."""
        known = await self._current(None)
        if known.token:
            request.headers["authorization"] = f"Bearer {known.token}"
        response = yield request
        if response.status_code == 401:
            fresh = await self._current(known)
            if fresh.token:
                request.headers["authorization"] = f"Bearer {fresh.token}"
            yield request

    async def _current(self, refused: Credential | None) -> Credential:
        async with self._lock:
            known = self._known
            now_s = dt.datetime.now(dt.UTC).timestamp()
            stale = known is None or known is refused
            if known is None or stale or (known.expires_s is not None and known.expires_s - _EARLY_S < now_s):
                known = self._known = await asyncio.to_thread(ask_program, self._settings, self._cluster)
            return known


def ask_program(settings: Mapping[str, Any], cluster: Mapping[str, Any]) -> Credential:
    """Run the program, and read who it says that we are.

    Args:
        settings: Field ``exec`` of the kubeconfig's user.
        cluster: Fields of the kubeconfig's cluster.

    Raises:
        BadKubeconfig: The program is not there, or speaks no version that we know.
        Unauthorized: It failed, or said nothing that can be used.
    """
    version = str(settings.get("apiVersion") or "")
    command = str(settings.get("command") or "")
    if version not in _VERSIONS:
        raise BadKubeconfig(f"exec: its apiVersion must be one of {', '.join(_VERSIONS)}, got {version!r}")
    interactive = settings.get("interactiveMode") != "Never" and sys.stdin.isatty()
    spec: dict[str, Any] = {"interactive": interactive}
    if settings.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(cluster)
    about = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    given = {str(one["name"]): str(one["value"]) for one in settings.get("env") or ()}
    try:
        done = subprocess.run(
            [command, *(str(word) for word in settings.get("args") or ())],
            env={**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(about)},
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_SECONDS_MAX,
            check=False,
        )
    except FileNotFoundError:
        hint = str(settings.get("installHint") or "install it, or take another context").strip()
        raise BadKubeconfig(f"exec: the program {command} must be there, and is not; {hint}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unauthorized(f"exec: the program {command} must say who we are, got {error}") from None
    if done.returncode != 0:
        ended = f"and ended with {done.returncode}"
        raise Unauthorized(f"exec: the program {command} must say who we are, {ended}")
    return read_credential(done.stdout, command)


def read_credential(text: bytes, command: str) -> Credential:
    """Read an ``ExecCredential``.

    Args:
        text: What the program wrote.
        command: The program, for messages.

    Raises:
        Unauthorized: It holds no credential.
    """
    try:
        status = json.loads(text)["status"]
        until = status.get("expirationTimestamp")
        expires_s = dt.datetime.fromisoformat(until).timestamp() if until else None
        found = Credential(
            token=str(status.get("token") or ""),
            certificate=str(status.get("clientCertificateData") or ""),
            key=str(status.get("clientKeyData") or ""),
            expires_s=expires_s,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        wanted = "an ExecCredential with a status"
        raise Unauthorized(f"exec: the program {command} must write {wanted}") from None
    if not found.token and not (found.certificate and found.key):
        raise Unauthorized(f"exec: the program {command} must give a token, or a certificate and its key")
    return found


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    info = {key: cluster[key] for key in ("server", "tls-server-name", "proxy-url") if cluster.get(key)}
    if cluster.get("insecure-skip-tls-verify"):
        info["insecure-skip-tls-verify"] = True
    authority = cluster.get("certificate-authority-data")
    if not authority and cluster.get("certificate-authority"):
        authority = base64.b64encode(Path(str(cluster["certificate-authority"])).read_bytes()).decode()
    if authority:
        info["certificate-authority-data"] = authority
    for one in cluster.get("extensions") or ():
        if one.get("name") == f"{_GROUP}/exec":
            info["config"] = one.get("extension")
    return info
