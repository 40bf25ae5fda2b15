"""What a page is given to draw."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import orjson
from made_results import flash_crowd, flash_crowd_records, made, scenario

from tonnage.twin.records import (
    MetricSeen,
    NodeRecord,
    PipelineRecord,
    PodRecord,
    Remark,
    RolloutRecord,
    ScalingDecision,
)
from tonnage.twin.verdict import verdict_of
from tonnage.web.decisions import decision_table
from tonnage.web.settings import settings_of
from tonnage.web.timelines import ROWS_MAX, pod_timeline
from tonnage.web.view import marks_of, view_of


def view(result=None, **options):
    result = result or flash_crowd()
    return view_of(result, verdict_of(result), **options)


def test_every_chart_has_as_many_values_as_there_are_times():
    """One value for each time, of each series of each chart."""
    seen = view()
    assert {len(line["values"]) for chart in seen["charts"] for line in chart["series"]} == {len(seen["time_s"])}
    assert [chart["title"] for chart in seen["charts"]] == [
        "Requests", "Latency", "Replicas", "Requests in the servers", "Metric inference_latency_p99", "Nodes and GPUs", "Cost",
    ]  # fmt: skip


def test_the_view_is_json():
    """Values, no objects of ours, and no nan."""
    assert json.loads(orjson.dumps(view()))["duration_s"] == 600.0


def test_rates_are_per_second_whatever_the_interval():
    """A count in ten seconds is a tenth of it per second."""
    result = made(offered=lambda _: 150.0, scenario_=scenario(interval_s=10.0))
    offered = next(line for line in view(result)["charts"][0]["series"] if line["name"] == "offered")
    assert set(offered["values"]) == {150}


def test_a_long_run_is_shortened_with_its_peak():
    """A day of seconds fits, and its one bad second is in it."""
    result = made(offered=lambda at_s: 5000.0 if at_s == 40_000 else 100.0, scenario_=scenario(duration_s=86_400.0))
    seen = view(result, rows_max=2000)
    assert len(seen["time_s"]) <= 2000
    offered = next(line for line in seen["charts"][0]["series"] if line["name"] == "offered")
    assert max(offered["values"]) == 5000


def test_the_objective_is_a_line_in_the_latencies():
    """With its percentile and its bound."""
    assert view()["charts"][1]["lines"] == [{"name": "objective p99 100 ms", "value": 0.1, "colour": "c-objective"}]


def test_a_metric_shows_what_the_autoscaler_saw_and_its_target():
    """The value of the last look is held until the next, and a constant target is a line."""
    chart = view()["charts"][4]
    seen = next(line for line in chart["series"] if line["name"] == "seen by the HPA")
    assert seen["values"][119:137] == [0.02, *[0.5] * 17]
    assert chart["lines"] == [{"name": "target 0.1", "value": 0.1, "colour": "c-target"}]


def test_a_target_that_was_edited_is_a_series():
    """One value in the beginning, another one later."""
    looks = [ScalingDecision(at, "h", 2, 2, False, "", (MetricSeen("cpu", 50.0, target, 2),)) for at, target in ((0.0, 70.0), (300.0, 50.0))]
    result = replace(made(offered=lambda _: 100.0, records=looks))
    chart = next(chart for chart in view(result)["charts"] if chart["title"] == "Metric cpu")
    target = next(line for line in chart["series"] if line["name"] == "target")
    assert (target["values"][0], target["values"][-1], chart["lines"]) == (70, 50, [])


def test_charts_are_told_in_words():
    """Who does not see a chart reads its extremes."""
    assert view()["charts"][1]["summary"].startswith("p50 from 10 ms to 5.01 s; p95 from 18 ms")


def test_marks_are_what_happened_from_outside():
    """Failures, rollouts, outages and remarks; not what controllers do all day."""
    records = [
        Remark(1.0, "sale begins"),
        NodeRecord(2.0, "gpu-1", "failed", "kernel panic"),
        NodeRecord(3.0, "gpu-1", "tainted"),
        RolloutRecord(4.0, 2, "began"),
        RolloutRecord(5.0, 2, "scaled"),
        PipelineRecord(6.0, "metrics-server", "outage"),
    ]
    assert [mark["text"] for mark in marks_of(records)] == [
        "sale begins", "gpu-1 failed: kernel panic", "rollout 2 began", "metrics-server outage",
    ]  # fmt: skip


def test_decisions_say_who_decided_and_in_whose_words():
    """The metric with the highest proposal, and the controller's reason."""
    row = next(row for row in view()["decisions"] if row["rescaled"])
    assert (row["replicas"], row["desired"], row["outcome"]) == (2, 4, "up to 4")
    assert (row["decided_by"], row["words"]) == ("inference_latency_p99", "inference_latency_p99 above target")


def test_traces_and_conditions_are_kept_once():
    """A day of equal decisions costs one copy of their words."""
    seen = view()
    assert len(seen["decisions"]) == 40
    assert len(seen["strings"]) == len(set(seen["strings"])) < 10
    row = seen["decisions"][0]
    assert [seen["strings"][index] for index in row["trace"]] == ["E2: ratio 5.0 outside tolerance 0.1", "E14: proposes 2"]


def test_a_decision_without_any_metric_could_not_be_made():
    """Its words are those of the condition that says so."""
    failed = ScalingDecision(
        0.0, "h", 2, 2, False, "", (MetricSeen("cpu", None, 70.0, None, "no metrics"),),
        (("ScalingActive", "False", "FailedGetResourceMetric", "the HPA was unable to compute the replica count"),),
    )  # fmt: skip
    (row,) = decision_table([failed])["decisions"]
    assert (row["outcome"], row["decided_by"]) == ("could not decide", "–")
    assert row["words"] == "the HPA was unable to compute the replica count"


def test_only_a_changed_condition_counts_as_a_change():
    """Equal looks one after another are not shown at first."""
    rows = decision_table(one for one in flash_crowd_records() if isinstance(one, ScalingDecision))["decisions"]
    assert [row["at_s"] for row in rows if row["changed"]] == [0.0, 135.0]


def test_timelines_have_short_labels_and_full_names():
    """What all names share is said once."""
    seen = pod_timeline(flash_crowd())
    assert seen["labels"] == ["a", "b", "c", "d"]
    assert seen["rows"][2:] == ["ranker-c on gpu-2", "ranker-d"]
    assert seen["unit"] == "4 pods, names without 'ranker-'"
    assert [point["text"] for point in seen["points"]] == [
        "unschedulable: 0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
    ]


def test_of_too_many_pods_those_in_trouble_are_kept():
    """A thousand pods are shown by four hundred, the killed ones among them, and the page says so."""
    records = [PodRecord(float(i), f"p-{i}", "n", "ready") for i in range(500)]
    records += [PodRecord(510.0, "p-499", "n", "killed")]
    seen = pod_timeline(made(offered=lambda _: 100.0, records=records))
    assert len(seen["rows"]) == ROWS_MAX
    assert seen["rows"][-1] == "p-499 on n"
    assert seen["note"] == "100 more pods in the JSON."


def test_settings_name_every_part_of_the_scenario():
    """Each part is a section, with its values as people write them."""
    sections = dict(settings_of(scenario()))
    assert ("seed", "0") in sections["Run"]
    assert ("latency_s", "0.1") in sections["Objective"]
    assert ("replicas_max", "10") in sections["Autoscaler"]
    assert ("nodes[3].gpus", "1") in sections["Cluster"]
    assert ("client.timeout_s", "unlimited") in sections["Traffic"]
    assert all(np.char.str_len([value for _, value in rows]).min() > 0 for rows in sections.values() if rows)
