"""Devices of dynamic resource allocation are counted as classes and claims select them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.gpus.makers import GPU, node, pod
from tonnage.gpus import fit, inventory
from tonnage.gpus.expressions import Device, NotUnderstood, compiled
from tonnage.kube.quantity import parse_quantity

A100 = Device(
    "gpu.nvidia.com",
    {"gpu.nvidia.com": {"type": "gpu", "productName": "NVIDIA A100-SXM4-80GB", "index": 3, "healthy": True}},
    {"gpu.nvidia.com": {"memory": parse_quantity("80Gi")}},
)


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ('device.driver == "gpu.nvidia.com"', True),
        ("device.driver != 'gpu.nvidia.com'", False),
        ("device.driver == 'gpu.nvidia.com' && device.attributes['gpu.nvidia.com'].type == 'gpu'", True),
        ("device.attributes['gpu.nvidia.com'].type == 'mig'", False),
        ("device.attributes['gpu.nvidia.com']['productName'].lowerAscii().matches('^.*a100.*$')", True),
        ("device.attributes['gpu.nvidia.com'].productName.startsWith('NVIDIA H')", False),
        ("device.attributes['gpu.nvidia.com'].index in [1, 2, 3]", True),
        ("device.attributes['gpu.nvidia.com'].index >= 4", False),
        ("device.attributes['gpu.nvidia.com'].healthy", True),
        ("!device.attributes['gpu.nvidia.com'].healthy || device.driver == 'x'", False),
        ("device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('40Gi')) >= 0", True),
        ("device.capacity['gpu.nvidia.com'].memory.isGreaterThan(quantity('80Gi'))", False),
        ("'gpu.nvidia.com' in device.attributes && (true)", True),
        # what a device lacks selects it not, as in CEL, where it is an error
        ("device.attributes['gpu.nvidia.com'].absent == 'x'", False),
        ("device.attributes['other'].type != 'gpu'", False),
        ("device.attributes['other'].type == 'x' || device.driver == 'gpu.nvidia.com'", True),
    ],
)
def test_selectors_select(expression: str, selected: bool) -> None:
    """What selectors of devices are written with is evaluated."""
    assert compiled(expression)(A100) is selected


@pytest.mark.parametrize(
    "expression",
    ["", "device", "device.driver ==", "device.other == 'x' && @", "cel.bind(x, 1, x)", "device.driver.size() > 1",
     "[1, 2].all(x, x > 0)", "device.driver == 'a' 'b'", "(" * 80 + "true" + ")" * 80],
)  # fmt: skip
def test_other_expressions_are_refused(expression: str) -> None:
    """What is not read is refused when it is compiled, or selects nothing."""
    try:
        assert not compiled(expression)(A100)
    except NotUnderstood:
        pass


PARTS = (
    "device", ".driver", ".attributes", ".capacity", "['gpu.nvidia.com']", ".memory", ".type", ".index", " == ", " != ",
    " < ", " in ", " && ", " || ", "!", "(", ")", "[", "]", ", ", "'gpu'", "3", "true", "quantity('1Gi')",
    ".compareTo(", ".matches(", ".startsWith('a')", ".lowerAscii()", "x", "@",
)  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=14).map("".join) | st.text(max_size=30) | st.just("!" * 5000))
def test_no_expression_breaks_the_reader(expression: str) -> None:
    """An expression selects, does not, or is refused; nothing else happens."""
    try:
        selects = compiled(expression)
    except NotUnderstood:
        return
    assert selects(A100) in (True, False)


def device_class(name: str, expression: str, extended: str | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"selectors": [{"cel": {"expression": expression}}]}
    if extended:
        spec["extendedResourceName"] = extended
    return {"kind": "DeviceClass", "metadata": {"name": name}, "spec": spec}


def resource_slice(name: str, on: str, kinds: list[str], generation: int = 1, **device: Any) -> dict[str, Any]:
    devices = [
        {"name": f"d{rank}", "attributes": {"type": {"string": kind}}, "capacity": {"memory": {"value": "80Gi"}}, **device}
        for rank, kind in enumerate(kinds)
    ]
    pool = {"name": on, "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": "gpu.nvidia.com", "nodeName": on, "pool": pool, "devices": devices}
    return {"kind": "ResourceSlice", "metadata": {"name": name}, "spec": spec}


def claim(name: str, pool: str, *devices: str) -> dict[str, Any]:
    results = [{"driver": "gpu.nvidia.com", "pool": pool, "device": one, "request": "gpu"} for one in devices]
    return {
        "kind": "ResourceClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": {"requests": []}},
        "status": {"allocation": {"devices": {"results": results}}},
    }


GPUS = device_class("gpu.nvidia.com", "device.attributes['gpu.nvidia.com'].type == 'gpu'", GPU)
MIGS = device_class("mig.nvidia.com", "device.attributes['gpu.nvidia.com'].type == 'mig'")
NODES = [node("a", 0), node("b", 0)]
SLICES = [resource_slice("s1", "a", ["gpu", "gpu", "mig"]), resource_slice("s2", "b", ["gpu"] * 4)]


def test_the_inventory_counts_devices_by_class() -> None:
    """Devices, and those that claims have, stand beside what plug-ins hand out."""
    found = inventory(NODES, [], SLICES, [GPUS, MIGS], [claim("c", "a", "d0")])
    rows = [(one.name, hold.resource, hold.allocation, hold.allocatable, hold.used) for one in found.nodes for hold in one.holdings]
    assert rows == [
        ("a", "gpu.nvidia.com", "dra", 2, 1),
        ("a", "mig.nvidia.com", "dra", 1, 0),
        ("b", "gpu.nvidia.com", "dra", 4, 0),
    ]
    assert {one.resource: one.vendor for one in found.totals} == {"gpu.nvidia.com": "nvidia", "mig.nvidia.com": "nvidia"}


def test_slices_of_an_older_generation_and_tainted_devices_do_not_count() -> None:
    """A pool's newest generation holds, and a device that is tainted is passed over."""
    old = resource_slice("old", "b", ["gpu"] * 8)
    new = resource_slice("new", "b", ["gpu"] * 2, generation=2)
    broken = resource_slice("bad", "a", ["gpu"], taints=[{"key": "unhealthy", "effect": "NoSchedule"}])
    found = inventory(NODES, [], [old, new, broken], [GPUS])
    assert [(one.name, one.holdings[0].allocatable) for one in found.nodes] == [("b", 2)]
    assert "ResourceSlice/bad: d0 is tainted and left out" in found.notes


