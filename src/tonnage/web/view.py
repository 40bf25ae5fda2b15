"""A run as a page shows it: plots, decisions, lives and settings, as plain values for the page's script."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tonnage.twin.records import NodeRecord, PipelineRecord, Record, Remark, RolloutRecord, ScalingDecision
from tonnage.twin.result import FloatArray, Result
from tonnage.twin.verdict import Verdict, unanswered_of
from tonnage.twin.wording import show_latency, show_number, show_time
from tonnage.web.decisions import decision_table
from tonnage.web.sampling import ROWS_MAX, as_json, shortened
from tonnage.web.timelines import node_timeline, pod_timeline

_MARKS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class _Line:
    """One series of a chart.

    Attributes:
        name: For the legend.
        colour: Name of the colour in the page's style.
        values: One for each interval.
        look: ``line``, ``step`` for levels that jump, ``dash`` for what is wanted, ``area``.
    """

    name: str
    colour: str
    values: FloatArray
    look: str = "line"


def view_of(result: Result, verdict: Verdict, *, rows_max: int = ROWS_MAX) -> dict[str, Any]:
    """Gather what the page's script draws.

    Args:
        result: The run.
        verdict: What it says about its objective.
        rows_max: Rows of its series at most; longer ones keep their extremes.
    """
    scenario, series = result.scenario, result.series
    charts = [
        _requests(result),
        _latency(result),
        _replicas(result),
        _work(result),
        *_metrics(result),
        _nodes(result),
        _cost(result),
    ]
    columns: dict[str, FloatArray] = {}
    for number, chart in enumerate(charts):
        for line in chart["series"]:
            columns[f"{number}:{line['name']}"] = line["values"]
    time_s, short = shortened(series.time_s, columns, rows_max=rows_max)
    for number, chart in enumerate(charts):
        for line in chart["series"]:
            line["values"] = as_json(short[f"{number}:{line['name']}"])
    table = decision_table(one for one in result.records if isinstance(one, ScalingDecision))
    return {
        "name": scenario.name,
        "duration_s": scenario.duration_s,
        "interval_s": scenario.interval_s if time_s.size == series.time_s.size else _step(time_s),
        "time_s": as_json_times(time_s),
        "verdict": {
            "spans": [{"from_s": one.from_s, "to_s": one.to_s} for one in verdict.violations],
        },
        "charts": charts,
        "marks": marks_of(result.records),
        **table,
        "pods": pod_timeline(result),
        "nodes": node_timeline(result),
    }


def as_json_times(time_s: FloatArray) -> list[float]:
    """Times to the millisecond [s]."""
    return [round(value, 3) for value in time_s.tolist()]


def _step(time_s: FloatArray) -> float:
    return float(np.median(np.diff(time_s))) if time_s.size > 1 else 1.0


def marks_of(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What happened to the run from outside: failures, rollouts, outages and remarks, in order."""
    marks = []
    for record in records:
        said = _mark(record)
        if said is not None:
            short, detail = said
            text = f"{short}: {detail}" if detail else short
            marks.append({"at_s": record.at_s, "short": short, "text": text})
    return marks[:_MARKS_MAX]


def _mark(record: Record) -> tuple[str, str] | None:
    if isinstance(record, Remark):
        return record.text, ""
    if isinstance(record, NodeRecord) and record.what in (
        "failed", "recovered", "drained", "interruption_notice", "removed", "pressure", "not_available",
    ):  # fmt: skip
        return f"{record.node} {record.what.replace('_', ' ')}", record.detail
    if isinstance(record, RolloutRecord) and record.what != "scaled":
        return f"rollout {record.revision} {record.what.replace('_', ' ')}", record.detail
    if isinstance(record, PipelineRecord):
        return f"{record.who} {record.what}", record.detail
    return None


def _chart(
    identity: str,
    title: str,
    unit: str,
    lines: Iterable[_Line],
    *,
    shown: str = "number",
    limits: Iterable[tuple[str, float, str]] = (),
    note: str = "",
    **more: Any,
) -> dict[str, Any]:
    drawn = list(lines)
    return {
        "id": identity,
        "title": title,
        "unit": unit,
        "format": shown,
        "note": note,
        "summary": _summary(drawn, shown),
        "series": [
            {
                "name": line.name,
                "colour": line.colour,
                "values": line.values,
                "step": line.look in ("step", "dash", "area-step"),
                "dash": line.look == "dash",
                "fill": line.look in ("area", "area-step"),
                "hidden": bool(np.all(~np.isfinite(line.values) | (line.values == 0))),
            }
            for line in drawn
        ],
        "lines": [{"name": name, "value": value, "colour": colour} for name, value, colour in limits],
        **more,
    }


def _summary(lines: Iterable[_Line], shown: str) -> str:
    """The chart in a sentence, for who does not see it."""
    write = show_latency if shown == "seconds" else show_number
    parts = []
    for line in lines:
        known = line.values[np.isfinite(line.values)]
        if known.size:
            low, high = float(known.min()), float(known.max())
            parts.append(f"{line.name} from {write(low)} to {write(high)}")
    return "; ".join(parts)


