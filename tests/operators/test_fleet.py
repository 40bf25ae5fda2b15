"""Nodes of every kind are usable by the real scheduler as their vendors' software makes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from controlplane.fleet import RUNS_FOR
from controlplane.machines import MACHINES
from operator_world import World, opened

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("fleet"), dict.fromkeys(MACHINES, 1)) as world:
        yield world


def _pod(name: str, resources: dict[str, str], **spec: object) -> dict[str, object]:
    metadata = {"name": name, "annotations": {RUNS_FOR: "1s"}}
    container = {"name": "main", "image": "none", "resources": {"limits": resources}}
    fixed = {"restartPolicy": "Never", "tolerations": [{"operator": "Exists"}], "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**fixed, **spec}}


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("nvidia.com/mig-3g.40gb", "h100-mig"),
        ("amd.com/gpu", "mi300x-8"),
        ("gpu.intel.com/i915", "i915-2"),
        ("gpu.intel.com/xe", "xe-2"),
        ("habana.ai/gaudi", "gaudi-8"),
        ("deviceclass.resource.kubernetes.io/gpu.nvidia.com", "dra-h100-8"),
        ("deviceclass.resource.kubernetes.io/gpu.amd.com", "dra-mi300x-8"),
    ],
)
def test_a_pod_runs_where_its_resource_is_and_ends(world: World, resource: str, kind: str) -> None:
    name = "asks-" + kind
    world.api.create(_pod(name, {resource: "2"}))
    world.holds(lambda: world.api.get("v1", "Pod", name)["status"]["phase"] == "Succeeded", f"{name} has not ended")
    assert world.api.get("v1", "Pod", name)["spec"]["nodeName"] == f"{kind}-000"


@pytest.mark.parametrize("kind", [one.kind for one in MACHINES.values() if one.type])
def test_a_node_has_the_type_its_taint_and_an_address_of_its_own(world: World, kind: str) -> None:
    node = world.api.get("v1", "Node", f"{kind}-000")
    assert node["metadata"]["labels"]["gpu-type"] == MACHINES[kind].type
    assert [f"{one['key']}={one['value']}:{one['effect']}" for one in node["spec"].get("taints", [])] == list(MACHINES[kind].taints)
    assert {one["type"] for one in node["status"]["addresses"]} == {"InternalIP", "Hostname"}
    assert node["status"]["allocatable"].items() >= {"pods": "110"}.items()


def test_a_hundred_nodes_join_and_stand_in_racks_blocks_and_zones(world: World) -> None:
    from controlplane.machines import BLOCK, RACK

    world.fleet.add({"t4-1": 100})
    nodes = world.api.find("v1", "Node", selector="node.kubernetes.io/instance-type=n1-standard-8")
    assert len(nodes) == 101
    labels = [one["metadata"]["labels"] for one in nodes]
    assert len({one[RACK] for one in labels}) == 26
    assert len({one[BLOCK] for one in labels}) == 7
    assert {one["topology.kubernetes.io/zone"] for one in labels} == {"region-1a", "region-1b", "region-1c"}
