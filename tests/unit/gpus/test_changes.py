"""What would help is found by trying, the smallest first."""

from __future__ import annotations

import copy

from hypothesis import given, settings

from tests.unit.gpus.makers import GPU, clusters, gang, node, pod, wanted
from tonnage.gpus import Change, Fit, fit
from tonnage.gpus.changes import ORDER, SAME_KIND_MAX


def kinds(answer: Fit) -> list[str]:
    return [one.kind for one in answer.changes]


def of(answer: Fit, kind: str) -> Change:
    return next(one for one in answer.changes if one.kind == kind)


def test_a_toleration_is_written_out() -> None:
    """The taint is named, and the lines go into the pod's spec."""
    answer = fit(gang(1, 8), [node("a", taints=("team=ml",))])
    change = answer.changes[0]
    assert (change.kind, change.text, dict(change.placed)) == ("tolerate", "tolerate team=ml:NoSchedule", {"w-0": "a"})
    assert change.how == (
        "tolerations:", "  - key: team", "    operator: Equal", '    value: "ml"', "    effect: NoSchedule",
    )  # fmt: skip


def test_only_the_taints_that_must_be_are_tolerated() -> None:
    """A node with one taint is found before one with two, and taints of the control plane are never offered."""
    nodes = [node("two", taints=("a", "b")), node("one", taints=("a",)), node("sick", taints=("node.kubernetes.io/not-ready",))]
    answer = fit(gang(1, 8), nodes)
    assert [one.text for one in answer.changes if one.kind == "tolerate"] == ["tolerate a:NoSchedule"]
    assert "not-ready" not in str([one.text for one in answer.changes if one.kind != "nodes"])


def test_uncordoning_is_offered_where_it_helps() -> None:
    """One cordoned node is enough, so that both together are not offered."""
    nodes = [node("a", cordoned=True), node("b", cordoned=True), node("c", 2, cordoned=True)]
    texts = [one.text for one in fit(gang(1, 8), nodes).changes if one.kind == "uncordon"]
    assert texts == ["uncordon a", "uncordon b"]
    both = of(fit(gang(2, 8), nodes), "uncordon")
    assert both.how == ("kubectl uncordon a", "kubectl uncordon b", "kubectl uncordon c")


def test_another_type_is_offered_and_then_any() -> None:
    """One other type that is enough for all, or several together."""
    ask = {"nodeSelector": {"gpu-type": "a100"}}
    nodes = [node("a", 2), node("h", kind="h100"), node("t", 4, kind="t4")]
    answer = fit(gang(1, 8, **ask), nodes)
    assert of(answer, "type").text == "take gpu-type=h100 instead of a100"
    assert of(answer, "type").how == ("nodeSelector:", "  gpu-type: h100")
    mixed = fit(gang(2, 8, **ask), [node("a", 8), node("h", 8, kind="h100")])
    assert of(mixed, "type").text == "accept any of gpu-type=a100, h100"
    assert sorted(of(mixed, "type").placed.values()) == ["a", "h"]


