"""Whatever happens: requests are conserved, records are in order, counts fit, and a run can be repeated."""

from __future__ import annotations

import dataclasses

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.twin import worlds
from tonnage.twin import Simulation
from tonnage.twin.requests import Balancing, ClientModel, ParametricService, RequestConfig, ServerModel
from tonnage.twin.scenario import (
    PLAIN_ENDPOINTS,
    TONNAGE_ENDPOINTS,
    ClusterPlan,
    Compute,
    ControllerRestarted,
    Crash,
    CustomMetric,
    CustomMetrics,
    DisruptionBudget,
    HpaEdited,
    MetricsOutage,
    MetricsPlan,
    NodeAutoscaler,
    NodeDrained,
    NodeFails,
    NodeRecovers,
    PodKilled,
    PoolPlan,
    Probe,
    ReplicasEdited,
    Rollout,
    RolloutPlan,
    Samples,
    Spot,
    SpotInterruption,
    Termination,
)

times = st.integers(0, 500).map(float)
nodes = st.sampled_from(["n1", "n2", "pool-1", "nowhere"])
small = st.floats(0, 20)


@st.composite
def lives(draw):
    """Pods that load at different speeds, die, and end badly or well."""
    return worlds.life(
        load_s=Samples.of(*draw(st.lists(st.floats(0, 60), min_size=1, max_size=3))),
        warmup_s=Samples.of(draw(small)),
        image_pull_s=Samples.of(draw(small)),
        slow_start=draw(st.sampled_from([(), ((5.0, 3.0), (10.0, 1.5))])),
        compute=Compute(
            cpu_request_cores=draw(st.sampled_from([None, 1.0])),
            cpu_limit_cores=draw(st.sampled_from([None, 1.0])),
            memory_limit_bytes=draw(st.sampled_from([None, 2 << 30])),
            memory_load_bytes=draw(st.sampled_from([0, 1 << 30, 3 << 30])),
            memory_ready_bytes=1 << 30,
        ),
        startup=draw(st.sampled_from([None, Probe(period_s=5, failure_threshold=10)])),
        readiness=draw(st.sampled_from([None, Probe(period_s=5), Probe(period_s=3, success_threshold=2)])),
        liveness=draw(st.sampled_from([None, Probe(endpoint="live"), Probe(initial_delay_s=20)])),
        endpoints=draw(st.sampled_from([TONNAGE_ENDPOINTS, PLAIN_ENDPOINTS])),
        termination=Termination(draw(small), draw(small), draw(small), draw(st.booleans())),
        crash=Crash(draw(st.sampled_from([0.0, 0.3])), draw(st.sampled_from([None, Samples.of(50.0, 300.0)]))),
    )


def hpas():
    return st.sampled_from([None, "load", "inference_latency_p99", "total"]).map(
        lambda name: None if name is None else worlds.hpa(name, target_milli=200, replicas_max=12)
    )


@st.composite
def happenings(draw):
    """A few things that happen, at any time."""
    kinds = [
        st.builds(NodeFails, times, nodes),
        st.builds(NodeRecovers, times, nodes),
        st.builds(NodeDrained, times, nodes, st.sampled_from([None, 60.0])),
        st.builds(SpotInterruption, times, st.none() | nodes, small),
        st.builds(PodKilled, times, st.none(), st.sampled_from(["delete", "crash"])),
        st.builds(Rollout, times, lives().map(worlds.revision)),
        st.builds(HpaEdited, times, hpas()),
        st.builds(ReplicasEdited, times, st.integers(0, 12)),
        st.builds(
            ControllerRestarted,
            times,
            st.sampled_from(["hpa", "scheduler", "deployment", "node-lifecycle"]),
            small,
        ),
        st.builds(MetricsOutage, times, st.floats(500, 600), st.sampled_from(["resource", "custom", "all"])),
    ]
    return tuple(draw(st.lists(st.one_of(kinds), max_size=6)))


@st.composite
def scenarios(draw):
    """A small cluster, a workload, and a bad day."""
    kind = draw(st.sampled_from([None, "cluster-autoscaler", "karpenter"]))
    pool = PoolPlan("pool", worlds.node("x", gpus=2, spot=Spot(2.0)), start=1, size_max=4, startup_s=Samples.of(30.0))
    cluster = ClusterPlan(
        nodes=(worlds.node("n1", cpu_cores=draw(st.sampled_from([3.0, 16.0]))), worlds.node("n2", gpus=2)),
        pools=(pool,),
        autoscaler=None if kind is None else NodeAutoscaler(kind, idle_s=60.0, after_add_s=60.0),
        budget=draw(st.sampled_from([None, DisruptionBudget(max_unavailable=1)])),
    )
    custom = CustomMetrics(
        draw(st.sampled_from(["metrics-api", "prometheus-adapter"])),
        warming=draw(st.sampled_from(["silent", "answers"])),
        idle=draw(st.sampled_from(["absent", "zero", "last"])),
        stale_s=draw(st.sampled_from([0.0, 60.0])),
    )
    metrics = (
        CustomMetric("load", "load"),
        CustomMetric("inference_latency_p99", "latency_p99"),
        CustomMetric("total", "requests_per_s"),
    )
    surge = draw(st.sampled_from([0, 1, "25%"]))
    return worlds.scenario(
        replicas=draw(st.integers(0, 6)),
        rate_per_s=draw(st.sampled_from([0.5, 60.0, 300.0])),
        duration_s=600.0,
        cluster=cluster,
        template=worlds.revision(draw(lives())),
        rollout=RolloutPlan(draw(st.sampled_from(["RollingUpdate", "Recreate"])), surge, 1),
        started=draw(st.booleans()),
        autoscaler=draw(hpas()),
        metrics=MetricsPlan(custom=custom, metrics=metrics, sustainable_per_s=80.0),
        servers=(ServerModel(ParametricService(item_s=0.01), size_max=4, queue_max=50),),
        client=ClientModel(timeout_s=draw(st.sampled_from([0.5, float("inf")])), retries_max=draw(st.integers(0, 2))),
        network=RequestConfig(balancing=draw(st.sampled_from(list(Balancing)))),
        happenings=draw(happenings()),
        seed=draw(st.integers(0, 5)),
    )


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_whatever_happens(scenario):
    """Conservation, order, and counts that fit each other."""
    result = worlds.run(scenario)
    series, totals = result.series, result.totals
    assert (series.replicas_ready <= series.replicas_created).all()
    assert (series.pods_pending <= series.replicas_created).all()
    assert (series.gpus_used <= series.gpus_total).all() or worlds.nodes(result, "removed")
    assert series.offered.sum() == totals.offered
    drops = series.refused_queue + series.refused_deadline + series.failed + series.timed_out
    assert drops.sum() == totals.drops
    assert (series.cost[1:] >= series.cost[:-1]).all()
    for record in worlds.pods(result, "gone"):
        mine = [r for r in worlds.pods(result) if r.pod == record.pod]
        assert any(r.what in ("terminating", "lost", "evicted") for r in mine)
    placed = [record.pod for record in worlds.pods(result, "scheduled")]
    assert len(placed) == len(set(placed))


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(scenarios())
def test_whatever_happens_happens_again(scenario):
    """The same scenario gives the same digest, and so does one with another name for people only."""
    first = Simulation(scenario).run()
    assert Simulation(dataclasses.replace(scenario)).run().digest == first.digest
