"""Node failures, drains, spot, pools, contention and preemption in the whole twin."""

from __future__ import annotations

import dataclasses

import pytest

from tests.integration.twin import worlds
from tonnage.scheduling import AffinityTerm, Amounts, Pod, PodSpec, Toleration, selector_of
from tonnage.traffic import PoissonArrivals
from tonnage.twin.models.node_lifecycle import UNREACHABLE
from tonnage.twin.requests import Cause
from tonnage.twin.scenario import (
    ClusterPlan,
    Compute,
    ControllerRestarted,
    ControlTimes,
    DisruptionBudget,
    NodeAutoscaler,
    NodeDrained,
    NodeFails,
    NodeRecovers,
    OtherPod,
    PodKilled,
    PoolPlan,
    ReplicasEdited,
    Samples,
    Spot,
    SpotInterruption,
)

HOSTNAME = "kubernetes.io/hostname"
APART = (AffinityTerm(HOSTNAME, selector_of(worlds.LABELS), frozenset({"default"})),)
TOLERANT = (Toleration(UNREACHABLE, "Exists", effect="NoExecute", seconds=30),)


def three(**changed):
    """Three nodes, of which the second one is the emptiest for everything but spreading."""
    return tuple(worlds.node(name, **changed) for name in ("n1", "n2", "n3"))


def test_a_dead_node_is_noticed_late_and_its_pods_are_replaced_later():
    """Requests fail for the grace period of 50 s; replacements come after the toleration of 300 s."""
    result = worlds.run(
        worlds.scenario(happenings=(NodeFails(60.0, "n1"),), duration_s=600.0, replicas=2, nodes=three())
    )
    unknown = worlds.nodes(result, "unknown")[0]
    assert 105.0 <= unknown.at_s <= 120.0
    failed = result.series.failed
    assert failed[61:100].min() > 0
    assert failed[125:].sum() == 0
    evicted = worlds.pods(result, "evicted")[0]
    assert evicted.at_s == pytest.approx(unknown.at_s + 300.0, abs=1.0)
    assert result.series.replicas_ready[300] == 1
    assert result.series.replicas_ready[-1] == 2
    # nobody is there to end the old one, so that it is terminating for ever
    assert result.series.pods_terminating[-1] == 1


def test_a_shorter_toleration_replaces_sooner():
    """A pod that bears unreachable for 30 s only is replaced 270 s earlier."""
    result = worlds.run(
        worlds.scenario(
            happenings=(NodeFails(60.0, "n1"),),
            duration_s=600.0,
            nodes=three(),
            template=worlds.revision(tolerations=TOLERANT),
        )
    )
    unknown, evicted = worlds.nodes(result, "unknown")[0], worlds.pods(result, "evicted")[0]
    assert evicted.at_s == pytest.approx(unknown.at_s + 30.0, abs=1.0)


@pytest.mark.parametrize("apart", [False, True])
def test_anti_affinity_decides_what_a_node_failure_costs(apart):
    """Two replicas on one node are both lost with it; kept apart, one is left."""
    # without the rule the fullest node is the only one with a GPU free for both
    nodes = (worlds.node("n1"), worlds.node("n2", gpus=1 if apart else 0))
    template = worlds.revision(anti_affinity=APART if apart else ())
    result = worlds.run(
        worlds.scenario(
            happenings=(NodeFails(60.0, "n1"),), nodes=nodes, template=template, rate_per_s=60.0
        )
    )
    assert result.series.endpoints[200] == (1 if apart else 0)
    lost = result.totals.dropped[Cause.NO_ENDPOINT.value]
    assert (lost == 0) if apart else (lost > 5000)


def test_a_node_that_comes_back_starts_its_pods_anew():
    """After a short absence the containers restart on the node; nothing is evicted."""
    happenings = (NodeFails(60.0, "n1"), NodeRecovers(180.0, "n1"))
    result = worlds.run(worlds.scenario(happenings=happenings, nodes=three(), duration_s=400.0))
    assert not worlds.pods(result, "evicted")
    restarted = worlds.pods(result, "restarted")
    assert [record.at_s for record in restarted] == [pytest.approx(181.0)]
    assert result.series.replicas_ready[-1] == 2


def test_when_every_node_is_lost_nothing_is_evicted():
    """The controller then takes itself to be cut off."""
    happenings = (NodeFails(60.0, "n1"), NodeFails(60.0, "n2"))
    result = worlds.run(worlds.scenario(happenings=happenings, duration_s=900.0))
    assert not worlds.pods(result, "evicted")
    assert len(worlds.nodes(result, "tainted")) == 2


def test_a_drain_respects_the_budget():
    """One pod at a time may be away, so that the drain waits for each replacement."""
    plan = ClusterPlan(nodes=three(), budget=DisruptionBudget(max_unavailable=1))
    result = worlds.run(
        worlds.scenario(cluster=plan, replicas=6, happenings=(NodeDrained(60.0, "n1"),), rate_per_s=150.0)
    )
    assert result.series.replicas_ready.min() == 5
    assert worlds.nodes(result, "drained")
    assert result.totals.drops == 0


