"""The inventory counts what there is, what is used, and which shapes still fit."""

from __future__ import annotations

from hypothesis import given

from tests.unit.gpus.makers import GPU, clusters, node, pod
from tonnage.gpus import inventory
from tonnage.gpus.documenting import inventory_document
from tonnage.gpus.labelling import labelling


def test_gpus_are_counted_by_vendor_resource_and_type() -> None:
    """Totals stand for each type; used are those that running pods request."""
    nodes = [node("a"), node("b"), node("c", 4, kind="t4"), node("m", 8, resource="amd.com/gpu", kind="mi300x"), node("cpu", 0)]
    pods = [pod("x", 6, on="a"), pod("y", 3, on="c"), pod("z", 8, on="m", resource="amd.com/gpu")]
    found = inventory(nodes, pods)
    rows = [(one.vendor, one.type, one.nodes, one.allocatable, one.used, one.free, dict(one.fits)) for one in found.totals]
    assert rows == [
        ("amd", "mi300x", 1, 8, 8, 0, {1: 0, 2: 0, 4: 0, 8: 0}),
        ("nvidia", "a100", 2, 16, 6, 10, {1: 10, 2: 5, 4: 2, 8: 1}),
        ("nvidia", "t4", 1, 4, 3, 1, {1: 1, 2: 0, 4: 0, 8: 0}),
    ]
    assert (len(found.nodes), found.nodes_known) == (4, 5)


def test_free_gpus_of_different_nodes_do_not_add_up() -> None:
    """Four nodes with two free GPUs take eight pods of one and no pod of four."""
    nodes = [node(f"n{rank}", 8) for rank in range(4)]
    pods = [pod(f"p{rank}", 6, on=f"n{rank}") for rank in range(4)]
    (total,) = inventory(nodes, pods).totals
    assert (total.free, dict(total.fits)) == (8, {1: 8, 2: 4, 4: 0, 8: 0})


def test_pods_that_ended_use_nothing_and_pending_ones_wait() -> None:
    """Phases Succeeded and Failed hold no GPU; a pod without a node waits for its."""
    pods = [pod("done", 4, on="a", phase="Succeeded"), pod("lost", 2, on="a", phase="Failed"), pod("next", 8)]
    found = inventory([node("a")], pods)
    assert found.totals[0].used == 0
    assert [(one.pod, one.resource, one.count) for one in found.waiting] == [("default/next", GPU, 8)]


def test_nodes_that_take_no_pods_are_counted_apart() -> None:
    """GPUs of cordoned and unready nodes are blocked; a taint of people's own blocks nothing."""
    nodes = [
        node("cordoned", cordoned=True),
        node("unready", 4, taints=("node.kubernetes.io/not-ready",), ready=False),
        node("leaving", 2, taints=("ToBeDeletedByClusterAutoscaler=1",)),
        node("team", 1, taints=("team=a",)),
    ]
    found = inventory(nodes, [])
    (total,) = found.totals
    assert (total.free, total.blocked, total.fits[1]) == (1, 14, 1)
    state = {one.name: (one.ready, one.cordoned, one.usable, one.taints) for one in found.nodes}
    assert state["cordoned"] == (True, True, False, ("node.kubernetes.io/unschedulable:NoSchedule",))
    assert state["unready"][0] is False
    assert state["team"] == (True, False, True, ("team=a:NoSchedule",))


def test_broken_gpus_and_full_nodes_take_no_pods() -> None:
    """What is not allocatable is not free, more use than that is no negative rest, and pods take slots."""
    nodes = [node("broken", 8, healthy=5), node("worse", 8, healthy=1), node("full", 8, pods="1")]
    found = inventory(nodes, [pod("x", 2, on="broken"), pod("y", 4, on="worse"), pod("z", 0, on="full")])
    rows = {one.name: (one.holdings[0].capacity, one.holdings[0].free, one.fits(one.holdings[0], 1)) for one in found.nodes}
    assert rows == {"broken": (8, 3, 3), "worse": (8, 0, 0), "full": (8, 8, 0)}


