"""Replicas share a volume that one node can mount.

What it finds:
    A Deployment of several replicas that mounts a claim whose access modes are ReadWriteOnce or
    ReadWriteOncePod only.
Why it matters:
    Replicas on other nodes wait for the volume for ever, so that all run on one node, or do not run.
    Source: kubernetes.io/docs/concepts/storage/persistent-volumes, access modes.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      replicas: 3
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
      replicas: 3
      template:
        spec:
          containers: [{name: server}]
          volumes: [{name: models, persistentVolumeClaim: {claimName: models}}]
    ---
    apiVersion: v1
    kind: PersistentVolumeClaim
    metadata: {name: models}
    spec: {accessModes: [ReadOnlyMany]}
How to fix:
    Use a volume that many nodes can read, an image volume, or one claim for each replica in a StatefulSet.
Limits:
    The claim must be among the objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tonnage.audit.context import Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if workload.item.kind != "Deployment" or workload.replicas_max < 2:
        return
    for path, volume in workload.listed("volumes"):
        source = volume.get("persistentVolumeClaim")
        name = source.get("claimName") if isinstance(source, Mapping) else None
        for claim in workload.context.of_kind("PersistentVolumeClaim", workload.item.namespace):
            modes = claim.at("spec", "accessModes")
            once = isinstance(modes, list) and modes and all("Once" in str(mode) for mode in modes)
            if claim.name == name and once:
                yield Hit(
                    path, f"up to {workload.replicas_max} replicas share {name}, which one node can mount"
                )


RULE = Rule("TNG047", "error", "workload", _check, __doc__)