def _requests(result: Result) -> dict[str, Any]:
    series, interval_s = result.series, result.scenario.interval_s
    lines = [
        _Line("answered", "c-answered", series.answered / interval_s, "area"),
        _Line("offered", "c-offered", series.offered / interval_s),
        _Line("not answered", "c-dropped", unanswered_of(series) / interval_s),
        _Line("retries", "c-retried", series.retried / interval_s),
    ]
    return _chart("requests", "Requests", "per second", lines, marks=True)


def _latency(result: Result) -> dict[str, Any]:
    series, objective = result.series, result.scenario.objective
    lines = [
        _Line("p50", "c-p50", series.p50_s),
        _Line("p95", "c-p95", series.p95_s),
        _Line("p99", "c-p99", series.p99_s),
    ]
    limits = []
    if objective is not None:
        name = f"objective p{show_number(objective.percentile)} {show_latency(objective.latency_s)}"
        limits.append((name, objective.latency_s, "c-objective"))
    note = "Of what was answered in each interval, from the client's first attempt to its answer."
    return _chart(
        "latency", "Latency", "logarithmic", lines, shown="seconds", limits=limits, note=note, log=True
    )


def _replicas(result: Result) -> dict[str, Any]:
    series = result.series
    lines = [
        _Line("created", "c-created", series.replicas_created, "area-step"),
        _Line("ready", "c-ready", series.replicas_ready, "step"),
        _Line("wanted", "c-wanted", series.replicas_wanted, "dash"),
        _Line("without a node", "c-pending", series.pods_pending, "step"),
    ]
    hpa = result.scenario.autoscaler
    limits = [(f"HPA maximum {hpa.replicas_max}", float(hpa.replicas_max), "c-offered")] if hpa else []
    high = float(series.replicas_wanted.max()) if series.replicas_wanted.size else 0.0
    near = limits if hpa and high > 0.6 * hpa.replicas_max else []
    return _chart("replicas", "Replicas", "pods", lines, limits=near)


def _work(result: Result) -> dict[str, Any]:
    series = result.series
    lines = [
        _Line("in servers", "c-inflight", series.in_flight, "area"),
        _Line("of these waiting", "c-queue", series.queue),
    ]
    return _chart("work", "Requests in the servers", "requests", lines)


def _metrics(result: Result) -> list[dict[str, Any]]:
    """A chart for each metric that the autoscaler looked at, or that the pipeline served."""
    looks = [one for one in result.records if isinstance(one, ScalingDecision)]
    names = list(dict.fromkeys([m.name for one in looks for m in one.metrics] + list(result.series.metrics)))
    return [_metric(result, looks, name, number) for number, name in enumerate(names)]


def _metric(result: Result, looks: list[ScalingDecision], name: str, number: int) -> dict[str, Any]:
    time_s = result.series.time_s
    seen = [(one.at_s, metric) for one in looks for metric in one.metrics if metric.name == name]
    lines, limits, note = [], [], ""
    if name in result.series.metrics:
        lines.append(_Line("now", "c-created", result.series.metrics[name]))
    if seen:
        moments = np.array([at_s for at_s, _ in seen])
        current = np.array([np.nan if m.current is None else m.current for _, m in seen])
        targets = np.array([m.target for _, m in seen])
        at = np.searchsorted(moments, time_s + result.scenario.interval_s * 0.999, side="right") - 1
        held = np.where(at >= 0, current[np.maximum(at, 0)], np.nan)
        lines.append(_Line("seen by the HPA", "c-metric", held, "step"))
        if float(targets.min()) == float(targets.max()):
            limits.append((f"target {show_number(float(targets[0]))}", float(targets[0]), "c-target"))
        else:
            line = np.where(at >= 0, targets[np.maximum(at, 0)], np.nan)
            lines.append(_Line("target", "c-target", line, "dash"))
        blind = sum(metric.error is not None for _, metric in seen)
        if blind:
            note = f"In {blind:,} of {len(seen):,} looks the HPA could not read it."
    return _chart(f"metric-{number}", f"Metric {name}", "", lines, limits=limits, note=note)


def _nodes(result: Result) -> dict[str, Any]:
    series = result.series
    lines = [
        _Line("GPUs paid for", "c-total", series.gpus_total, "area-step"),
        _Line("GPUs held", "c-used", series.gpus_used, "step"),
        _Line("nodes", "c-nodes", series.nodes, "dash"),
    ]
    return _chart("nodes", "Nodes and GPUs", "", lines)


def _cost(result: Result) -> dict[str, Any]:
    lines = [_Line("since the start", "c-cost", result.series.cost, "area")]
    free = result.totals.cost == 0
    note = "No node has a price: give prices to see the cost." if free else ""
    return _chart("cost", "Cost", "in the currency of the prices", lines, note=note)


def mark_rows(records: Iterable[Record]) -> list[tuple[str, str]]:
    """When and what, for a table."""
    return [(show_time(mark["at_s"]), mark["text"]) for mark in marks_of(records)]
