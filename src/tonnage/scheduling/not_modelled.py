"""What of a pod bears on its scheduling and is left out here: silence is not agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_VOLUMES: Final = {
    "persistentVolumeClaim": "where its volume can be attached, and how many a node attaches",
    "ephemeral": "where its volume can be attached, and how many a node attaches",
    "csi": "how many volumes of its driver a node attaches",
    "gcePersistentDisk": "that two pods do not share the disk",
    "awsElasticBlockStore": "that two pods do not share the disk",
    "rbd": "that two pods do not share the image",
    "iscsi": "that two pods do not share the disk",
}


def not_modelled(
    value: Mapping[str, Any], claims: Mapping[str, Mapping[str, int]] | None = None
) -> list[str]:
    """Names what the scheduler would look at in a Pod, or pod template, and this room does not.

    Args:
        value: The object, as ``pod_from_object`` accepts it.
        claims: The resource claims that are known, as given to ``pod_from_object``.

    Returns:
        One line per thing, ``<path>: <what is not looked at>``; empty when all is modelled.
    """
    return list(_found(value, claims or {}))


def _found(value: Mapping[str, Any], claims: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    spec = value.get("spec") or {}
    for rank, volume in enumerate(spec.get("volumes") or []):
        for kind, what in _VOLUMES.items():
            if kind in volume:
                yield f"spec.volumes[{rank}].{kind}: {what}"
    for rank, claim in enumerate(spec.get("resourceClaims") or []):
        name = claim.get("resourceClaimTemplateName") or claim.get("resourceClaimName")
        if name in claims:
            yield f"spec.resourceClaims[{rank}]: which devices fit it; they are counted per device class"
        else:
            yield f"spec.resourceClaims[{rank}]: anything of it, as no claim named {name} is known"
    scheduler = spec.get("schedulerName", "default-scheduler")
    if scheduler != "default-scheduler":
        yield f"spec.schedulerName: what {scheduler} does; the default scheduler is assumed"
    if spec.get("schedulingGroup"):
        yield "spec.schedulingGroup: that its pods are placed together or not at all"
    if spec.get("runtimeClassName") and not spec.get("overhead"):
        yield "spec.runtimeClassName: the overhead and node selector of the class"
    if any(name.startswith("hugepages-") for name in ((spec.get("resources") or {}).get("limits") or {})):
        yield "spec.resources: the defaults of huge pages at pod level"
    if spec.get("hostNetwork") and spec.get("hostUsers") is False:
        yield "spec.hostUsers: which nodes declare user namespaces with the host's network"
    for condition in (value.get("status") or {}).get("conditions") or []:
        if condition.get("type") in ("PodResizePending", "PodResizeInProgress"):
            yield "status.conditions: a resize in place; the requests of the spec are assumed"