def test_nodes_that_have_the_gpu_but_not_the_label_are_to_be_labelled() -> None:
    """What feature discovery says of a node is worth a label."""
    nodes = [node("a", kind=None, **{"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}), node("b", kind=None)]
    answer = fit(gang(1, 8, nodeSelector={"gpu-type": "a100"}), nodes)
    assert of(answer, "label").how == ("kubectl label node a gpu-type=a100",)


def test_two_changes_are_tried_when_one_is_not_enough() -> None:
    """A cordoned node with a taint needs both."""
    answer = fit(gang(1, 8), [node("a", cordoned=True, taints=("team",))])
    assert "uncordon" in kinds(answer)
    assert of(answer, "uncordon").text == "tolerate team:NoSchedule and uncordon a"


def test_a_label_that_nobody_has_is_left_out() -> None:
    """A selector on something else than the GPU's type can go."""
    answer = fit(gang(1, 8, nodeSelector={"disk": "fast"}), [node("a")])
    assert of(answer, "selector").text == "do not ask for the node label disk"


def test_required_spreading_can_be_preferred() -> None:
    """Two pods that must not share the only node."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    pods = gang(2, 4, affinity=affinity)
    for one in pods:
        one["metadata"]["labels"] = {"app": "x"}
    assert "podAntiAffinity" in of(fit(pods, [node("a")]), "spread").text
    constraint = {
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "x"}},
    }  # fmt: skip
    pods = gang(2, 4, topologySpreadConstraints=[constraint])
    for one in pods:
        one["metadata"]["labels"] = {"app": "x"}
    spread = fit(pods, [node("a", zone="z1"), node("b", 0, zone="z2")])
    assert "ScheduleAnyway" in of(spread, "spread").text


def test_what_the_scheduler_does_by_itself_comes_first() -> None:
    """Pods of lower priority are evicted without anybody's doing."""
    answer = fit(gang(1, 8, priority=100), [node("a")], [pod("low", 4, on="a")])
    first = answer.changes[0]
    assert (first.kind, first.automatic, first.victims) == ("preempt", True, ("default/low",))


def test_a_higher_priority_is_offered_with_its_victims() -> None:
    """Of pods of equal priority somebody must go; DaemonSets' pods and bare pods are not moved."""
    answer = fit(gang(1, 8), [node("a")], [pod("x", 4, on="a"), pod("y", 1, on="a")])
    change = of(answer, "evict")
    assert change.text.startswith("give the pods a PriorityClass of 1 or more: ")
    assert set(change.victims) == {"default/x", "default/y"}
    assert "move" not in kinds(answer)


def test_pods_that_fit_elsewhere_are_moved() -> None:
    """Fragments: two half-empty nodes take a whole-node pod when one pod moves over."""
    running = [pod("x", 4, on="a", owner="Job"), pod("y", 4, on="b", owner="Job")]
    answer = fit(gang(1, 8), [node("a"), node("b")], running)
    change = of(answer, "move")
    assert change.text in ("move default/x to b", "move default/y to a")
    assert kinds(answer).index("move") < kinds(answer).index("evict")


def test_pods_that_are_being_deleted_are_waited_for() -> None:
    """Their GPUs will be free."""
    leaving = pod("x", 8, on="a")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-20T00:00:00Z"
    change = fit(gang(1, 8), [node("a")], [leaving]).changes[0]
    assert (change.kind, change.text, change.automatic) == ("wait", "wait: default/x is being deleted", True)


def test_the_most_that_may_be_requested_is_found() -> None:
    """CPU and memory where these are what is lacking; the largest that still lets all pods fit."""
    nodes = [node("a", cpu="32", memory="100Gi")]
    answer = fit(gang(2, 4, cpu="20", memory="64Gi"), nodes)
    assert of(answer, "request").text == "request at most 16 cpu and 51200Mi memory a pod"
    assert "request" not in kinds(fit(gang(3, 4), nodes))


def test_work_that_can_be_divided_is_cut_smaller() -> None:
    """The largest size that fits, with the GPUs in all as before; other work is not cut."""
    nodes = [node(f"n{rank}", 4) for rank in range(4)]
    answer = fit(gang(2, 8, cpu="16"), nodes, divisible=True)
    assert of(answer, "split").text == (
        "use 4 workers with 4 nvidia.com/gpu each instead of 2 with 8, and share CPU and memory out with them"
    )
    assert "split" not in kinds(fit(gang(2, 8, cpu="16"), nodes))


def test_fewer_pods_are_offered_down_to_the_least() -> None:
    """As many as fit now, unless the work needs more than these."""
    nodes = [node("a"), node("b")]
    assert of(fit(gang(4, 8), nodes), "fewer").text == "use 2 instead of 4: so many fit now"
    assert "fewer" not in kinds(fit(gang(4, 8), nodes, least=3))
    assert "fewer" not in kinds(fit(gang(4, 8), [node("a", 4)]))


def test_new_nodes_bring_the_pods_of_daemonsets() -> None:
    """As many as are needed of the shapes that there are, with what every node must run."""
    agent = pod("agent", 0, on="a", owner="DaemonSet", cpu="90")
    answer = fit(gang(3, 4, cpu="4"), [node("a", taints=(GPU,)), node("small", 2)], [agent])
    assert of(answer, "nodes").text == "add 2 nodes like a (8 nvidia.com/gpu, taint nvidia.com/gpu:NoSchedule)"
    light = fit(gang(2, 8), [node("a", taints=(GPU,)), node("small", 2)], [pod("x", 1, on="a")])
    assert of(light, "nodes").text == "add 2 nodes like a (8 nvidia.com/gpu, taint nvidia.com/gpu:NoSchedule)"


def test_other_gpus_are_the_last_resort() -> None:
    """Another vendor's take another image."""
    answer = fit(gang(1, 8), [node("m", resource="amd.com/gpu", kind="mi300x", taints=("amd.com/gpu",))])
    assert kinds(answer)[-1] == "vendor"
    assert answer.changes[-1].text.startswith("ask for amd.com/gpu instead of nvidia.com/gpu")


def test_nothing_helps_when_no_node_has_gpus() -> None:
    """More GPUs than any node has: no change of what there is will do."""
    assert kinds(fit(gang(1, 16), [node("a")])) == []


@settings(max_examples=40)
@given(clusters(), wanted)
def test_changes_help_are_ordered_and_leave_nothing_behind(made, pods) -> None:
    """Each places what it should, in order of kind, a few of each; objects that were given are as before."""
    nodes, running = made
    before = copy.deepcopy((nodes, running, pods))
    answer = fit(pods, nodes, running, gang=True, divisible=True)
    assert (nodes, running, pods) == before
    places = [ORDER.index(one.kind) for one in answer.changes]
    assert places == sorted(places)
    assert all(places.count(place) <= SAME_KIND_MAX for place in places)
    for one in answer.changes:
        assert len(one.placed) == len(pods) or one.kind in ("fewer", "split")
        if one.kind in ("move", "evict", "preempt", "wait"):
            left = [other for other in running if f"default/{other['metadata']['name']}" not in one.victims]
            assert fit(pods, nodes, left, changes=False).fits
