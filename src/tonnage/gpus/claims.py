"""What pods claim of devices: by claims, templates, or extended resources that a DeviceClass stands behind.

Each request of a claim becomes a key, its class and selectors, with a count; a node's free devices are then
counted for each key. Deviations: of alternatives (``firstAvailable``) the first is taken, ``All`` devices
counts as one, and two requests that could take the same device are counted apart.

Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/framework/plugins/dynamicresources (extended resources:
extendeddynamicresources.go), pkg/scheduler/framework/plugins/noderesources/fit.go (where a node allocates the
resource itself, its device plug-in is used).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.gpus.devices import Devices, Test, selectors_in
from tonnage.gpus.expressions import NotUnderstood, compiled
from tonnage.kube.shape import quantity_of
from tonnage.manifests.gpu import DEVICE_CLASS_PREFIX
from tonnage.scheduling import Node

Object = Mapping[str, Any]
Counts = dict[str, dict[str, int]]


class ClaimReader:
    """Reads claims of pods, one after the other, and remembers which keys they use.

    Args:
        devices: The cluster's devices.
        objects: ResourceClaims and ResourceClaimTemplates by kind, namespace and name.
        nodes: The nodes, for what they allocate by device plug-in.
    """

    def __init__(
        self, devices: Devices, objects: Mapping[tuple[str, str, str], Object], nodes: Sequence[Node]
    ) -> None:
        self._devices = devices
        self._objects = objects
        self._plugged = {name for node in nodes for name, amount in node.allocatable.scalars if amount > 0}
        self._keys: dict[str, list[Test]] = {}
        self._notes: dict[str, None] = dict.fromkeys(devices.notes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was simplified or not understood; nothing when no pod claims devices."""
        return tuple(self._notes) if self._keys else ()

    def resolve(self, pod: Object) -> tuple[Object, Counts]:
        """A pod's object with every claim in ``spec.resourceClaims``, and what each of them counts."""
        spec = pod.get("spec") or {}
        namespace = str((pod.get("metadata") or {}).get("namespace") or "default")
        counts: Counts = {}
        for one in spec.get("resourceClaims") or ():
            template, claim = one.get("resourceClaimTemplateName"), one.get("resourceClaimName")
            kind = "ResourceClaimTemplate" if template else "ResourceClaim"
            found = self._objects.get((kind, namespace, str(template or claim)))
            if found is not None:
                body = found.get("spec") or {}
                counts[str(template or claim)] = self._count(body.get("spec") or body)
        extended: dict[str, int] = {}
        containers = []
        for container in spec.get("containers") or ():
            bare, taken = self._without_extended(container)
            containers.append(bare)
            for key, count in taken.items():
                extended[key] = extended.get(key, 0) + count
        if not extended:
            return pod, counts
        name = f"{(pod.get('metadata') or {}).get('name')}-extended-resources"
        counts[name] = extended
        claims = [*(spec.get("resourceClaims") or ()), {"name": name, "resourceClaimName": name}]
        return {**pod, "spec": {**spec, "containers": containers, "resourceClaims": claims}}, counts

    def free(self) -> dict[str, dict[str, int]]:
        """Per key that a claim used: by node, how many free devices there are for it."""
        return {key: self._devices.free_of(tests) for key, tests in self._keys.items()}

    def _count(self, spec: Object) -> dict[str, int]:
        counts: dict[str, int] = {}
        for request in (spec.get("devices") or {}).get("requests") or ():
            exact = request.get("exactly") or request
            if request.get("firstAvailable"):
                exact = request["firstAvailable"][0]
                self._notes["of alternatives (firstAvailable) the first is looked at"] = None
            if exact.get("allocationMode", "ExactCount") != "ExactCount":
                self._notes["a claim of all devices of a node is counted as one device"] = None
            if exact.get("adminAccess"):
                continue
            key = self._key(str(exact.get("deviceClassName", "")), selectors_in(exact))
            counts[key] = counts.get(key, 0) + int(exact.get("count") or 1)
        return counts

    def _key(self, device_class: str, expressions: Sequence[str]) -> str:
        key = " and ".join((device_class, *expressions))
        if key not in self._keys:
            tests = [self._devices.tests.get(device_class, _nothing)]
            for expression in expressions:
                try:
                    tests.append(compiled(expression))
                except NotUnderstood as error:
                    self._notes[f"a claim's selector is not understood ({error}); it picks no device"] = None
                    tests.append(_nothing)
            self._keys[key] = tests
        return key

    def _without_extended(self, container: Object) -> tuple[Object, dict[str, int]]:
        """A container without the extended resources that devices stand behind, and the devices."""
        resources = container.get("resources") or {}
        amounts = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        taken: dict[str, int] = {}
        dropped = set()
        for name, amount in amounts.items():
            device_class = self._behind(name)
            if device_class is not None:
                dropped.add(name)
                key = self._key(device_class, ())
                taken[key] = taken.get(key, 0) + quantity_of(amount).value
        if not dropped:
            return container, {}
        left: dict[str, dict[str, Any]] = {}
        for kind in ("limits", "requests"):
            held = resources.get(kind) or {}
            left[kind] = {name: amount for name, amount in held.items() if name not in dropped}
        return {**container, "resources": left}, taken

    def _behind(self, resource: str) -> str | None:
        """The DeviceClass behind an extended resource that no node's device plug-in has."""
        if resource in self._plugged:
            return None
        named = self._devices.extended.get(resource)
        if named is None and resource.startswith(DEVICE_CLASS_PREFIX):
            named = resource.removeprefix(DEVICE_CLASS_PREFIX)
        return named if named in self._devices.tests else None


def _nothing(device: object) -> bool:
    del device
    return False
