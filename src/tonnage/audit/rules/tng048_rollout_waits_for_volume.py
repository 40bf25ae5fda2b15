"""Rolling update that waits for its own volume.

What it finds:
    A Deployment of one replica that mounts a ReadWriteOnce claim and brings the new pod up before the old one
    goes.
Why it matters:
    On another node the new pod cannot mount the volume, and the old one stays until the new one is ready.
    Source: kubernetes.io/docs/concepts/storage/persistent-volumes, access modes.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers: [{name: server}]
          volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
    ---
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: models}
    spec: {accessModes: [ReadWriteOnce]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      strategy: {type: Recreate}
      template:
        spec:
          containers: [{name: server}]
          volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
    ---
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: models}
    spec: {accessModes: [ReadWriteOnce]}
How to fix:
    Use strategy Recreate, or a volume that many nodes can mount.
Limits:
    The claim must be among the objects. On the same node the mount succeeds, but for ReadWriteOncePod.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Workload, share_of
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    item = workload.item
    gone = share_of(item.at("spec", "strategy", "rollingUpdate", "maxUnavailable"), 1, up=False)
    if item.kind != "Deployment" or workload.replicas_max != 1 or gone:
        return
    if item.at("spec", "strategy", "type") == "Recreate":
        return
    for path, volume in workload.listed("volumes"):
        source = volume.get("persistentVolumeClaim")
        name = source.get("claimName") if isinstance(source, Mapping) else None
        for claim in workload.context.of_kind("PersistentVolumeClaim", item.namespace):
            modes = claim.at("spec", "accessModes")
            once = isinstance(modes, list) and modes and all("Once" in str(mode) for mode in modes)
            if claim.name == name and once:
                yield Hit(path, f"a new pod on another node waits for {name}, which the old one holds")


RULE = Rule("TNG048", "warning", "workload", _check, __doc__)
