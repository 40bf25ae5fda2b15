"""What holds on every cluster: random ones, as the comparison with upstream uses them."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.scheduling.compare import cluster_of
from tests.differential.scheduling.worlds import world
from tonnage.scheduling import Cluster, Placement, node_from_object, pod_from_object, schedule
from tonnage.scheduling.filters import filtered
from tonnage.scheduling.trial import Trial

WORLDS = st.integers(0, 100_000)


def facts(found: Placement) -> tuple[Any, ...]:
    """Everything that a decision says, apart from the order of nodes."""
    return (
        found.node,
        sorted(found.best),
        sorted(found.feasible),
        dict(found.totals),
        {name: (one.plugin, sorted(one.reasons), one.resolvable) for name, one in found.rejections.items()},
        found.message,
        {one.node: ([pod.uid for pod in one.victims], one.violations) for one in found.candidates},
    )


def possible(objects: dict[str, Any]) -> dict[str, Any]:
    """Takes out of a cluster what cannot be, and about which upstream goes by what it heard of first or last.

    That is two pods on one port of a node, and two sizes of one image.
    """
    for one in objects["nodes"]:
        for image in one["status"]["images"]:
            image["sizeBytes"] &= ~7
    for one in objects["pods"]:
        one["spec"].pop("hostNetwork", None)
        for container in (*one["spec"]["containers"], *one["spec"].get("initContainers", ())):
            container.pop("ports", None)
    return objects


def free(cluster: Cluster, name: str) -> dict[str, int]:
    requested = cluster.requested(name)
    return {resource: amount - requested.get(resource, 0) for resource, amount in cluster.node(name).allocatable.items()}


@settings(max_examples=15)
@given(WORLDS)
def test_a_placement_fits(index: int) -> None:
    """A pod is only placed where what it requests is free."""
    made = world(99, index)
    cluster = cluster_of(made["cluster"])
    for value in made["pending"]:
        pod = pod_from_object(value)
        node = schedule(pod, cluster).node
        if node is not None:
            room = free(cluster, node)
            assert all(amount <= room.get(name, 0) for name, amount in pod.spec.requests.items() if amount)
            cluster.add_pod(pod, node)
            assert len(cluster.pods_on(node)) <= cluster.node(node).pods_max


@settings(max_examples=12)
@given(WORLDS)
def test_a_cluster_changed_step_by_step_is_as_one_built_at_once(index: int) -> None:
    """After pods and nodes came and went, decisions are those of a cluster built from what is left."""
    made = world(99, index)
    random = Random(made["name"])
    objects = possible(made["cluster"])
    cluster = cluster_of(objects)
    for value in made["pending"]:  # questions asked early are answered by columns from then on
        schedule(pod_from_object(value), cluster)
    gone = [one for one in objects["pods"] if random.random() < 0.4]
    for one in gone:
        cluster.remove_pod(one["metadata"]["uid"])
    left = [one for one in objects["pods"] if one not in gone]
    again = [one for one in gone if random.random() < 0.5]
    for one in again:
        cluster.add_pod(pod_from_object(one))
    names = {one["metadata"]["name"] for one in objects["nodes"] if random.random() < 0.8}
    for one in objects["nodes"]:
        if one["metadata"]["name"] not in names:
            cluster.remove_node(one["metadata"]["name"])
    rebuilt = cluster_of(
        {
            **objects,
            "nodes": [one for one in objects["nodes"] if one["metadata"]["name"] in names],
            "pods": [one for one in left + again if one["spec"]["nodeName"] in names],
        }
    )
    for value in made["pending"]:
        pod = pod_from_object(value)
        assert facts(schedule(pod, cluster)) == facts(schedule(pod, rebuilt))


@settings(max_examples=12)
@given(WORLDS)
def test_a_decision_leaves_the_cluster_as_it_was(index: int) -> None:
    """Deciding, preemption included, changes nothing: asked twice, the answer is the same."""
    made = world(99, index)
    cluster = cluster_of(made["cluster"])
    pods = [pod_from_object(value) for value in made["pending"]]
    before = [facts(schedule(pod, cluster)) for pod in pods]
    requested = [cluster.requested(name) for name in cluster.node_names]
    assert [facts(schedule(pod, cluster)) for pod in pods] == before
    assert [cluster.requested(name) for name in cluster.node_names] == requested


@settings(max_examples=12)
@given(WORLDS)
def test_a_trial_of_a_node_agrees_with_the_filters(index: int) -> None:
    """One node on trial is judged as among all nodes, also after a pod went and came back."""
    made = world(99, index)
    cluster = cluster_of(possible(made["cluster"]))
    for value in made["pending"]:
        found = filtered(pod_from_object(value), cluster)
        for place, name in enumerate(cluster.node_names):
            trial = Trial(found, place)
            assert trial.rejection() == found.rejection(place)
            pods = [] if found.pod.spec.spread else cluster.pods_on(name)
            for pod in pods:
                trial.remove(pod)
            for pod in pods:
                trial.add(pod)
            assert trial.rejection() == found.rejection(place)


@settings(max_examples=12)
@given(WORLDS, st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_pods_plays_no_part(index: int, random: Random) -> None:
    """Decisions do not depend on the order in which nodes and pods were told."""
    made = world(99, index)
    objects = possible(made["cluster"])
    shuffled = copy.deepcopy(objects)
    random.shuffle(shuffled["nodes"])
    random.shuffle(shuffled["pods"])
    one, other = cluster_of(objects), cluster_of(shuffled)
    for value in made["pending"]:
        pod = pod_from_object(value)
        assert facts(schedule(pod, one, choose=min)) == facts(schedule(pod, other, choose=min))


@settings(max_examples=12)
@given(WORLDS)
def test_a_further_node_makes_no_plain_pod_unschedulable(index: int) -> None:
    """A pod without spreading and affinity that had a node still has one when another node joins."""
    made = world(99, index)
    cluster = cluster_of(made["cluster"])
    pods = [pod_from_object(value) for value in made["pending"]]
    plain = [pod for pod in pods if not (pod.spec.spread or pod.spec.affinity or pod.spec.anti_affinity)]
    before = {pod.uid: set(schedule(pod, cluster).feasible) for pod in plain}
    joining = copy.deepcopy(made["cluster"]["nodes"][0])
    joining["metadata"]["name"] = "joining"
    cluster.add_node(node_from_object(joining))
    for pod in plain:
        assert before[pod.uid] <= set(schedule(pod, cluster).feasible)


@settings(max_examples=15)
@given(WORLDS)
def test_preemption_makes_room_with_no_more_than_it_needs(index: int) -> None:
    """Victims matter less than the pod; without them it fits, and with any one of them back it does not."""
    made = world(99, index)
    cluster = cluster_of(possible(made["cluster"]))
    for value in made["pending"]:
        pod = pod_from_object(value)
        found = schedule(pod, cluster)
        if found.nomination is None:
            continue
        node, victims = found.nomination.node, found.nomination.victims
        assert victims
        assert all(victim.spec.priority < pod.spec.priority for victim in victims)
        for victim in victims:
            cluster.remove_pod(victim.uid)
        if not pod.spec.spread:  # a victim that is going already was not counted in spreading
            assert node in schedule(pod, cluster).feasible
        for victim in victims:
            cluster.add_pod(victim)