def test_a_drain_without_a_budget_takes_all_at_once():
    """All pods of the node are away until their replacements are ready."""
    plan = ClusterPlan(nodes=three())
    result = worlds.run(worlds.scenario(cluster=plan, replicas=6, happenings=(NodeDrained(60.0, "n1"),)))
    assert result.series.replicas_ready.min() == 4
    assert result.series.replicas_ready[-1] == 6


@pytest.mark.parametrize("drained", [False, True])
def test_a_spot_interruption_with_and_without_a_handler(drained):
    """Who reacts to the notice loses nothing; who does not loses the node without a word."""
    nodes = (worlds.node("n1", spot=Spot(drained=drained)), worlds.node("n2"), worlds.node("n3"))
    result = worlds.run(
        worlds.scenario(happenings=(SpotInterruption(60.0),), nodes=nodes, replicas=3, duration_s=600.0)
    )
    assert worlds.nodes(result, "interruption_notice")[0].node == "n1"
    assert worlds.nodes(result, "removed")[0].node == "n1"
    assert (result.totals.drops == 0) == drained
    assert result.series.nodes[-1] == 2
    assert result.series.replicas_ready[-1] == 3


def test_spot_nodes_are_interrupted_at_their_rate():
    """The same seed interrupts at the same times; a higher rate more often."""
    pool = PoolPlan("spot", worlds.node("x", spot=Spot(6.0)), start=3, size_min=3, size_max=3)

    def interruptions(rate_per_h):
        template = dataclasses.replace(pool.template, spot=Spot(rate_per_h))
        plan = ClusterPlan(nodes=(worlds.node("n1"),), pools=(dataclasses.replace(pool, template=template),))
        return len(worlds.nodes(worlds.run(worlds.scenario(cluster=plan, duration_s=3600.0)), "removed"))

    assert interruptions(0.0) == 0
    assert 1 <= interruptions(2.0) <= 3


def growing(kind, **changed):
    """One node that is full and a pool; two more replicas are wanted, later four fewer."""
    pool = PoolPlan("pool", worlds.node("x"), size_max=5, startup_s=Samples.of(90.0))
    plan = ClusterPlan(
        nodes=(worlds.node("n1"),),
        pools=(dataclasses.replace(pool, **changed.pop("pool", {})),),
        autoscaler=NodeAutoscaler(kind, idle_s=120.0, after_add_s=120.0, utilization_max=0.6, **changed),
        budget=DisruptionBudget(max_unavailable=1),
    )
    return worlds.scenario(
        cluster=plan,
        replicas=4,
        happenings=(ReplicasEdited(60.0, 6), ReplicasEdited(400.0, 2)),
        duration_s=1200.0,
    )


@pytest.mark.parametrize(("kind", "asked_s"), [("cluster-autoscaler", 70.0), ("karpenter", 61.1)])
def test_pools_grow_for_pending_pods_and_shrink_again(kind, asked_s):
    """cluster-autoscaler asks at its next scan, Karpenter a second after the last pod; both remove later."""
    result = worlds.run(growing(kind))
    asked = worlds.nodes(result, "asked_for")
    assert [record.at_s for record in asked] == [pytest.approx(asked_s, abs=0.1)]
    assert worlds.nodes(result, "joined")[0].at_s == pytest.approx(asked_s + 90.0, abs=0.1)
    assert result.series.replicas_ready[200] == 6
    assert result.series.nodes[100] == 2
    assert result.series.nodes[-1] == 1
    assert result.series.replicas_ready[-1] == 2
    assert result.totals.drops == 0


def test_a_pool_without_stock_leaves_pods_pending():
    """What the provider does not have is not there; the pods say why they wait."""
    result = worlds.run(growing("cluster-autoscaler", pool={"stockout": ((0.0, 1200.0),)}))
    assert worlds.nodes(result, "not_available")
    assert result.series.pods_pending[200] == 2
    assert "Insufficient nvidia.com/gpu" in worlds.pods(result, "unschedulable")[0].detail


def test_a_pool_grows_no_further_than_its_maximum():
    """A pool of at most one node gets one."""
    result = worlds.run(
        dataclasses.replace(
            growing("cluster-autoscaler", pool={"size_max": 1}), happenings=(ReplicasEdited(60.0, 20),)
        )
    )
    assert len(worlds.nodes(result, "joined")) == 1
    assert result.series.replicas_ready[-1] == 8


def noisy(*, limit, request=1.0):
    """A neighbour that takes all the cores that it can get, on a node with four."""
    neighbour = OtherPod(
        Pod("default", "batch", "batch", {}, PodSpec(requests=Amounts(1000))),
        node="n1",
        cpu_cores=16.0,
        cpu_request_cores=request,
        cpu_limit_cores=limit,
    )
    plan = ClusterPlan(nodes=(worlds.node("n1", cpu_cores=4.0),), other_pods=(neighbour,))
    compute = Compute(cpu_request_cores=1.0, cpu_start_cores=2.0, cpu_busy_cores=2.0)
    template = worlds.revision(worlds.life(compute=compute))
    return worlds.scenario(
        cluster=plan,
        template=template,
        replicas=1,
        arrivals=PoissonArrivals(60.0, 300.0),
        started=False,
    )


