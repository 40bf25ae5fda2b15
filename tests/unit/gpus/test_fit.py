"""Whether pods fit, where they go, and what is said when they do not."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.unit.gpus.makers import GPU, clusters, gang, node, pod, wanted
from tonnage.errors import SpecError
from tonnage.gpus import fit, read_world
from tonnage.gpus.documenting import explanation_document, fit_document
from tonnage.gpus.explain import explain


def test_a_gang_is_placed_whole() -> None:
    """Eight workers with eight GPUs go to eight nodes."""
    nodes = [node(f"n{rank}", taints=(GPU,)) for rank in range(9)]
    answer = fit(gang(8, 8), nodes, [pod("x", 1, on="n0")], gang=True)
    assert answer.fits
    assert sorted(answer.placed.values()) == [f"n{rank}" for rank in range(1, 9)]
    assert answer.equals["w-0"] == tuple(f"n{rank}" for rank in range(1, 9))
    assert (answer.stuck, answer.message, answer.changes) == (None, "", ())


def test_a_gang_that_does_not_fit_places_nobody() -> None:
    """Three of four workers find a node; of a gang none is placed, of others these three."""
    nodes = [node(f"n{rank}") for rank in range(3)]
    together = fit(gang(4, 8), nodes, gang=True)
    assert (together.placed, len(together.partial), together.stuck) == ({}, 3, "w-3")
    apart = fit(gang(4, 8), nodes)
    assert apart.placed == apart.partial == together.partial


def test_the_words_are_the_schedulers_own() -> None:
    """Each node's rejection and the event's message, as kube-scheduler writes them."""
    nodes = [node("small", 1), node("tainted", taints=("team=a",)), node("cordoned", cordoned=True), node("other", kind="t4")]
    answer = fit([pod("p", 2, nodeSelector={"gpu-type": "a100"})], nodes, changes=False)
    assert answer.rejected == {
        "small": ("Insufficient nvidia.com/gpu",),
        "tainted": ("node(s) had untolerated taint(s)",),
        "cordoned": ("node(s) were unschedulable",),
        "other": ("node(s) didn't match Pod's node affinity/selector",),
    }
    assert answer.plugins["small"] == "NodeResourcesFit"
    assert answer.message == (
        "0/4 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint(s), 1 node(s) were unschedulable. preemption: 0/4 nodes are available: "
        "4 Preemption is not helpful for scheduling."
    )


def test_a_running_pod_of_the_same_name_is_another_pod() -> None:
    """Asking about a workload that runs already asks for it once more."""
    running = pod("w-0", 8, on="a")
    del running["metadata"]["uid"]
    assert not fit(gang(1, 8), [node("a")], [running]).fits
    assert fit(gang(1, 8), [node("a"), node("b")], [running]).placed == {"w-0": "b"}


def test_a_nominated_pod_keeps_its_room() -> None:
    """Where others were preempted for a pod, one of no higher priority does not take the place."""
    waiting = pod("next", 8, priority=10)
    waiting["status"]["nominatedNodeName"] = "a"
    assert not fit(gang(1, 8), [node("a")], [waiting]).fits
    assert fit(gang(1, 8, priority=20), [node("a")], [waiting]).fits


def test_priority_classes_and_budgets_of_the_cluster_count() -> None:
    """A class is looked up, and the default one holds for pods that name none."""
    high = {"kind": "PriorityClass", "metadata": {"name": "high"}, "value": 100}
    default = {"kind": "PriorityClass", "metadata": {"name": "usual"}, "value": 50, "globalDefault": True}
    running = [pod("x", 8, on="a", priority=60)]
    named = gang(1, 8, priorityClassName="high")
    for one in named:
        del one["spec"]["priority"]
    answer = fit(named, [node("a")], running, objects=[high, default])
    assert "preempting 1 victims" in answer.message
    plain = gang(1, 8)
    del plain[0]["spec"]["priority"]
    assert "preempting" not in fit(plain, [node("a")], running, objects=[high, default]).message
    with pytest.raises(SpecError, match="must be a known priority class"):
        fit(named, [node("a")])


def test_what_is_not_looked_at_is_noted() -> None:
    """A volume that must be attached, and a scheduler that we do not know, are named."""
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    answer = fit([pod("p", volumes=[claim], schedulerName="mine")], [node("a")])
    assert any("persistentVolumeClaim" in note for note in answer.notes)
    assert any("schedulerName" in note for note in answer.notes)


def test_a_faulty_object_is_named() -> None:
    """The problem says which object it is in."""
    bad = node("a")
    bad["status"]["allocatable"]["cpu"] = "lots"
    with pytest.raises(SpecError, match=r"Node/a: status\.allocatable\.cpu: must be a quantity"):
        fit(gang(1, 1), [bad])


def test_one_node_is_explained_in_full() -> None:
    """Taints, labels and amounts stand beside what the pod asks for, whichever filter came first."""
    nodes = [node("a", 4, kind="t4", taints=("team=a", GPU), cpu="2")]
    pods = [pod("p", 8, cpu="4", nodeSelector={"gpu-type": "a100"})]
    found = explain(read_world(nodes, [pod("x", 1, on="a")]), pods, "a")
    assert (found.rejected_by, found.chosen) == ("TaintToleration", None)
    assert found.taints == (("team=a:NoSchedule", False), ("nvidia.com/gpu:NoSchedule", True))
    assert found.labels == (("gpu-type=a100", "t4", False),)
    amounts = {one.resource: (one.asked, one.allocatable, one.used, one.enough) for one in found.amounts}
    assert amounts["nvidia.com/gpu"] == (8, 4, 1, False)
    assert amounts["cpu"] == (4000, 2000, 1000, False)
    assert explanation_document(found)["rejectedBy"] == "TaintToleration"


def test_the_scores_of_two_nodes_are_explained() -> None:
    """Of a node that passes but is not chosen, each plugin's points stand beside those of the chosen one."""
    world = read_world([node("full"), node("empty")], [pod("x", 4, on="full", cpu="64")])
    found = explain(world, [pod("p", 1)], "full")
    assert (found.rejected_by, found.chosen) == ("", "empty")
    here, there = found.scores["total"]
    assert here < there
    with pytest.raises(SpecError, match="must be a node of the cluster, got nowhere"):
        explain(world, [pod("p", 1)], "nowhere")


