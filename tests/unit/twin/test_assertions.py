"""Assertions: what is read, what is refused and how, what is judged, and what is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_results import flash_crowd, made, scenario

from tonnage.errors import SpecError
from tonnage.twin.assertions import judge, parse_assertion, parse_assertions
from tonnage.twin.measures import MEASURES
from tonnage.twin.records import PodRecord, RolloutRecord
from tonnage.twin.verdict import verdict_of

KNOWN = ", ".join(MEASURES)


def judged(text, result=None):
    result = result or flash_crowd()
    return judge(parse_assertions([text]), result, verdict_of(result))[0]


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("p99<=100ms", 0.1),
        (" p99.9 < 1.5s ", 1.5),
        ("drops==0", 0),
        ("errors<=0.1%", 0.001),
        ("errors<=0.001", 0.001),
        ("cost<=12.5", 12.5),
        ("replicas.max<=20", 20),
        ("violations.seconds<=30", 30),
        ("violations.seconds<=5m", 300),
        ("rate>=9.9k", 9900),
        ("rate>=500/s", 500),
    ],
)
def test_limits_are_read_in_their_measures_unit(text, limit):
    """Latencies in seconds, shares of one, spans with or without a unit."""
    assert parse_assertion(text).limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("p99", "assert: must be like p99<=100ms, drops==0 or replicas.max<=20, got 'p99'"),
        ("drops=0", "assert: must be like p99<=100ms, drops==0 or replicas.max<=20, got 'drops=0'; write == for equality"),
        ("p99<100", "assert: limit of p99 must be a duration with a unit, such as 100ms, 30s or 5m, got '100'; write 100s, or 100ms for milliseconds"),
        ("errors<=5", "assert: limit of errors must be at most 1, or have a %, got '5'; write 5% for a percentage"),
        ("drops<=many", "assert: must be like p99<=100ms, drops==0 or replicas.max<=20, got 'drops<=many'"),
        ("gpu.max<=8", f"assert: must name a measure, got 'gpu.max'; did you mean \"gpus.max\"? known are {KNOWN}"),
        ("latency<=1ms", f"assert: must name a measure, got 'latency'; did you mean \"p99\"? known are {KNOWN}"),
        ("Replicas_Max<=8", f"assert: must name a measure, got 'Replicas_Max'; did you mean \"replicas.max\"? known are {KNOWN}"),
        ("zebras<=8", f"assert: must name a measure, got 'zebras'; known are {KNOWN}"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_the_next_step(text, message):
    """Form, name and limit each have their own message."""
    with pytest.raises(SpecError) as error:
        parse_assertion(text)
    assert str(error.value) == message


def test_all_problems_of_several_are_named_at_once():
    """Two wrong ones are two problems."""
    with pytest.raises(SpecError) as error:
        parse_assertions(["p99<=1", "drops==0", "zebras<1"])
    assert len(error.value.problems) == 2


@given(st.text(max_size=30))
def test_no_text_crashes_the_parser(text):
    """Whatever is written is an assertion or a problem of its author."""
    try:
        parse_assertion(text)
    except SpecError as error:
        assert error.problems


@given(st.sampled_from(sorted(MEASURES)), st.sampled_from(["<=", ">=", "==", "<", ">"]))
def test_every_measure_can_be_judged_on_every_run(name, comparison):
    """A judgement always has words, and an explanation only when it does not hold."""
    unit = {"latency": "0.1s", "span": "10s", "ratio": "1%"}.get(MEASURES[name].kind, "5")
    judgement = judged(f"{name}{comparison}{unit}")
    assert judgement.found
    assert not (judgement.holds and judgement.explanation)
    assert str(judgement).startswith(f"{name}{comparison}{unit}: ")


def test_what_holds_says_what_was_found():
    """No explanation is needed."""
    assert str(judged("replicas.max<=20")) == "replicas.max<=20: holds, got 4"


def test_a_broken_latency_is_explained_by_when_how_much_and_why():
    """The first stretch beyond the limit, its worst value, and the causes of that time."""
    assert str(judged("p99<=100ms")).startswith(
        "p99<=100ms: must hold, got 10 s; first at 0:02:00 (10 s), for 2.22 min; "
        "the offered rate rose from 150/s to 450/s; 1 pod found no node"
    )


def test_a_sum_is_explained_by_the_moment_at_which_it_passed():
    """Drops add up, so that only their beginning says something."""
    assert judged("drops==0").explanation.startswith("passed at 0:02:08; the offered rate rose")


def test_a_size_is_explained_by_who_asked_for_it():
    """The last change of the HPA before."""
    assert judged("replicas.max<=3").explanation == (
        "first at 0:02:15 (4), for 7.75 min; "
        "the HPA had changed 2 to 4 at 0:02:15 (inference_latency_p99 above target)"
    )


def test_cost_is_explained_by_what_was_paid_for():
    """Nodes and GPUs at the time at which the limit was passed."""
    assert judged("cost<=1").explanation.startswith("passed at 0:06:00; 4 nodes with 4 GPUs were paid for")


def test_pending_pods_are_explained_by_the_scheduler():
    """Which pod, when, and the scheduler's words."""
    assert judged("pending.max==0").explanation == (
        "first at 0:02:15 (1), for 40 s; ranker-d unschedulable at 0:02:17: "
        "0/4 nodes are available: 4 Insufficient nvidia.com/gpu."
    )


def test_restarts_are_explained_by_the_pods_that_ended():
    """The kill and the restart are both told."""
    records = [PodRecord(50.0, "a", "n", "killed", "liveness"), PodRecord(60.0, "a", "n", "restarted")]
    from dataclasses import replace

    result = made(offered=lambda _: 100.0, records=records)
    result = replace(result, totals=replace(result.totals, restarts=1))
    assert judged("restarts==0", result).explanation == "passed at 0:00:59; a restarted at 0:01:00"


def test_violations_without_an_objective_cannot_be_judged():
    """It fails and says why, rather than hold by absence."""
    judgement = judged("violations.seconds<=30", flash_crowd(scenario_=scenario(objective=None)))
    assert not judgement.holds
    assert judgement.explanation == "the run has no objective"


def test_a_rollout_that_never_ends_takes_for_ever():
    """An unfinished rollout is longer than any limit; without one there is nothing to judge."""
    began = made(offered=lambda _: 100.0, records=[RolloutRecord(10.0, 2, "began")])
    assert str(judged("rollout.seconds<=10m", began)).startswith("rollout.seconds<=10m: must hold, got without end")
    done = made(offered=lambda _: 100.0, records=[RolloutRecord(10.0, 2, "began"), RolloutRecord(70.0, 2, "complete")])
    assert judged("rollout.seconds<=10m", done).value == 60.0
    assert judged("rollout.seconds<=10m", made(offered=lambda _: 100.0)).explanation == "the run has no such value"