def test_a_neighbour_without_a_limit_slows_loading_and_serving():
    """On four cores a neighbour that wants 16 with the same request leaves two; with a limit it leaves three."""
    free, bounded = worlds.run(noisy(limit=None)), worlds.run(noisy(limit=1.0))

    def loaded_s(result):
        return worlds.pods(result, "loaded")[0].at_s - worlds.pods(result, "loading")[0].at_s

    assert loaded_s(bounded) == pytest.approx(10.0)
    assert loaded_s(free) == pytest.approx(10.0)
    heavier = worlds.run(noisy(limit=None, request=3.0))
    assert loaded_s(heavier) == pytest.approx(20.0)
    assert heavier.totals.p99_s > 1.5 * bounded.totals.p99_s


def test_a_node_without_memory_evicts_who_uses_most_beyond_its_request():
    """The kubelet evicts a pod above its request; the ReplicaSet makes another, on another node."""
    greedy = worlds.life(compute=Compute(memory_request_bytes=1 << 30, memory_ready_bytes=6 << 30))
    nodes = (worlds.node("n1", memory_bytes=float(12 << 30)), worlds.node("n2"))
    result = worlds.run(
        worlds.scenario(
            nodes=nodes,
            template=worlds.revision(greedy),
            replicas=4,
            started=True,
        )
    )
    evicted = worlds.pods(result, "evicted")
    assert evicted
    assert all("low on resource: memory" in record.detail for record in evicted)
    assert result.series.replicas_ready[-1] >= 3


def test_a_more_important_pod_preempts():
    """A pod of higher priority takes the GPU of a lower one, which then waits and says why."""
    other = OtherPod(
        Pod("default", "training", "training", {}, worlds.spec(priority=-10)), node="n1", returns=True
    )
    plan = ClusterPlan(nodes=(worlds.node("n1", gpus=2),), other_pods=(other,))
    result = worlds.run(
        worlds.scenario(cluster=plan, replicas=1, happenings=(ReplicasEdited(60.0, 2),), duration_s=200.0)
    )
    assert [record.pod for record in worlds.pods(result, "preempted")] == ["training"]
    assert worlds.pods(result, "nominated")
    assert result.series.replicas_ready[-1] == 2
    waits = [record for record in worlds.pods(result, "unschedulable") if record.pod == "training"]
    assert "Insufficient nvidia.com/gpu" in waits[-1].detail


def test_a_cloud_that_removes_dead_nodes_lets_their_pods_go():
    """When the node's object goes, the garbage collector removes the pods that nobody ended."""
    times = ControlTimes(node_removed_s=120.0)
    result = worlds.run(
        worlds.scenario(happenings=(NodeFails(60.0, "n1"),), control=times, duration_s=600.0, nodes=three())
    )
    lost = worlds.pods(result, "lost")
    assert [record.at_s for record in lost] == [220.0]
    assert result.series.pods_terminating[-1] == 0
    assert result.series.replicas_ready[-1] == 2


def test_a_scheduler_that_is_away_places_nothing():
    """New pods wait until it is back, and are placed then."""
    happenings = (ControllerRestarted(59.0, "scheduler", 40.0), ReplicasEdited(60.0, 4))
    result = worlds.run(worlds.scenario(happenings=happenings))
    placed = [record.at_s for record in worlds.pods(result, "scheduled") if record.at_s > 0]
    assert placed == [pytest.approx(99.0, abs=0.05)] * 2


def test_a_deployment_controller_that_is_away_changes_nothing():
    """A killed pod is replaced when the controllers are back."""
    happenings = (PodKilled(60.0), ControllerRestarted(60.0, "deployment", 40.0))
    result = worlds.run(worlds.scenario(happenings=happenings))
    made = [record.at_s for record in worlds.pods(result, "created") if record.at_s > 0]
    assert made == [pytest.approx(100.0, abs=0.1)]


def test_preemption_prefers_victims_whose_budget_allows_it():
    """The scheduler is told how many of the workload's pods may go: none, so that it takes the other one's GPU."""
    intruder = OtherPod(Pod("default", "urgent", "urgent", {}, worlds.spec(priority=100)))
    bystander = OtherPod(Pod("default", "batch", "batch", {}, worlds.spec(priority=0)), node="n1", returns=False)
    plan = ClusterPlan(
        nodes=(worlds.node("n1", gpus=3),),
        other_pods=(bystander, intruder),
        budget=DisruptionBudget(max_unavailable=0),
    )
    result = worlds.run(worlds.scenario(cluster=plan, replicas=2))
    assert [record.pod for record in worlds.pods(result, "preempted")] == ["batch"]
    assert result.series.replicas_ready.min() == 2
