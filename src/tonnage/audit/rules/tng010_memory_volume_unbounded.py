"""Volume in memory without a limit.

What it finds:
    An emptyDir of medium Memory without a sizeLimit, in a pod with a container that has no memory limit.
Why it matters:
    With memory limits everywhere the volume is as large as they are together; without, it may fill what the
    node has, and other pods are evicted for it.
    Source: k8s.io/kubernetes v1.37.2 pkg/volume/emptydir/empty_dir.go, calculateEmptyDirMemorySize.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers: [{name: server}]
      volumes:
      - name: shm
        emptyDir: {medium: Memory}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers: [{name: server}]
      volumes:
      - name: shm
        emptyDir: {medium: Memory, sizeLimit: 8Gi}
How to fix:
    Set a sizeLimit, and count it into the container's memory limit.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if all(one.amounts("limits").get("memory") for one in workload.containers):
        return
    for path, volume in workload.listed("volumes"):
        source = volume.get("emptyDir")
        if isinstance(source, Mapping) and source.get("medium") == "Memory" and not source.get("sizeLimit"):
            yield Hit((*path, "emptyDir"), f"volume {volume.get('name')} may take all of its node's memory")


RULE = Rule("TNG010", "warning", "workload", _check, __doc__)
