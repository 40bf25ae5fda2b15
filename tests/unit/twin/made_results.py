"""Results of runs that never ran: made from a rate and records, so that a test knows what must be said.

The service is a fluid: every ready replica answers 100 requests/s, the rest waits, and the latency is what
the queue takes to be worked off. That is no twin; it is arithmetic that a test can follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tonnage.hpa import Hpa, ObjectReference
from tonnage.scheduling import Node, Pod, PodSpec
from tonnage.traffic import ConstantArrivals
from tonnage.twin.records import MetricSeen, PodFact, PodRecord, Record, ScalingDecision
from tonnage.twin.requests import plan_of
from tonnage.twin.result import Histogram, Result, Series, Totals
from tonnage.twin.scenario import (
    ClientModel,
    ClusterPlan,
    NodePlan,
    Objective,
    Revision,
    Scenario,
    ServerModel,
    Workload,
)

PER_REPLICA_PER_S = 100.0
BASE_S = 0.02
OBJECTIVE = Objective(99, 0.1, 0.001)


def scenario(duration_s: float = 600.0, objective: Objective | None = OBJECTIVE, **changes: Any) -> Scenario:
    """Two replicas on four nodes of one GPU, with an HPA up to ten."""
    nodes = tuple(NodePlan(Node(f"gpu-{i}"), price_per_h=2.5, gpus=1) for i in range(4))
    made = Scenario(
        name="flash crowd",
        workload=Workload("ranker", Revision(Pod(namespace="default", name="ranker", uid="uid", spec=PodSpec())), replicas=2),
        cluster=ClusterPlan(nodes),
        traffic=plan_of(ConstantArrivals(150.0, duration_s), seed=0),
        servers=(ServerModel(),),
        client=ClientModel(),
        duration_s=duration_s,
        autoscaler=Hpa(ObjectReference("Deployment", "ranker"), replicas_max=10, replicas_min=2),
        objective=objective,
    )
    return replace(made, **changes)


def flash_crowd_records() -> list[Record]:
    """From 2 to 4 replicas, asked for at 135 s; the third finds a node and loads for 38 s, the fourth waits."""
    records: list[Record] = []
    for name in ("ranker-a", "ranker-b"):
        node = f"gpu-{name[-1]}"
        facts: tuple[PodFact, ...] = ("created", "scheduled", "started", "loaded", "ready")
        records.extend(PodRecord(0.0, name, node, what) for what in facts)
    for at_s in range(0, 600, 15):
        wanted = 2 if at_s < 135 else 4
        rescaled = at_s == 135
        records.append(
            ScalingDecision(
                float(at_s),
                "ranker",
                2 if at_s <= 135 else 4,
                wanted,
                rescaled,
                "inference_latency_p99 above target" if rescaled else "",
                (MetricSeen("inference_latency_p99", 0.5 if 120 <= at_s < 300 else 0.02, 0.1, wanted),),
                (("AbleToScale", "True", "ReadyForNewScale", "recommended size matches current size"),),
                ("E2: ratio 5.0 outside tolerance 0.1", f"E14: proposes {wanted}"),
            )
        )
    refused = "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
    lives = [
        ("ranker-c", (("created", 136), ("scheduled", 137), ("started", 140), ("loaded", 170), ("ready", 175))),
        ("ranker-d", (("created", 136), ("unschedulable", 137))),
    ]
    for name, facts in lives:
        for what, at in facts:
            node = "gpu-2" if name == "ranker-c" and what != "created" else None
            records.append(PodRecord(float(at), name, node, what, refused if what == "unschedulable" else ""))  # type: ignore[arg-type]
    return sorted(records, key=lambda record: record.at_s)


def flash_crowd(**changes: Any) -> Result:
    """150 requests/s, and 450 from 120 s to 240 s; a third replica is ready at 175 s."""
    return made(
        offered=lambda at_s: 450.0 if 120 <= at_s < 240 else 150.0,
        ready=lambda at_s: 3 if at_s >= 175 else 2,
        wanted=lambda at_s: 4 if at_s >= 135 else 2,
        records=flash_crowd_records(),
        **changes,
    )


def made(
    *,
    offered: Callable[[float], float],
    ready: Callable[[float], int] = lambda _: 2,
    wanted: Callable[[float], int] | None = None,
    records: Sequence[Record] = (),
    scenario_: Scenario | None = None,
    queue_max: float = 2000.0,
) -> Result:
    """Work off what is offered, interval by interval."""
    it = scenario_ or scenario()
    time_s = np.arange(0.0, it.duration_s, it.interval_s)
    rows: dict[str, list[float]] = {name: [] for name in ("offered", "answered", "refused", "p99", "queue", "misses")}
    queue = 0.0
    for at_s in time_s.tolist():
        came, room = offered(at_s) * it.interval_s, ready(at_s) * PER_REPLICA_PER_S * it.interval_s
        answered = min(room, queue + came)
        left = queue + came - answered
        refused = max(0.0, left - queue_max)
        queue = left - refused
        latency_s = BASE_S + queue / max(room, 1e-9) * it.interval_s
        slow = answered if it.objective and latency_s > it.objective.latency_s else 0.0
        for name, value in zip(rows, (came, answered, refused, latency_s, queue, slow + refused), strict=True):
            rows[name].append(value)
    columns = {name: np.array(values) for name, values in rows.items()}
    ready_now = np.array([float(ready(at_s)) for at_s in time_s])
    wanted_now = np.array([float((wanted or ready)(at_s)) for at_s in time_s])
    return Result(
        it, tuple(records), _series(time_s, columns, ready_now, wanted_now, it), _totals(columns, ready_now, it, records),
        Histogram(np.array([0.1, np.inf]), np.array([1, 0])), ("the cloud's quota of GPUs",),
    )  # fmt: skip


def _series(time_s: Any, columns: Any, ready: Any, wanted: Any, it: Scenario) -> Series:
    def zero() -> Any:
        return np.zeros(time_s.size)

    nodes = np.full(time_s.size, 4.0)
    price_per_s = sum(plan.price_per_h for plan in it.cluster.nodes) / 3600
    return Series(
        time_s=time_s,
        offered=columns["offered"],
        answered=columns["answered"],
        refused_queue=columns["refused"],
        refused_deadline=zero(),
        failed=zero(),
        timed_out=zero(),
        retried=zero(),
        p50_s=columns["p99"] * 0.5,
        p95_s=columns["p99"] * 0.9,
        p99_s=columns["p99"],
        slo_misses=columns["misses"],
        queue=columns["queue"],
        in_flight=columns["queue"] + 1,
        replicas_wanted=wanted,
        replicas_created=wanted,
        replicas_ready=ready,
        pods_pending=np.maximum(wanted - ready - 1, 0),
        pods_terminating=zero(),
        endpoints=ready,
        nodes=nodes,
        gpus_total=nodes,
        gpus_used=ready,
        cost=(time_s + it.interval_s) * price_per_s,
        metrics={"inference_latency_p99": columns["p99"]},
    )


def _totals(columns: Any, ready: Any, it: Scenario, records: Sequence[Record]) -> Totals:
    order = np.argsort(columns["p99"])
    shares = np.cumsum(columns["answered"][order]) / max(columns["answered"].sum(), 1e-9)

    def percentile(share: float) -> float:
        if shares[-1] < 0.5:
            return float("nan")
        return float(columns["p99"][order][min(np.searchsorted(shares, share), order.size - 1)])

    refused, answered = round(columns["refused"].sum()), round(columns["answered"].sum())
    misses = round(columns["misses"].sum())
    return Totals(
        offered=round(columns["offered"].sum()),
        answered=answered,
        dropped={"queue_full": refused} if refused else {},
        unfinished=round(columns["queue"][-1]),
        attempts_failed={"queue_full": refused} if refused else {},
        retried=0,
        p50_s=percentile(0.5) * 0.5,
        p90_s=percentile(0.9),
        p95_s=percentile(0.95),
        p99_s=percentile(0.99),
        p999_s=percentile(0.999),
        slo_misses=misses if it.objective else 0,
        slo_miss_ratio=misses / (answered + refused) if answered + refused else float("nan"),
        cost=sum(plan.price_per_h for plan in it.cluster.nodes) * it.duration_s / 3600,
        gpu_hours=4 * it.duration_s / 3600,
        gpu_hours_used=float(ready.sum()) * it.interval_s / 3600,
        replicas_peak=int(ready.max()),
        nodes_peak=4,
        gpus_peak=int(ready.max()),
        restarts=0,
        rescales=sum(isinstance(one, ScalingDecision) and one.rescaled for one in records),
    )
