"""Files from the node's own disk.

What it finds:
    A hostPath volume in a workload with replicas.
Why it matters:
    A replica on another node finds other files, or an empty folder, and a new node has none at all.
    Source: kubernetes.io/docs/concepts/storage/volumes, hostPath (warning).
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers: [{name: server}]
          volumes: [{name: models, hostPath: {path: /data/models}}]
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers: [{name: server}]
          volumes: [{name: models, image: {reference: registry.example.com/ranker-model:3}}]
How to fix:
    Use an image volume, a claim that many nodes can read, or a download in an init container.
Limits:
    Paths under /dev, /sys, /proc and /run are left out, being the node's own business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule

_NODES_OWN: Final = ("/dev", "/sys", "/proc", "/run", "/var/run", "/etc/localtime")


def _check(workload: Workload) -> Iterator[Hit]:
    for path, volume in workload.listed("volumes") if workload.is_replicated else ():
        source = volume.get("hostPath")
        where = str(source.get("path")) if isinstance(source, Mapping) else ""
        if where and not where.startswith(_NODES_OWN):
            yield Hit((*path, "hostPath"), f"{where} differs from node to node")


RULE = Rule("TNG098", "warning", "workload", _check, __doc__)
