"""Scenarios for the tests: small, complete, and changed by keyword."""

from __future__ import annotations

import dataclasses
from typing import Any

from tonnage.hpa import (
    Behavior,
    Hpa,
    MetricQuery,
    MetricSpec,
    MetricTarget,
    ObjectReference,
    ScalingPolicy,
    ScalingRules,
)
from tonnage.scheduling import Amounts, Node, Pod, PodSpec
from tonnage.traffic import PoissonArrivals
from tonnage.twin import Scenario, Simulation
from tonnage.twin.records import NodeRecord, PodRecord, RolloutRecord, ScalingDecision
from tonnage.twin.requests import ClientModel, ParametricService, ServerModel, plan_of
from tonnage.twin.result import Result
from tonnage.twin.scenario import (
    ClusterPlan,
    Compute,
    CustomMetric,
    MetricsPlan,
    NodePlan,
    PodLife,
    Probe,
    Revision,
    RolloutPlan,
    Samples,
    Termination,
    Workload,
)

GPU = "nvidia.com/gpu"
LABELS = {"app": "model"}


def node(name: str, *, gpus: int = 4, cpu: int = 16000, zone: str = "a", **changed: Any) -> NodePlan:
    """A node with GPUs."""
    held = Node(
        name,
        labels={"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "gpu-type": "t4"},
        allocatable=Amounts(cpu, 64 << 30, 0, ((GPU, gpus),) if gpus else ()),
    )
    return NodePlan(held, gpus=gpus, price_per_h=1.0, **changed)


def spec(**changed: Any) -> PodSpec:
    """A pod that takes one GPU."""
    plain = PodSpec(requests=Amounts(2000, 4 << 30, 0, ((GPU, 1),)), accounted=(2000, 4 << 30), scored=(2000, 4 << 30))
    return dataclasses.replace(plain, **changed)


def life(**changed: Any) -> PodLife:
    """Starts in 1 s, loads in 10 s, probed every 5 s, drains."""
    plain = PodLife(
        container_start_s=Samples.of(1.0),
        process_s=Samples.of(0.5),
        load_s=Samples.of(10.0),
        warmup_s=Samples.of(2.0),
        compute=Compute(cpu_request_cores=2.0, cpu_limit_cores=4.0),
        startup=Probe(period_s=5, failure_threshold=30),
        readiness=Probe(period_s=5),
        liveness=Probe(period_s=10, endpoint="live"),
        termination=Termination(grace_s=30.0, pre_stop_s=3.0),
    )
    return dataclasses.replace(plain, **changed)


def revision(life_: PodLife | None = None, *, server: int = 0, label: str = "", **of_spec: Any) -> Revision:
    """A template."""
    pod = Pod("default", "template", "template", LABELS, spec(**of_spec))
    return Revision(pod, life_ or life(), server, label)


def hpa(
    name: str = "inference_latency_p99",
    *,
    target_milli: int = 100,
    replicas_min: int = 1,
    replicas_max: int = 20,
    down_s: int = 60,
) -> Hpa:
    """An HPA on a Pods metric, quick to scale down."""
    up = ScalingRules((ScalingPolicy("Percent", 100, 15), ScalingPolicy("Pods", 4, 15)), "Max", 0)
    down = ScalingRules((ScalingPolicy("Percent", 50, 15),), "Max", down_s)
    metric = MetricSpec(MetricQuery("Pods", name), MetricTarget("AverageValue", average_value_milli=target_milli))
    target = ObjectReference("Deployment", "model", "apps/v1")
    return Hpa(target, replicas_max, replicas_min, (metric,), Behavior(up, down), "model")


LOAD = MetricsPlan(metrics=(CustomMetric("load", "load"),), sustainable_per_s=80.0)
"""A metric of load: 1 when a replica is as busy as it should be."""


def scenario(
    *,
    replicas: int = 2,
    rate_per_s: float = 100.0,
    duration_s: float = 300.0,
    nodes: tuple[NodePlan, ...] | None = None,
    arrivals: Any = None,
    rollout: RolloutPlan | None = None,
    template: Revision | None = None,
    cluster: ClusterPlan | None = None,
    started: bool = True,
    **changed: Any,
) -> Scenario:
    """A model that takes 10 ms an item, on nodes with four GPUs."""
    workload = Workload(
        "model",
        template or revision(),
        replicas=replicas,
        labels=LABELS,
        rollout=rollout or RolloutPlan(),
        started=started,
    )
    process = arrivals or PoissonArrivals(rate_per_s, duration_s)
    given: dict[str, Any] = {
        "name": "test",
        "workload": workload,
        "cluster": cluster or ClusterPlan(nodes=nodes or (node("n1"), node("n2"))),
        "traffic": plan_of(process, seed=1),
        "servers": (ServerModel(ParametricService(item_s=0.01), size_max=1),),
        "client": ClientModel(),
        "duration_s": duration_s,
    }
    return Scenario(**(given | changed))


def run(made: Scenario) -> Result:
    """Run it, and check what must hold of every run."""
    result = Simulation(made).run()
    totals = result.totals
    assert totals.offered == totals.answered + totals.drops + totals.unfinished
    times = [record.at_s for record in result.records]
    assert times == sorted(times)
    return result


def pods(result: Result, *what: str) -> list[PodRecord]:
    """Facts about pods."""
    return [r for r in result.records if isinstance(r, PodRecord) and (not what or r.what in what)]


def nodes(result: Result, *what: str) -> list[NodeRecord]:
    """Facts about nodes."""
    return [r for r in result.records if isinstance(r, NodeRecord) and (not what or r.what in what)]


def decisions(result: Result) -> list[ScalingDecision]:
    """Looks of the HPA."""
    return [r for r in result.records if isinstance(r, ScalingDecision)]


def rollouts(result: Result, *what: str) -> list[RolloutRecord]:
    """Steps of rollouts."""
    return [r for r in result.records if isinstance(r, RolloutRecord) and (not what or r.what in what)]