@given(clusters(), wanted)
def test_an_answer_is_consistent(made, pods) -> None:
    """Every pod is placed or there is a stuck one; equals hold the node; the same question has the same answer."""
    nodes, running = made
    answer = fit(pods, nodes, running, gang=True)
    assert answer.fits == (answer.stuck is None) == (len(answer.placed) == len(pods))
    assert all(node in answer.equals[name] for name, node in answer.partial.items())
    if not answer.fits:
        assert answer.placed == {}
        assert set(answer.rejected) <= {one["metadata"]["name"] for one in nodes}
        assert answer.message.startswith(f"0/{len(nodes)} nodes are available")
    assert fit_document(answer) == fit_document(fit(pods, nodes, running, gang=True))


@given(clusters(), wanted)
def test_free_gpus_bound_what_fits(made, pods) -> None:
    """No node is given more GPUs, CPU or pods than it has, and more empty nodes never make it worse."""
    nodes, running = made
    answer = fit(pods, nodes, running, changes=False)
    asked = int(pods[0]["spec"]["containers"][0]["resources"]["limits"][GPU])
    for one in nodes:
        name = one["metadata"]["name"]
        used = sum(
            int(other["spec"]["containers"][0]["resources"]["limits"].get(GPU, 0))
            for other in running
            if other["spec"]["nodeName"] == name
        )
        here = list(answer.partial.values()).count(name)
        if here:
            assert used + here * asked <= int(one["status"]["allocatable"].get(GPU, 0))
    roomy = [node(f"extra{rank}", kind="a100", taints=()) for rank in range(len(pods))]
    assert fit(pods, [*nodes, *roomy], running, changes=False).fits