def test_the_type_is_the_labels_or_what_others_say() -> None:
    """Without the type label the short name of the product stands in, and the label can be another one."""
    labels = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "tier": "gold"}
    nodes = [node("a", kind=None, **labels), node("b", kind="mine", **labels), node("c", kind=None)]
    assert [(one.type, one.labelled) for one in inventory(nodes).nodes] == [("h100", False), ("mine", True), ("", False)]
    assert [one.type for one in inventory(nodes, type_label="tier").nodes] == ["gold", "gold", ""]


def test_mig_slices_and_shares_are_resources_of_their_own() -> None:
    """One node can have whole GPUs and slices; the labels' counts of slices are kept."""
    one = node("a", 4, **{"nvidia.com/mig-1g.10gb.count": "14"})
    for amounts in (one["status"]["capacity"], one["status"]["allocatable"]):
        amounts["nvidia.com/mig-1g.10gb"] = "14"
    (found,) = inventory([one], [pod("s", 3, on="a", resource="nvidia.com/mig-1g.10gb")]).nodes
    rows = [(hold.resource, hold.kind, hold.profile, hold.allocatable, hold.used) for hold in found.holdings]
    assert rows == [(GPU, "gpu", "", 4, 0), ("nvidia.com/mig-1g.10gb", "mig", "1g.10gb", 14, 3)]
    assert found.mig == {"1g.10gb": 14}


def test_pods_on_nodes_that_were_not_given_are_said_to_be_left_out() -> None:
    """A list of pods may be longer than that of nodes."""
    assert inventory([node("a")], [pod("x", on="gone")]).notes == (
        "1 pod is on nodes that were not given, and left out",
    )


def test_labels_are_offered_for_nodes_without_one() -> None:
    """One command for each type; what cannot be told and what differs is named."""
    t4, a100 = {"nvidia.com/gpu.product": "Tesla-T4"}, {"karpenter.k8s.aws/instance-gpu-name": "a100"}
    nodes = [
        node("n1", kind=None, **t4), node("n2", kind=None, **a100), node("n3", kind=None, **t4),
        node("n4", kind=None), node("n5", kind="a100", **t4), node("n6", kind="a100", **a100), node("n7", 0, kind=None),
    ]  # fmt: skip
    found = labelling(inventory(nodes))
    assert found.commands("gpu-type") == ("kubectl label nodes n2 gpu-type=a100", "kubectl label nodes n1 n3 gpu-type=t4")
    assert found.unknown == ("n4",)
    assert found.differing == (("n5", "a100", "t4"),)


@given(clusters())
def test_nothing_is_counted_twice_or_lost(made) -> None:
    """Totals are the sum of nodes, free and used fill what is allocatable, and larger pods fit no oftener."""
    nodes, pods = made
    found = inventory(nodes, pods)
    for total in found.totals:
        holdings = [
            (one, hold) for one in found.nodes for hold in one.holdings
            if (hold.resource, one.type) == (total.resource, total.type)
        ]  # fmt: skip
        assert total.nodes == len(holdings)
        assert total.used == sum(hold.used for _, hold in holdings)
        assert total.free + total.blocked == sum(hold.free for _, hold in holdings)
        fits = [total.fits[size] for size in sorted(total.fits)]
        assert fits == sorted(fits, reverse=True)
        assert all(total.fits[size] * size <= total.free for size in total.fits)
    asked = sum(int(one["spec"]["containers"][0]["resources"]["limits"].get(GPU, 0)) for one in pods)
    known = {one.name for one in found.nodes}
    elsewhere = sum(
        int(one["spec"]["containers"][0]["resources"]["limits"].get(GPU, 0))
        for one in pods
        if one["spec"]["nodeName"] not in known
    )
    assert sum(hold.used for one in found.nodes for hold in one.holdings) == asked - elsewhere
    assert inventory_document(found, (1, 8)) == inventory_document(inventory(nodes, pods), (1, 8))
