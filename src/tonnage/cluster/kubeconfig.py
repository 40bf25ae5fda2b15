"""Which cluster is meant and as whom: kubeconfig files, put together as kubectl does. Asks nobody.

Source: kubernetes v1.37.2, client-go tools/clientcmd/loader.go (ClientConfigLoadingRules.Load: of several
files the first one that has a name wins; ResolveLocalPaths), client_config.go (ConfirmUsable).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tonnage.cluster.faults import BadKubeconfig
from tonnage.errors import SpecError
from tonnage.kube.text import read_text

_BYTES_MAX: Final = 4 * 1024 * 1024
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_PARTS: Final = (("clusters", "cluster"), ("contexts", "context"), ("users", "user"))
NAMESPACE_DEFAULT: Final = "default"
IN_CLUSTER: Final = "in-cluster"


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """One cluster, and as whom we ask it.

    Attributes:
        server: Address of the API server, such as ``https://10.0.0.1:6443``.
        namespace: Where objects go that name none.
        context: The context's name; ``in-cluster`` for a pod's own account.
        cluster: The kubeconfig's fields of the cluster; files by absolute paths.
        user: The same of the user.
    """

    server: str
    namespace: str
    context: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]


def find_target(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    namespace: str | None = None,
    environment: Mapping[str, str] = os.environ,
    account: Path = _ACCOUNT,
) -> ClusterTarget:
    """Find which cluster is meant: the file named, ``KUBECONFIG``, ``~/.kube/config``, the pod's own account.

    Args:
        kubeconfig: A file; None looks at the places above, in that order.
        context: Name of a context in it; None for the current one.
        namespace: Overrides the context's.
        environment: Variables of the process.
        account: Folder of a pod's account.

    Raises:
        BadKubeconfig: No cluster is named, or its settings cannot be read.
    """
    paths = _paths(kubeconfig, environment)
    if kubeconfig is not None and not kubeconfig.is_file():
        raise BadKubeconfig(f"{kubeconfig}: must be a kubeconfig file, and is not there")
    existing = [path for path in paths if path.is_file()]
    if existing:
        found = _chosen(_merged(existing), context, ", ".join(str(path) for path in existing))
    elif (account / "token").is_file() and "KUBERNETES_SERVICE_HOST" in environment:
        if context is not None:
            raise BadKubeconfig(f"--context: must be one of a kubeconfig, and there is none, got {context}")
        found = _own_account(environment, account)
    else:
        looked = ", ".join(str(path) for path in paths)
        raise BadKubeconfig(
            f"cluster: must be named by a kubeconfig, and there is none at {looked}"
            "; give --kubeconfig FILE or set KUBECONFIG"
        )
    _check_server(found)
    if namespace is None:
        return found
    return ClusterTarget(found.server, namespace, found.context, found.cluster, found.user)


def _paths(kubeconfig: Path | None, environment: Mapping[str, str]) -> list[Path]:
    if kubeconfig is not None:
        return [kubeconfig]
    listed = [Path(one) for one in environment.get("KUBECONFIG", "").split(os.pathsep) if one]
    return listed or [Path(environment.get("HOME") or "~").expanduser() / ".kube" / "config"]


def _merged(paths: list[Path]) -> dict[str, Any]:
    whole: dict[str, Any] = {"clusters": {}, "contexts": {}, "users": {}, "current-context": ""}
    for path in paths:
        document = _document(path)
        whole["current-context"] = whole["current-context"] or document.get("current-context") or ""
        for plural, single in _PARTS:
            for entry in document.get(plural) or ():
                if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                    raise BadKubeconfig(f"{path}: each of {plural} must have a name")
                settings = entry.get(single)
                whole[plural].setdefault(entry["name"], _with_paths(settings or {}, path.absolute().parent))
    return whole


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_BYTES_MAX + 1)
        documents, problems = read_text(text, source=str(path), bytes_max=_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise BadKubeconfig(f"{path}: must be a kubeconfig file, got {error}") from None
    except SpecError as error:
        raise BadKubeconfig(str(error)) from None
    if problems:
        raise BadKubeconfig(str(problems[0]))
    value = documents[0].value if documents else {}
    if not isinstance(value, dict):
        raise BadKubeconfig(f"{path}: must be a kubeconfig, got something that has no fields")
    return value


def _with_paths(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Settings whose files no longer depend on where the kubeconfig lies."""
    found = {
        key: str(folder / value) if key in _FILES and value and isinstance(value, str) else value
        for key, value in settings.items()
    }
    plugin = found.get("exec")
    if isinstance(plugin, dict) and "/" in str(plugin.get("command", "")):
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


def _chosen(whole: Mapping[str, Any], context: str | None, source: str) -> ClusterTarget:
    name = context or whole["current-context"]
    known = ", ".join(sorted(whole["contexts"])) or "none"
    if not name:
        raise BadKubeconfig(f"{source}: must have a current-context, or give --context; contexts: {known}")
    chosen = whole["contexts"].get(name)
    if chosen is None:
        raise BadKubeconfig(f"{source}: must have the context {name}; contexts: {known}")
    cluster = whole["clusters"].get(chosen.get("cluster"))
    if cluster is None:
        raise BadKubeconfig(f"{source}: must have the cluster {chosen.get('cluster')} of context {name}")
    user = whole["users"].get(chosen["user"]) if chosen.get("user") else {}
    if user is None:
        raise BadKubeconfig(f"{source}: must have the user {chosen['user']} of context {name}")
    space = str(chosen.get("namespace") or NAMESPACE_DEFAULT)
    return ClusterTarget(str(cluster.get("server") or "").rstrip("/"), space, name, cluster, user)


def _own_account(environment: Mapping[str, str], account: Path) -> ClusterTarget:
    host, port = environment["KUBERNETES_SERVICE_HOST"], environment.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    try:
        namespace = (account / "namespace").read_text().strip()
    except OSError:
        namespace = NAMESPACE_DEFAULT
    cluster = {"server": server, "certificate-authority": str(account / "ca.crt")}
    return ClusterTarget(server, namespace, IN_CLUSTER, cluster, {"tokenFile": str(account / "token")})


def _check_server(target: ClusterTarget) -> None:
    """Refuses addresses that nobody can ask, and credentials on a line that is not encrypted."""
    parts = urlsplit(target.server)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise BadKubeconfig(
            f"context {target.context}: its server must be such as https://host:6443, got {target.server!r}"
        )
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "http" and target.user and not here:
        raise BadKubeconfig(
            f"context {target.context}: its server must be https, got {target.server}"
            ": credentials would be readable on the way"
        )
