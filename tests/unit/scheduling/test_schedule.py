"""Where a pod goes, and the words for why it does not: worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.scheduling.objects import HOST, ZONE, cluster, node, pod, preferred, required, spread, term
from tonnage.scheduling import Cluster, Owner, Pod, Rejection, Sampling, schedule, selector_of

GPU_TAINT = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
TOLERATES = [{"key": "nvidia.com/gpu", "operator": "Exists"}]


def bind(state: Cluster, *pods: tuple[Pod, str]) -> None:
    for one, name in pods:
        state.add_pod(one, name)


def test_the_event_counts_reasons_as_upstream_does() -> None:
    """The message is that of the FailedScheduling event, with the preemption's part behind it."""
    state = cluster(
        node("a", gpu="1"), node("b", gpu="1"), node("c"), node("d", taints=[GPU_TAINT]), node("e", cpu="1", gpu="8")
    )
    bind(state, (pod("x", limits={"nvidia.com/gpu": "1"}), "a"), (pod("y", limits={"nvidia.com/gpu": "1"}), "b"))
    found = schedule(pod("p", cpu="2", limits={"nvidia.com/gpu": "1"}), state)
    assert found.node is None
    assert found.message == (
        "0/5 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s), "
        "3 Insufficient nvidia.com/gpu. preemption: 0/5 nodes are available: "
        "2 No preemption victims found for incoming pod, 3 Preemption is not helpful for scheduling."
    )
    assert found.rejections["c"] == Rejection("NodeResourcesFit", ("Insufficient nvidia.com/gpu",), False)
    assert found.rejections["a"].resolvable


def test_every_lack_of_a_node_is_told() -> None:
    """A node that lacks several resources gives every reason."""
    state = cluster(node("a", cpu="1", memory="1Gi", pods="0"))
    found = schedule(pod("p", cpu="2", limits={"memory": "2Gi", "x.example/y": "1"}), state)
    assert found.rejections["a"].reasons == (
        "Too many pods", "Insufficient cpu", "Insufficient memory", "Insufficient x.example/y",
    )  # fmt: skip


def test_an_empty_cluster_has_no_nodes() -> None:
    """Without nodes the message says so."""
    assert schedule(pod("p"), Cluster()).message == "no nodes available to schedule pods"


def test_a_gated_pod_is_not_tried() -> None:
    """Gates hold a pod back, whatever fits."""
    found = schedule(pod("p", schedulingGates=[{"name": "g"}, {"name": "h"}]), cluster(node("a")))
    assert (found.node, found.message) == (None, "waiting for scheduling gates: [g h]")


def test_a_cordoned_node_takes_only_who_bears_it() -> None:
    """Cordoned nodes reject, but for pods that tolerate the taint of the cordon."""
    state = cluster(replace(node("a"), unschedulable=True))
    assert schedule(pod("p"), state).rejections["a"].reasons == ("node(s) were unschedulable",)
    bears = [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]
    assert schedule(pod("p", tolerations=bears), state).node == "a"


@pytest.mark.parametrize(
    ("requirement", "fits"),
    [
        ({"key": "gpu-count", "operator": "Gt", "values": ["7"]}, True),
        ({"key": "gpu-count", "operator": "Lt", "values": ["8"]}, False),
        ({"key": "gpu-type", "operator": "In", "values": ["t4", "a100"]}, True),
        ({"key": "gpu-type", "operator": "NotIn", "values": ["t4"]}, True),
        ({"key": "absent", "operator": "NotIn", "values": ["t4"]}, True),
        ({"key": "absent", "operator": "Exists"}, False),
        ({"key": "absent", "operator": "DoesNotExist"}, True),
        ({"key": "gpu-type", "operator": "Gt", "values": ["1"]}, False),
    ],
)
def test_node_affinity_knows_every_operator(requirement: dict[str, object], fits: bool) -> None:
    """Each operator of node affinity decides as it should."""
    state = cluster(node("a", labels={"gpu-type": "a100", "gpu-count": "8"}))
    terms = {"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    assert (schedule(pod("p", affinity=affinity), state).node == "a") is fits


def test_a_pod_that_names_a_node_is_not_tried_elsewhere() -> None:
    """Affinity to a node's name leaves the other nodes out, and the message says by which plugin."""
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    }
    state = cluster(node("a"), node("b", cpu="1"), node("c"))
    found = schedule(pod("p", cpu="2", affinity=affinity), state, preempt=False)
    assert found.message == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )


def test_terms_that_name_different_nodes_match_none() -> None:
    """A term with two names matches no node, and the event says so of all nodes at once."""
    names = [{"key": "metadata.name", "operator": "In", "values": [name]} for name in "ab"]
    terms = {"nodeSelectorTerms": [{"matchFields": names}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    found = schedule(pod("p", affinity=affinity), cluster(node("a"), node("b")))
    assert found.message == (
        "0/2 nodes are available: pod affinity terms conflict. preemption: 0/2 nodes are available: "
        "2 Preemption is not helpful for scheduling."
    )


def test_host_ports_conflict_by_address_protocol_and_port() -> None:
    """A port is taken for every address, or for one; protocols do not meet."""

    def asks(name: str, **port: object) -> Pod:
        return pod(name, initContainers=[{"restartPolicy": "Always", "ports": [{"hostPort": 80, **port}]}])

    state = cluster(node("a"))
    state.add_pod(asks("x", hostIP="10.0.0.1"), "a")
    assert schedule(asks("p", hostIP="10.0.0.2"), state).node == "a"
    assert schedule(asks("p", protocol="UDP"), state).node == "a"
    assert schedule(asks("p"), state).rejections["a"].plugin == "NodePorts"
    state.remove_pod("x")
    assert schedule(asks("p"), state).node == "a"


def test_spreading_keeps_zones_even() -> None:
    """With a skew of 1, a third pod in one zone waits for the other zone."""
    state = cluster(node("a", "a"), node("b", "a"), node("c", "b", cpu="1"))
    one = pod("p", topologySpreadConstraints=spread())
    bind(state, (replace(one, uid="1"), "a"), (replace(one, uid="2"), "c"), (replace(one, uid="3"), "b"))
    found = schedule(one, state)
    assert found.rejections["a"].reasons == ("node(s) didn't match pod topology spread constraints",)
    assert found.rejections["c"].reasons == ("Insufficient cpu",)
    state.remove_pod("2")
    assert schedule(one, state).node == "c"


def test_a_rollout_spreads_each_revision_by_itself() -> None:
    """With matchLabelKeys the pods of the former revision do not count."""

    def revision(uid: str, number: str) -> Pod:
        keys = spread(matchLabelKeys=["pod-template-hash"])
        labels = {"app": "a", "pod-template-hash": number}
        return pod(uid, labels=labels, topologySpreadConstraints=keys)

    state = cluster(node("a", "a"), node("b", "b"))
    bind(state, (revision("1", "old"), "a"), (revision("2", "old"), "a"))
    assert schedule(revision("3", "old"), state).feasible == ("b",)
    assert schedule(revision("4", "new"), state).feasible == ("a", "b")


def test_too_few_domains_count_as_an_empty_one() -> None:
    """With fewer domains than minDomains, the emptiest counts as holding no pod."""
    state = cluster(node("a", "a"))
    state.add_pod(pod("x"), "a")
    assert schedule(pod("p", topologySpreadConstraints=spread()), state).node == "a"
    assert schedule(pod("p", topologySpreadConstraints=spread(minDomains=2)), state).node is None


def test_inclusion_policies_decide_which_nodes_count() -> None:
    """Nodes that a taint closes count as empty domains, unless taints are honoured."""
    state = cluster(node("a", "a"), node("b", "b", taints=[GPU_TAINT]))
    state.add_pod(pod("x"), "a")
    assert schedule(pod("p", topologySpreadConstraints=spread()), state).node is None
    honours = spread(nodeTaintsPolicy="Honor")
    assert schedule(pod("p", topologySpreadConstraints=honours), state).node == "a"


def test_pods_of_a_service_spread_by_default() -> None:
    """Without constraints, the pods of a Service or controller lean away from each other."""
    state = cluster(node("a", "a"), node("b", "a"), node("c", "b"))
    one = replace(pod("p"), owner=Owner("ReplicaSet", "r"))
    state.add_pod(replace(one, uid="1"), "a")
    assert "PodTopologySpread" not in schedule(one, state).scores
    state.set_controller("default", Owner("ReplicaSet", "r"), selector_of({"app": "a"}))
    assert schedule(one, state).node == "c"


def test_anti_affinity_binds_both_sides() -> None:
    """A pod keeps away from what it names, and from what names it."""
    away = required("podAntiAffinity", term(HOST))
    state = cluster(node("a"), node("b"))
    state.add_pod(pod("x", affinity=away), "a")
    reason = "node(s) didn't match pod anti-affinity rules"
    assert schedule(pod("p", affinity=away), state).rejections["a"].reasons == (reason,)
    plain = schedule(pod("q"), state)
    assert plain.rejections["a"].reasons == ("node(s) didn't satisfy existing pods anti-affinity rules",)
    assert schedule(pod("r", labels={"app": "other"}), state).feasible == ("a", "b")


def test_the_first_pod_of_a_group_may_come_anywhere() -> None:
    """Affinity to oneself does not keep the first pod out; later ones must be near it."""
    near = required("podAffinity", term(ZONE))
    state = cluster(node("a", "a"), node("b", "b"), node("c", None))
    assert schedule(pod("p", affinity=near), state).feasible == ("a", "b")
    state.add_pod(pod("x"), "b")
    assert schedule(pod("p", affinity=near), state).feasible == ("b",)


def test_preferred_terms_draw_and_push() -> None:
    """Preferred affinity draws, preferred anti-affinity pushes, both in proportion to their weights."""
    state = cluster(node("a"), node("b"), node("c"))
    bind(state, (pod("x"), "a"), (pod("y", labels={"app": "b"}), "b"))
    draws = preferred("podAffinity", (60, term(HOST, "a")), (40, term(HOST, "b")))
    assert dict(schedule(pod("p", affinity=draws), state).scores["InterPodAffinity"]) == {"a": 100, "b": 66, "c": 0}
    pushes = preferred("podAntiAffinity", (1, term(HOST, "a")))
    assert dict(schedule(pod("p", affinity=pushes), state).scores["InterPodAffinity"]) == {"a": 0, "b": 100, "c": 100}


def test_a_placed_pods_affinity_draws_later_pods() -> None:
    """A required affinity of a placed pod counts 1 for nodes near it."""
    state = cluster(node("a"), node("b"))
    state.add_pod(pod("x", labels={}, affinity=required("podAffinity", term(HOST))), "b")
    assert dict(schedule(pod("p"), state).scores["InterPodAffinity"]) == {"a": 0, "b": 100}


def test_resource_scores_are_those_of_the_formulas() -> None:
    """Least allocated is the mean free share; balance is how much nearer the shares come, around 75."""
    state = cluster(node("a", cpu="4", memory="16Gi"), node("b", cpu="4", memory="8Gi"))
    found = schedule(pod("p", cpu="2", limits={"memory": "8Gi"}), state)
    assert dict(found.scores["NodeResourcesFit"]) == {"a": 50, "b": 25}
    # b: shares 0.5 and 1.0, so 25 apart; 50 + (50 + 75 - 100) // 2
    assert dict(found.scores["NodeResourcesBalancedAllocation"]) == {"a": 75, "b": 62}
    assert dict(found.totals) == {"a": 300 + 50 + 75, "b": 300 + 25 + 62}
    assert found.best == ("a",)


def test_preferences_of_nodes_weigh_as_upstream() -> None:
    """PreferNoSchedule taints cost and preferred node terms earn, stretched to 100."""
    spot = {"key": "spot", "effect": "PreferNoSchedule"}
    state = cluster(node("a", taints=[spot]), node("b", labels={"gpu-type": "a100"}), node("c"))
    prefers = [{"weight": 7, "preference": {"matchExpressions": [{"key": "gpu-type", "operator": "Exists"}]}}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefers}}
    found = schedule(pod("p", affinity=affinity), state)
    assert dict(found.scores["TaintToleration"]) == {"a": 0, "b": 100, "c": 100}
    assert dict(found.scores["NodeAffinity"]) == {"a": 0, "b": 100, "c": 0}
    assert found.node == "b"


def test_images_that_are_there_earn_score() -> None:
    """An image counts by its size and by how many nodes have it."""
    mib = 1024 * 1024
    has = replace(node("a"), images={"i:latest": 1000 * mib})
    found = schedule(pod("p"), cluster(has, node("b")))
    # 500 of 1000 MiB, as one of two nodes has it: 100 * (500 - 23) // (1000 - 23)
    assert dict(found.scores["ImageLocality"]) == {"a": 48, "b": 0}


def test_devices_are_counted_per_class() -> None:
    """Claims take devices of a class off a node; preemption does not look there, as upstream."""
    state = cluster(replace(node("a"), devices={"gpu": 2}))
    one = pod("p")
    one = replace(one, spec=replace(one.spec, devices=(("gpu", 2),)))
    assert schedule(one, state).node == "a"
    state.add_pod(replace(one, uid="x"), "a")
    found = schedule(one, state)
    assert found.rejections["a"] == Rejection("DynamicResources", ("cannot allocate all claims",), False)


def test_among_equals_the_given_rule_chooses() -> None:
    """The caller chooses among equally good nodes; by default it is the first that joined."""
    state = cluster(node("a"), node("b"), node("c", cpu="2"))
    assert schedule(pod("p"), state).node == "a"
    assert schedule(pod("p"), state, choose=lambda names: names[-1]).node == "b"


def test_one_feasible_node_is_not_scored() -> None:
    """With a single feasible node there are no scores, as upstream."""
    found = schedule(pod("p"), cluster(node("a"), node("b", cpu="0")))
    assert (found.node, found.best, dict(found.totals)) == ("a", ("a",), {})


@pytest.mark.parametrize(
    ("nodes", "percentage", "enough"),
    [(10, 0, 10), (99, 40, 99), (1000, 40, 400), (1000, 0, 420), (6000, 0, 300), (100, 0, 100), (1000, 100, 1000)],
)
def test_enough_feasible_nodes(nodes: int, percentage: int, enough: int) -> None:
    """How many feasible nodes are looked for, by the size of the cluster."""
    assert Sampling(percentage).enough(nodes) == enough


def test_a_search_goes_on_where_the_last_one_ended() -> None:
    """With sampling, nodes of all zones are taken in turn, from where the last search ended."""
    state = cluster(*(node(f"n{rank:03}", "ab"[rank % 2 == 0], cpu="4") for rank in range(300)))
    found = schedule(pod("p"), state, sampling=Sampling(0))
    assert len(found.feasible) == Sampling(0).enough(300) == 144
    again = schedule(pod("q"), state, sampling=Sampling(0, found.next_start))
    assert not set(again.feasible) & set(found.feasible)
    assert again.next_start == 288
    gated = pod("r", schedulingGates=[{"name": "g"}])
    assert schedule(gated, state, sampling=Sampling(0, 7)).next_start == 7


def test_what_is_read_later_is_what_was_decided() -> None:
    """Scores and rejections of a decision do not change when the cluster does."""
    state = cluster(node("a"), node("b"), node("c", cpu="1"))
    state.add_pod(pod("x"), "c")
    found, again = schedule(pod("p"), state), schedule(pod("p"), state)
    expected = (dict(again.totals), dict(again.rejections), again.feasible)
    state.remove_pod("x")
    state.add_pod(pod("y", cpu="3"), "a")
    state.remove_node("b")
    assert (dict(found.totals), dict(found.rejections), found.feasible) == expected