def test_a_class_that_is_not_understood_is_said_so() -> None:
    """Its devices are not counted, and a note says why."""
    odd = device_class("odd", "device.allowMultipleAllocations")
    found = inventory(NODES, [], SLICES, [odd])
    assert found.nodes == ()
    odd = device_class("odd", "cel.bind(x, device.driver, x == 'a')")
    assert "DeviceClass/odd: its selector is not understood" in inventory(NODES, [], SLICES, [odd]).notes[0]


def template(count: int, expression: str | None = None, **request: Any) -> dict[str, Any]:
    exactly: dict[str, Any] = {"deviceClassName": "gpu.nvidia.com", "count": count, **request}
    if expression:
        exactly["selectors"] = [{"cel": {"expression": expression}}]
    spec = {"spec": {"devices": {"requests": [{"name": "gpu", "exactly": exactly}]}}}
    return {"kind": "ResourceClaimTemplate", "metadata": {"name": "gpus", "namespace": "default"}, "spec": spec}


def claiming(name: str) -> dict[str, Any]:
    return pod(name, 0, resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "gpus"}])


def test_claims_are_placed_where_devices_are_free() -> None:
    """Two pods with two devices each: both fit where four are free, and a third fits nowhere."""
    objects = [*SLICES, GPUS, MIGS, claim("c", "a", "d0"), template(2)]
    answer = fit([claiming("p0"), claiming("p1"), claiming("p2")], NODES, objects=objects)
    assert answer.placed == {"p0": "b", "p1": "b"}
    assert answer.rejected == {"a": ("cannot allocate all claims",), "b": ("cannot allocate all claims",)}


def test_a_claims_own_selector_counts() -> None:
    """A request that only larger devices satisfy finds none."""
    large = "device.capacity['gpu.nvidia.com'].memory.compareTo(quantity('100Gi')) > 0"
    answer = fit([claiming("p")], NODES, objects=[*SLICES, GPUS, template(1, large)])
    assert not answer.fits
    small = large.replace("100Gi", "79Gi")
    assert fit([claiming("p")], NODES, objects=[*SLICES, GPUS, template(1, small)]).fits


def test_an_extended_resource_is_taken_from_devices_where_no_plug_in_has_it() -> None:
    """``nvidia.com/gpu`` and ``deviceclass...`` stand for devices of the class that says so."""
    objects = [*SLICES, GPUS]
    assert fit([pod("p", 4)], NODES, objects=objects).placed == {"p": "b"}
    implicit = pod("p", 3, resource="deviceclass.resource.kubernetes.io/gpu.nvidia.com")
    assert fit([implicit], NODES, objects=objects).placed == {"p": "b"}
    assert not fit([pod("p", 5)], NODES, objects=objects).fits
    plugged = [*NODES, node("c", 8)]
    assert fit([pod("p", 5)], plugged, objects=objects).placed == {"p": "c"}


def test_what_of_claims_is_simplified_is_noted() -> None:
    """Alternatives and claims of all devices are said not to be computed."""
    many = template(1, allocationMode="All")
    assert "a claim of all devices of a node is counted as one device" in fit(
        [claiming("p")], NODES, objects=[*SLICES, GPUS, many]
    ).notes
