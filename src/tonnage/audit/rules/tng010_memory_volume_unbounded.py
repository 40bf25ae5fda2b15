"""Volume in memory without a limit.

What it finds:
    An emptyDir of medium Memory without a sizeLimit.
Why it matters:
    What is written there counts as memory of the container, whose limit kills it; in a pod without limits it
    may fill half of the node's memory.
    Source: kubernetes.io/docs/concepts/storage/volumes, emptyDir.
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
    for path, volume in workload.listed("volumes"):
        source = volume.get("emptyDir")
        if isinstance(source, Mapping) and source.get("medium") == "Memory" and not source.get("sizeLimit"):
            yield Hit((*path, "emptyDir"), f"volume {volume.get('name')} is memory without a bound")


RULE = Rule("TNG010", "warning", "workload", _check, __doc__)
