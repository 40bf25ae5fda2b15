"""What a container sees: its command, its environment and its files, from its pod's manifest. Pure.

Source: kubernetes pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables, podFieldSelectorRuntimeValue) and
pkg/fieldpath (ExtractFieldPathAsString); third_party/forked/golang/expansion for ``$(NAME)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from tonnage.kube.quantity import parse_quantity

Lookup = Callable[[str, str], Mapping[str, str]]
"""(kind, name) to the data of a ConfigMap or Secret of the pod's namespace."""

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_.-][A-Za-z0-9_.-]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class BadPod(Exception):
    """The pod asks for something that is not there, or that this node does not do."""


def command_of(
    container: Mapping[str, Any], image: tuple[str, ...], variables: Mapping[str, str]
) -> list[str]:
    """The words to run: the manifest's, or the image's where it gives none."""
    entry = container.get("command") or list(image)
    words = [*entry, *container.get("args", [])]
    if not words:
        raise BadPod(f"container {container['name']}: must have a command, and its image has none")
    return [expand(word, variables) for word in words]


def environment_of(
    pod: Mapping[str, Any], container: Mapping[str, Any], look_up: Lookup, ip: str, host_ip: str
) -> dict[str, str]:
    """The variables of a container."""
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        kind = "ConfigMap" if "configMapRef" in source else "Secret"
        reference = source.get("configMapRef") or source.get("secretRef") or {}
        data = _optional(look_up, kind, reference)
        variables |= {f"{source.get('prefix', '')}{key}": value for key, value in data.items()}
    for one in container.get("env", []):
        if "valueFrom" not in one:
            variables[one["name"]] = expand(one.get("value", ""), variables)
            continue
        value = _from(one["valueFrom"], pod, container, look_up, ip, host_ip)
        if value is not None:
            variables[one["name"]] = value
    return variables


def files_of(
    pod: Mapping[str, Any],
    volume: Mapping[str, Any],
    look_up: Lookup,
    token: Callable[[Mapping[str, Any]], str],
    authority: str,
) -> dict[str, str] | None:
    """The files of a volume by their path in it; None for one that begins empty."""
    if "emptyDir" in volume:
        return None
    if "configMap" in volume:
        return _items(volume["configMap"], _optional(look_up, "ConfigMap", volume["configMap"]))
    if "secret" in volume:
        source = {**volume["secret"], "name": volume["secret"]["secretName"]}
        return _items(source, _optional(look_up, "Secret", source))
    if "downwardAPI" in volume:
        return _downward(pod, volume["downwardAPI"].get("items", []))
    if "projected" in volume:
        files: dict[str, str] = {}
        for source in volume["projected"].get("sources", []):
            if "serviceAccountToken" in source:
                files[source["serviceAccountToken"]["path"]] = token(source["serviceAccountToken"])
            elif "configMap" in source and source["configMap"]["name"] == "kube-root-ca.crt":
                files |= _items(source["configMap"], {"ca.crt": authority})
            elif "configMap" in source:
                files |= _items(source["configMap"], _optional(look_up, "ConfigMap", source["configMap"]))
            elif "secret" in source:
                files |= _items(source["secret"], _optional(look_up, "Secret", source["secret"]))
            elif "downwardAPI" in source:
                files |= _downward(pod, source["downwardAPI"].get("items", []))
        return files
    kinds = [key for key in volume if key != "name"]
    raise BadPod(f"volume {volume['name']}: this node has no volumes of kind {', '.join(kinds)}")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``$(NAME)`` where the name is known; ``$$`` stands for one dollar sign."""

    def put(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(put, text)


def _from(
    source: Mapping[str, Any],
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    look_up: Lookup,
    ip: str,
    host_ip: str,
) -> str | None:
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"], ip, host_ip)
    if "resourceFieldRef" in source:
        return _resource(container, source["resourceFieldRef"])
    kind, reference = (
        ("ConfigMap", source.get("configMapKeyRef"))
        if "configMapKeyRef" in source
        else ("Secret", source.get("secretKeyRef"))
    )
    if reference is None:
        raise BadPod(f"env: this node does not know {', '.join(source)}")
    data = _optional(look_up, kind, reference)
    if reference["key"] not in data:
        if reference.get("optional"):
            return None
        raise BadPod(f"{kind} {reference['name']}: must have the key {reference['key']}")
    return data[reference["key"]]


def field(pod: Mapping[str, Any], path: str, ip: str = "", host_ip: str = "") -> str:
    """A field of the pod as the downward API gives it."""
    known = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "metadata.uid": pod["metadata"]["uid"],
        "spec.nodeName": pod["spec"]["nodeName"],
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
        "status.podIP": ip,
        "status.podIPs": ip,
        "status.hostIP": host_ip,
    }
    if path in known:
        return str(known[path])
    keyed = _KEYED.fullmatch(path)
    if keyed is not None:
        return str(pod["metadata"].get(keyed[1], {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = pod["metadata"].get(path.partition(".")[2], {})
        return "\n".join(f'{key}="{value}"' for key, value in sorted(values.items()))
    raise BadPod(f"fieldPath: this node does not know {path}")


def _resource(container: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    group, _, name = source["resource"].partition(".")
    text = container.get("resources", {}).get(group, {}).get(name)
    if text is None:
        raise BadPod(f"resourceFieldRef: container {container['name']} must have {source['resource']}")
    divisor = parse_quantity(str(source.get("divisor") or "1")).value
    return str(math.ceil(parse_quantity(str(text)).value / (divisor or 1)))


def _downward(pod: Mapping[str, Any], items: list[Mapping[str, Any]]) -> dict[str, str]:
    return {item["path"]: field(pod, item["fieldRef"]["fieldPath"]) for item in items}


def _items(source: Mapping[str, Any], data: Mapping[str, str]) -> dict[str, str]:
    chosen = source.get("items")
    if chosen is None:
        return dict(data)
    return {item["path"]: data[item["key"]] for item in chosen}


def _optional(look_up: Lookup, kind: str, reference: Mapping[str, Any]) -> Mapping[str, str]:
    try:
        return look_up(kind, reference["name"])
    except LookupError:
        if reference.get("optional"):
            return {}
        raise BadPod(f"{kind} {reference['name']}: must exist") from None
