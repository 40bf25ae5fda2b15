"""Short ways to say what the autoscaler sees; the tests of this folder are written in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.hpa import (
    NO_STATE,
    Answer,
    Behavior,
    ContainerFact,
    ControllerConfig,
    ControllerState,
    Hpa,
    MetricQuery,
    MetricSpec,
    MetricsSnapshot,
    MetricTarget,
    ObjectReference,
    PodFact,
    PodSamples,
    ReadyCondition,
    Reconciliation,
    Sample,
    reconcile,
)

WEB = ObjectReference("Deployment", "web", "apps/v1")
LATENCY = MetricQuery("Pods", "latency")
CPU = MetricQuery("Resource", "cpu")
QUEUE = MetricQuery("External", "queue")
HITS = MetricQuery("Object", "hits", described=ObjectReference("Service", "front", "v1"))


def latency_hpa(target_milli: int = 100, **fields: Any) -> Hpa:
    """An autoscaler on a Pods metric, as the founding manifest has it."""
    spec = MetricSpec(LATENCY, MetricTarget("AverageValue", average_value_milli=target_milli))
    return Hpa(WEB, **{"replicas_max": 50, "metrics": (spec,), **fields})


def cpu_hpa(percent: int = 50, **fields: Any) -> Hpa:
    spec = MetricSpec(CPU, MetricTarget("Utilization", average_utilization_percent=percent))
    return Hpa(WEB, **{"replicas_max": 50, "metrics": (spec,), **fields})


def pod(name: str, request_milli: int = 1000, *, ready: str | None = "True", **fields: Any) -> PodFact:
    """A pod that has been ready for hours, at time 0."""
    return PodFact(
        name,
        start_time_s=fields.pop("start_time_s", -7200.0),
        ready=None if ready is None else ReadyCondition(ready, fields.pop("since_s", -7000.0)),
        containers=(ContainerFact("server", {"cpu": request_milli, "memory": request_milli}),),
        **fields,
    )


def pods(count: int) -> list[PodFact]:
    return [pod(f"web-{number}") for number in range(count)]


def samples(values_milli: Sequence[int | None] | Mapping[str, int]) -> PodSamples:
    """Values of web-0, web-1 and so on, None for a pod that is silent; or of names."""
    if not isinstance(values_milli, Mapping):
        named = enumerate(values_milli)
        values_milli = {f"web-{number}": value for number, value in named if value is not None}
    return PodSamples({name: Sample(value) for name, value in values_milli.items()})


def decide(
    hpa: Hpa,
    replicas: int,
    answer: Answer | Mapping[MetricQuery, Answer],
    *,
    seen: Sequence[PodFact] | None = None,
    state: ControllerState = NO_STATE,
    now_s: float = 0.0,
    config: ControllerConfig | None = None,
    **inputs: Any,
) -> Reconciliation:
    """One reconciliation; a single answer is that to the first metric."""
    answers = answer if isinstance(answer, Mapping) else {hpa.metrics[0].query: answer}
    return reconcile(
        hpa,
        spec_replicas=replicas,
        status_replicas=inputs.pop("status_replicas", replicas),
        pods=pods(replicas) if seen is None else seen,
        metrics=MetricsSnapshot(answers),
        state=state,
        config=config or ControllerConfig(),
        now_s=now_s,
        **inputs,
    )


def wanted(done: Reconciliation) -> int:
    return done.desired_replicas


def condition(done: Reconciliation, type_: str) -> tuple[bool, str]:
    found = done.state.status.condition(type_)
    assert found is not None
    return found.is_true, found.reason


AT_ONCE = Behavior()
"""What an empty ``behavior`` becomes."""
