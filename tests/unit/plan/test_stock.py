"""Room on nodes, as the scheduler gives it, and quotas."""

from __future__ import annotations

from tonnage.kube.quantity import Quantity, parse_quantity
from tonnage.plan.stock import Quota, place_replicas, quota_bound
from tonnage.scheduling import Amounts, Node, Pod
from tonnage.scheduling.node import ZONE
from tonnage.scheduling.objects import pod_from_object


def node(name: str, cpu: int = 4000, gpus: int = 0, zone: str = "a") -> Node:
    scalars = (("nvidia.com/gpu", gpus),) if gpus else ()
    return Node(
        name,
        labels={"kubernetes.io/hostname": name, ZONE: zone},
        allocatable=Amounts(cpu_millicores=cpu, memory_bytes=2**34, scalars=scalars),
    )


def replica(cpu: int = 1000, gpus: int = 0) -> Pod:
    requests = {"cpu": f"{cpu}m", "memory": "1Gi"}
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    container = {"name": "server", "resources": {"requests": requests | limits, "limits": limits}}
    return pod_from_object({"metadata": {"name": "made"}, "spec": {"containers": [container]}})


def test_replicas_are_placed_until_nothing_fits():
    """Two nodes of four cores take eight replicas of one, turn by turn."""
    stock = place_replicas([node("a"), node("b")], [], replica())
    assert stock.replicas_max == 8
    assert stock.complete
    assert sorted(stock.nodes[:2]) == ["a", "b"]
    assert stock.refusal.startswith("0/2 nodes are available: 2 Insufficient cpu")


def test_gpus_are_the_stock():
    """Three GPUs are three replicas, however much CPU there is."""
    nodes = [node("a", 64_000, gpus=1), node("b", 64_000, gpus=2), node("c", 64_000)]
    stock = place_replicas(nodes, [], replica(gpus=1))
    assert sorted(stock.nodes) == ["a", "b", "b"]


def test_pods_that_run_take_their_room():
    """Other people's pods are not moved."""
    other = replica(3000)
    stock = place_replicas([node("a")], [(other, "a"), (other, "elsewhere")], replica())
    assert stock.replicas_max == 1


def test_a_bound_ends_the_placing():
    """Where the bound ends it, it is not known how many would fit."""
    stock = place_replicas([node("a", 1_000_000)], [], replica(), replicas_max=3)
    assert (stock.replicas_max, stock.complete, stock.refusal) == (3, False, "")


def test_prices_and_zones_follow_the_nodes():
    """Each placed replica knows its node's zone and price."""
    nodes = [node("a", 1000, zone="x"), node("b", 1000, zone="y")]
    stock = place_replicas(nodes, [], replica(), prices={"a": 1.5})
    assert dict(zip(stock.nodes, stock.zones, strict=True)) == {"a": "x", "b": "y"}
    assert dict(zip(stock.nodes, stock.per_hour, strict=True)) == {"a": 1.5, "b": None}


def test_the_tightest_quota_bounds():
    """CPU by either name, memory, pods and GPUs each bound; what a replica does not take does not."""
    each = {"cpu": parse_quantity("500m"), "memory": parse_quantity("1Gi"), "nvidia.com/gpu": Quantity.of(1)}
    quotas = (
        Quota("wide", {"pods": Quantity.of(100), "requests.storage": parse_quantity("1Gi")}),
        Quota("cpu", {"cpu": Quantity.of(8), "requests.memory": parse_quantity("64Gi")}),
        Quota("gpu", {"requests.nvidia.com/gpu": Quantity.of(5)}),
    )
    bound = quota_bound(quotas, each)
    assert bound is not None
    assert (bound.replicas, bound.quota, bound.resource, bound.left, bound.each) == (
        5,
        "gpu",
        "requests.nvidia.com/gpu",
        "5",
        "1",
    )
    wide = quota_bound(quotas[:2], each)
    assert wide is not None
    assert (wide.replicas, wide.resource) == (16, "cpu")
    assert quota_bound((Quota("other", {"count/secrets": Quantity.of(3)}),), each) is None
