"""Several GPUs and 64 MiB of shared memory.

What it finds:
    A container with two or more GPUs without an emptyDir of medium Memory at /dev/shm.
Why it matters:
    The container runtime gives /dev/shm 64 MiB. NCCL between GPUs of one node, and torch's data loaders,
    share memory there and fail with a bus error when it is full.
    Source: docs.nvidia.com/deeplearning/nccl, troubleshooting, shared memory.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 2}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 2}}
        volumeMounts: [{name: shm, mountPath: /dev/shm}]
      volumes:
      - name: shm
        emptyDir: {medium: Memory, sizeLimit: 8Gi}
How to fix:
    Mount an emptyDir of medium Memory with a sizeLimit at /dev/shm.
Limits:
    A server that keeps its GPUs apart does not need it; excuse it then. MIG slices are left out, and so is a
    KServe model, whose runtime has the volumes, and Ray's own container, to which KubeRay adds one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule

_SHARED: Final = "/dev/shm"  # noqa: S108  the path itself is meant


def _check(container: Container) -> Iterator[Hit]:
    mounts = container.at("volumeMounts")
    paths = (
        {one.get("mountPath") for one in mounts if isinstance(one, Mapping)}
        if isinstance(mounts, list)
        else set()
    )
    shared = {_SHARED, f"{_SHARED}/", "/dev"} & paths or container.workload.at("hostIPC") is True
    of_ray = container.workload.item.reference.api_version.startswith("ray.io/")
    if container.path[-1] == "model" or (of_ray and container.path[-1] == 0):
        return
    for name, count in container.gpus.items():
        if count >= 2 and not shared and "/mig-" not in name:
            path = (*container.path, "resources")
            yield Hit(
                path, f"{count} {name} share the 64 MiB of shared memory that a container gets by itself"
            )


RULE = Rule("TNG009", "warning", "container", _check, __doc__)
