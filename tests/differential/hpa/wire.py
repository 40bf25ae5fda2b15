"""How pods and answers travel to the Go side, and back into our own values. Times are whole nanoseconds."""

from __future__ import annotations

from typing import Any

from tonnage.hpa.facts import (
    Answer,
    ContainerFact,
    ExternalValues,
    MetricError,
    ObjectValue,
    PodFact,
    PodSamples,
    ReadyCondition,
    Sample,
)

NS = 10**9


def seconds(ns: int) -> float:
    return ns / NS


def pod_of(wire: dict[str, Any]) -> PodFact:
    start_ns = wire["start_ns"]
    return PodFact(
        name=wire["name"],
        phase=wire["phase"],
        deleted=wire["deleted"],
        start_time_s=None if start_ns is None else seconds(start_ns),
        ready=ReadyCondition(wire["ready"], seconds(wire["since_ns"])) if wire["ready"] else None,
        containers=tuple(
            ContainerFact(part["name"], part["requests"], part["role"]) for part in wire["containers"]
        ),
        pod_requests_milli=wire.get("requests"),
        overhead_milli=wire.get("overhead") or {},
        labels=wire.get("labels") or {},
    )


def answer_of(kind: str, wire: dict[str, Any]) -> Answer:
    """Kind is the type of the metric's query."""
    if wire.get("error") is not None:
        return MetricError(wire["error"])
    timestamp_s = seconds(wire.get("timestamp_ns", 0))
    if kind == "Object":
        return ObjectValue(wire["value"], timestamp_s)
    if kind == "External":
        return ExternalValues(tuple(wire["values"]), timestamp_s)
    samples = {
        name: Sample(part["value"], seconds(part["timestamp_ns"]), seconds(part["window_ns"]))
        for name, part in wire["samples"].items()
    }
    return PodSamples(samples, timestamp_s)
