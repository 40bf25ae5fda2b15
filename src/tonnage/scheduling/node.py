"""A node as the scheduler sees it: labels, taints, what can be allocated, and which images are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from tonnage.scheduling.resources import Amounts

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
REGION: Final = "topology.kubernetes.io/region"
UNSCHEDULABLE_TAINT: Final = "node.kubernetes.io/unschedulable"

Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
EFFECTS: Final[tuple[Effect, ...]] = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Taint:
    """What keeps pods off a node that do not tolerate it.

    Attributes:
        key: Its name.
        value: Its value; often empty.
        effect: ``NoSchedule`` and ``NoExecute`` reject, ``PreferNoSchedule`` costs score.
    """

    key: str
    value: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Attributes:
        name: Its name, unique in the cluster.
        labels: Its labels.
        taints: Its taints.
        unschedulable: Whether it is cordoned.
        allocatable: What its pods may request in all.
        pods_max: How many pods it takes.
        images: Bytes of each image that it has, by every name of the image [bytes].
        devices: How many devices it has of each device class of dynamic resource allocation, for claims.
            A simplification: devices of a class are all alike, lie in one node and belong to no other class,
            and a claim counts them and is used by one pod.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    allocatable: Amounts = field(default_factory=Amounts)
    pods_max: int = 110
    images: Mapping[str, int] = field(default_factory=dict, hash=False)
    devices: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def zone_key(self) -> str:
        """Region and zone, by which the scheduler takes nodes in turn; empty when it has neither.

        Source: k8s.io/component-helpers v0.37.2, node/topology/helpers.go, GetZoneKey.
        """
        zone = self.labels.get("failure-domain.beta.kubernetes.io/zone", self.labels.get(ZONE, ""))
        region = self.labels.get("failure-domain.beta.kubernetes.io/region", self.labels.get(REGION, ""))
        return f"{region}:\x00:{zone}" if region or zone else ""
