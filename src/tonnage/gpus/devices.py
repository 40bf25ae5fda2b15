"""Devices of dynamic resource allocation: which each node has, and which of them are taken.

A device counts for every class, and for every request of a claim, whose selectors pick it. What is counted is
enough to say whether a node has devices for a claim, and not which ones it gets: devices that share counters
(MIG slices of one GPU that exclude each other), constraints between requests and devices outside of nodes are
named in ``notes`` and not computed.

Source: k8s.io/api v0.37.2, resource/v1/types.go; k8s.io/dynamic-resource-allocation v0.37.2,
structured/internal (pools of the newest generation only, devices with NoSchedule taints passed over).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tonnage.gpus.expressions import Device, NotUnderstood, compiled
from tonnage.kube.quantity import QuantityError, parse_quantity

Object = Mapping[str, Any]
Test = Callable[[Device], bool]


@dataclass(frozen=True, slots=True)
class Found:
    """One device of a node.

    Attributes:
        key: Driver, pool and name, which tell it apart.
        node: The node.
        device: What selectors see of it.
        taken: Whether a claim has it.
        shares: Whether it shares counters with other devices.
    """

    key: tuple[str, str, str]
    node: str
    device: Device
    taken: bool
    shares: bool


@dataclass(frozen=True, slots=True)
class DeviceCount:
    """Devices of one class on one node.

    Attributes:
        device_class: The class.
        driver: Driver of its devices there.
        total: How many there are.
        used: How many of them claims have.
    """

    device_class: str
    driver: str
    total: int
    used: int

    @property
    def free(self) -> int:
        """How many no claim has."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Devices:
    """All devices of a cluster.

    Attributes:
        found: Each device.
        tests: Per class, what picks its devices.
        extended: Extended resource to the class that backs it, where a class names one.
        notes: What could not be read or is not computed.
    """

    found: tuple[Found, ...] = ()
    tests: Mapping[str, Test] = field(default_factory=dict)
    extended: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of_node(self, node: str) -> tuple[DeviceCount, ...]:
        """The devices of a node by class, those classes that have some."""
        here = [one for one in self.found if one.node == node]
        counts = []
        for name, test in self.tests.items():
            picked = [one for one in here if test(one.device)]
            if picked:
                drivers = "+".join(sorted({one.device.driver for one in picked}))
                counts.append(DeviceCount(name, drivers, len(picked), sum(one.taken for one in picked)))
        return tuple(counts)

    def free_of(self, tests: Sequence[Test]) -> dict[str, int]:
        """By node, how many free devices pass all tests."""
        free = Counter(
            one.node for one in self.found if not one.taken and all(test(one.device) for test in tests)
        )
        return dict(free)


def devices_of(
    slices: Iterable[Object], classes: Iterable[Object] = (), claims: Iterable[Object] = ()
) -> Devices:
    """Reads the devices of a cluster.

    Args:
        slices: ResourceSlices.
        classes: DeviceClasses.
        claims: ResourceClaims; those with an allocation say which devices are taken.
    """
    notes: list[str] = []
    taken = _taken(claims)
    found: list[Found] = []
    for one in _newest(slices):
        found += _devices_in(one, taken, notes)
    if any(one.shares for one in found):
        notes.append("devices share counters (partitions of a GPU): how they exclude each other is left out")
    tests: dict[str, Test] = {}
    extended: dict[str, str] = {}
    for one in classes:
        name = str(one["metadata"]["name"])
        spec = one.get("spec") or {}
        try:
            tests[name] = _all_of([compiled(text) for text in selectors_in(spec)])
        except NotUnderstood as error:
            notes.append(f"DeviceClass/{name}: its selector is not understood ({error}); it counts no device")
            continue
        if spec.get("extendedResourceName"):
            extended[str(spec["extendedResourceName"])] = name
    return Devices(tuple(found), tests, extended, tuple(notes))


def selectors_in(value: Object) -> list[str]:
    """The expressions of a class's or request's selectors."""
    return [
        str((selector.get("cel") or {}).get("expression", "")) for selector in value.get("selectors") or ()
    ]


def _all_of(tests: Sequence[Test]) -> Test:
    return lambda device: all(test(device) for test in tests)


def _taken(claims: Iterable[Object]) -> set[tuple[str, str, str]]:
    found = set()
    for claim in claims:
        allocation = ((claim.get("status") or {}).get("allocation")) or {}
        for one in (allocation.get("devices") or {}).get("results") or ():
            if not one.get("adminAccess"):
                found.add((str(one.get("driver")), str(one.get("pool")), str(one.get("device"))))
    return found


def _newest(slices: Iterable[Object]) -> list[Object]:
    """Slices of each pool's newest generation: older ones are being replaced."""
    newest: dict[tuple[str, str], int] = {}
    every = list(slices)
    for one in every:
        key, generation = _pool(one)
        newest[key] = max(newest.get(key, 0), generation)
    return [one for one in every if _pool(one)[1] == newest[_pool(one)[0]]]


def _pool(one: Object) -> tuple[tuple[str, str], int]:
    spec = one.get("spec") or {}
    pool = spec.get("pool") or {}
    return (str(spec.get("driver")), str(pool.get("name"))), int(pool.get("generation") or 0)


def _devices_in(one: Object, taken: set[tuple[str, str, str]], notes: list[str]) -> list[Found]:
    spec = one.get("spec") or {}
    name = str((one.get("metadata") or {}).get("name"))
    driver, pool = _pool(one)[0]
    found = []
    for value in spec.get("devices") or ():
        node = value.get("nodeName") or spec.get("nodeName")
        if not node:
            notes.append(f"ResourceSlice/{name}: devices that belong to no single node are left out")
            break
        if any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in value.get("taints") or ()):
            notes.append(f"ResourceSlice/{name}: {value.get('name')} is tainted and left out")
            continue
        key = (driver, pool, str(value.get("name")))
        shares = bool(value.get("consumesCounters"))
        found.append(Found(key, str(node), _device(value, driver), key in taken, shares))
    return found


def _device(value: Object, driver: str) -> Device:
    attributes: dict[str, dict[str, Any]] = {}
    for key, held in (value.get("attributes") or {}).items():
        domain, _, name = str(key).rpartition("/")
        kinds = [held[kind] for kind in ("string", "int", "bool", "version") if kind in (held or {})]
        if kinds:
            attributes.setdefault(domain or driver, {})[name] = kinds[0]
    capacity: dict[str, dict[str, Any]] = {}
    for key, held in (value.get("capacity") or {}).items():
        domain, _, name = str(key).rpartition("/")
        amount = held.get("value") if isinstance(held, Mapping) else held
        try:
            capacity.setdefault(domain or driver, {})[name] = parse_quantity(str(amount))
        except QuantityError:
            continue
    return Device(driver, attributes, capacity)
