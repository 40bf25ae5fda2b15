"""Volumes that outlive a pod: folders of this machine, as ``hostPath`` or through a claim that is bound.

A claim's volume is of the kinds that need no driver: ``local``, whose folder is made the pod's group's, and
``hostPath``, which is left as it is. All process-backed nodes are one machine, so that such a volume is what
several nodes share: a file system with access ReadWriteMany.

Source: kubernetes v1.37.2 pkg/volume/local/local.go (SetUpAt), pkg/volume/hostpath/host_path.go (hostPath has no
fsGroup), pkg/volume/volume_linux.go (SetVolumeOwnership, setgid on folders).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightkube import AsyncClient
from lightkube.resources.core_v1 import PersistentVolume, PersistentVolumeClaim

from controlplane.environment import BadPod


async def folders(client: AsyncClient, pod: Mapping[str, Any]) -> dict[str, Path]:
    """Volume of a pod to its folder, for those that outlive it.

    Args:
        client: With a kubelet's rights.
        pod: The pod.
    """
    namespace = pod["metadata"]["namespace"]
    group = pod["spec"].get("securityContext", {}).get("fsGroup")
    found: dict[str, Path] = {}
    for volume in pod["spec"].get("volumes", []):
        if "hostPath" in volume:
            found[volume["name"]] = _host_path(volume["hostPath"])
        elif "persistentVolumeClaim" in volume:
            name = volume["persistentVolumeClaim"]["claimName"]
            claim = (await client.get(PersistentVolumeClaim, name, namespace=namespace)).to_dict()
            bound = claim["spec"].get("volumeName")
            if not bound or claim.get("status", {}).get("phase") != "Bound":
                continue
            spec = (await client.get(PersistentVolume, bound)).to_dict()["spec"]
            if "local" in spec:
                found[volume["name"]] = _owned(Path(spec["local"]["path"]), group)
            elif "hostPath" in spec:
                found[volume["name"]] = _host_path(spec["hostPath"])
    return found


def outlives(volume: Mapping[str, Any]) -> bool:
    """Whether a volume of a pod is one of those."""
    return "hostPath" in volume or "persistentVolumeClaim" in volume


def folder_of(volume: Mapping[str, Any], known: Mapping[str, Path]) -> Path:
    """The folder of such a volume.

    Raises:
        BadPod: It is not there.
    """
    if volume["name"] not in known:
        raise BadPod(f"volume {volume['name']}: its claim must be bound to a volume of kind local or hostPath")
    path = known[volume["name"]]
    if not path.is_dir():
        raise BadPod(f"volume {volume['name']}: {path} must be a folder")
    return path


def _host_path(source: Mapping[str, Any]) -> Path:
    path = Path(source["path"])
    if source.get("type") == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    return path


def _owned(path: Path, group: int | None) -> Path:
    if group is not None:
        for place, _, files in os.walk(path):
            os.chown(place, -1, group)
            Path(place).chmod(Path(place).stat().st_mode | 0o2070)
            for file in files:
                inside = Path(place) / file
                os.chown(inside, -1, group)
                inside.chmod(inside.stat().st_mode | 0o060)
    return path
