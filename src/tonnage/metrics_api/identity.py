"""Who asks: the API server's aggregator, known by its certificate, speaks for a user in headers. Pure.

Headers count only beside a client certificate that the front proxy's authority signed and whose name is
allowed; the TLS layer checks the signature, this file the rest. Anyone else is nobody, and is refused.

Source: kubernetes v1.37.2, k8s.io/apiserver pkg/authentication/request/headerrequest (requestheader.go,
requestheader_controller.go), pkg/authentication/group/authenticated_group_adder.go.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

CONFIG_NAMESPACE: Final = "kube-system"
CONFIG_NAME: Final = "extension-apiserver-authentication"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
ANONYMOUS: Final = "system:anonymous"


class Unauthenticated(Exception):
    """The caller is not known; the message says why."""


class NoFrontProxy(Exception):
    """The cluster does not say how its front proxy is known; the message says what is missing."""


class Headers(Protocol):
    """A request's headers, whose names have no case."""

    def getall(self, key: str, default: Sequence[str]) -> Sequence[str]:
        """All values of a name."""

    def keys(self) -> Any:
        """All names."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """How the front proxy is known, and how it words whom it speaks for.

    Attributes:
        authority: PEM certificates that sign its certificate.
        names: Common names that it may have; empty for any.
        user_headers: Names of headers.
        uid_headers: Names of headers.
        group_headers: Names of headers.
        extra_prefixes: Prefixes of headers' names.
    """

    authority: str
    names: frozenset[str]
    user_headers: tuple[str, ...]
    uid_headers: tuple[str, ...]
    group_headers: tuple[str, ...]
    extra_prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a request is made."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


def front_proxy(data: Mapping[str, str]) -> FrontProxy:
    """Read the ConfigMap ``extension-apiserver-authentication``.

    Raises:
        NoFrontProxy: It has no authority, or lists that are none.
    """
    authority = data.get("requestheader-client-ca-file", "")
    if "BEGIN CERTIFICATE" not in authority:
        raise NoFrontProxy(f"ConfigMap {CONFIG_NAME}: must have requestheader-client-ca-file")

    def names(key: str) -> tuple[str, ...]:
        try:
            value = json.loads(data.get(f"requestheader-{key}") or "[]")
        except ValueError:
            value = None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise NoFrontProxy(f"ConfigMap {CONFIG_NAME}: requestheader-{key} must be a JSON list of texts")
        return tuple(value)

    return FrontProxy(
        authority=authority,
        names=frozenset(names("allowed-names")),
        user_headers=names("username-headers"),
        uid_headers=names("uid-headers"),
        group_headers=names("group-headers"),
        extra_prefixes=tuple(prefix.lower() for prefix in names("extra-headers-prefix")),
    )


def caller_of(
    proxy: FrontProxy, certificate: Mapping[str, Any] | None, headers: Headers, epoch_s: float
) -> Caller:
    """For whom a request is made.

    Args:
        proxy: How the front proxy is known.
        certificate: The peer's, verified against ``proxy.authority``, in the form of
            ``ssl.SSLSocket.getpeercert``; None or empty for none.
        headers: The request's.
        epoch_s: The time [s since 1970].

    Raises:
        Unauthenticated: It is not the front proxy, or names nobody.
    """
    if not certificate:
        raise Unauthenticated("must come through the API server, with its front-proxy client certificate")
    if epoch_s > ssl.cert_time_to_seconds(certificate["notAfter"]):
        raise Unauthenticated("client certificate: has expired")
    subject = [pair for part in certificate.get("subject", ()) for pair in part]
    name = next((value for key, value in subject if key == "commonName"), "")
    if proxy.names and name not in proxy.names:
        raise Unauthenticated(f'client certificate: must have a name that is allowed, got "{name[:80]}"')
    user = _first(headers, proxy.user_headers)
    if not user:
        raise Unauthenticated("headers: must name a user")
    groups = [group for header in proxy.group_headers for group in headers.getall(header, ()) if group]
    if user != ANONYMOUS and AUTHENTICATED not in groups and UNAUTHENTICATED not in groups:
        groups.append(AUTHENTICATED)
    return Caller(user, _first(headers, proxy.uid_headers), tuple(groups), _extra(headers, proxy))


def _first(headers: Headers, names: Sequence[str]) -> str:
    return next((value for name in names for value in headers.getall(name, ()) if value), "")


def _extra(headers: Headers, proxy: FrontProxy) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found: dict[str, tuple[str, ...]] = {}
    for header in dict.fromkeys(key.lower() for key in headers.keys()):  # noqa: SIM118  not a dict
        for prefix in proxy.extra_prefixes:
            if header.startswith(prefix):
                key = unquote(header[len(prefix) :])
                found[key] = (*found.get(key, ()), *headers.getall(header, ()))
    return tuple(sorted(found.items()))
