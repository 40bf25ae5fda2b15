"""What holds for any inputs at all."""

from __future__ import annotations

import dataclasses
import pickle

from hpa_scenes import CPU, LATENCY, QUEUE, WEB, decide, latency_hpa, pod, pods
from hypothesis import given
from hypothesis import strategies as st

from tonnage.hpa import (
    NO_STATE,
    Behavior,
    ContainerFact,
    ExternalValues,
    Hpa,
    MetricError,
    MetricSpec,
    MetricTarget,
    PodFact,
    PodSamples,
    ReadyCondition,
    Sample,
    ScalingPolicy,
    ScalingRules,
)

TIMES = st.floats(-1000, 1000)
PODS = st.lists(
    st.builds(
        PodFact,
        st.just(""),
        st.sampled_from(["Pending", "Running", "Running", "Running", "Succeeded", "Failed", "Unknown"]),
        st.booleans(),
        st.one_of(st.none(), TIMES),
        st.one_of(st.none(), st.builds(ReadyCondition, st.sampled_from(["True", "False", "Unknown"]), TIMES)),
        st.just((ContainerFact("server", {"cpu": 500}),)),
    ),
    max_size=12,
).map(lambda made: [dataclasses.replace(one, name=f"web-{number}") for number, one in enumerate(made)])
SAMPLES = st.dictionaries(
    st.integers(0, 14).map("web-{}".format),
    st.builds(Sample, st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5000), TIMES, st.floats(0, 120)),
    max_size=14,
)
POLICIES = st.builds(ScalingPolicy, st.sampled_from(["Pods", "Percent"]), st.integers(1, 200), st.integers(1, 1800))
RULES = st.builds(
    ScalingRules,
    st.lists(POLICIES, min_size=1, max_size=3).map(tuple),
    st.sampled_from(["Max", "Min", "Disabled"]),
    st.one_of(st.none(), st.integers(0, 3600)),
    st.one_of(st.none(), st.floats(0, 2)),
)
BEHAVIORS = st.one_of(st.none(), st.builds(Behavior, RULES, RULES))
METRICS = (
    MetricSpec(LATENCY, MetricTarget("AverageValue", average_value_milli=100)),
    MetricSpec(CPU, MetricTarget("Utilization", average_utilization_percent=70)),
    MetricSpec(QUEUE, MetricTarget("Value", value_milli=1000)),
)
ANSWERS = {
    LATENCY: st.one_of(st.just(MetricError("away")), st.builds(PodSamples, SAMPLES)),
    CPU: st.one_of(st.just(MetricError("away")), st.builds(PodSamples, SAMPLES)),
    QUEUE: st.one_of(
        st.just(MetricError("away")),
        st.builds(ExternalValues, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(tuple)),
    ),
}
HPAS = st.builds(
    lambda lowest, more, metrics, behavior: Hpa(WEB, max(1, lowest + more), lowest, tuple(metrics), behavior),
    st.integers(0, 10),
    st.integers(0, 30),
    st.lists(st.sampled_from(METRICS), min_size=1, max_size=3),
    BEHAVIORS,
)
PASSES = st.lists(
    st.tuples(PODS, st.fixed_dictionaries(ANSWERS), st.floats(0, 400)), min_size=1, max_size=6
)


@given(HPAS, st.integers(0, 45), PASSES)
def test_whatever_is_seen_the_count_stays_in_its_bounds_or_where_it_was(hpa, replicas, passes):
    state, now_s = NO_STATE, 0.0
    for seen, answers, gap_s in passes:
        now_s += gap_s
        done = decide(hpa, replicas, answers, seen=seen, state=state, now_s=now_s)
        if done.rescale:
            assert hpa.replicas_min <= done.desired_replicas <= hpa.replicas_max
            assert done.desired_replicas != replicas
            # as upstream: what only an earlier recommendation raises has no metric to name
            assert done.reason or done.desired_replicas > replicas
        else:
            assert done.desired_replicas == replicas
        assert done.trace or replicas == 0 or done.state.recommendations
        replicas, state = done.desired_replicas, done.state


@given(HPAS, st.integers(0, 45), PASSES)
def test_a_decision_does_not_depend_on_the_order_of_pods_and_samples(hpa, replicas, passes):
    for seen, answers, now_s in passes:
        turned = {
            query: PodSamples(dict(reversed(answer.samples.items()))) if isinstance(answer, PodSamples) else answer
            for query, answer in answers.items()
        }
        assert decide(hpa, replicas, answers, seen=seen, now_s=now_s) == decide(
            hpa, replicas, turned, seen=seen[::-1], now_s=now_s
        )


@given(HPAS, st.integers(0, 45), PASSES)
def test_a_state_survives_being_written_down(hpa, replicas, passes):
    seen, answers, now_s = passes[0]
    done = decide(hpa, replicas, answers, seen=seen, now_s=now_s)
    assert pickle.loads(pickle.dumps(done)) == done


@given(st.integers(1, 40), st.lists(st.integers(0, 2000), min_size=2, max_size=2), BEHAVIORS)
def test_more_load_on_pods_that_all_answer_never_asks_for_fewer(replicas, loads, behavior):
    hpa = latency_hpa(behavior=behavior)
    counts = [
        decide(hpa, replicas, PodSamples({one.name: Sample(load) for one in pods(replicas)})).desired_replicas
        for load in sorted(loads)
    ]
    assert counts == sorted(counts)


@given(st.integers(1, 40), st.lists(st.integers(0, 10**7), min_size=2, max_size=2), BEHAVIORS)
def test_a_longer_queue_never_asks_for_fewer(replicas, totals, behavior):
    queue = MetricSpec(QUEUE, MetricTarget("AverageValue", average_value_milli=1000))
    hpa = Hpa(WEB, 50, metrics=(queue,), behavior=behavior)
    counts = [decide(hpa, replicas, ExternalValues((total,))).desired_replicas for total in sorted(totals)]
    assert counts == sorted(counts)


@given(st.integers(1, 30), st.integers(0, 500))
def test_a_count_that_was_reached_is_kept_while_the_load_per_pod_is_on_target(replicas, now_s):
    answer = PodSamples({one.name: Sample(100) for one in pods(replicas)})
    done = decide(latency_hpa(), replicas, answer, now_s=float(now_s))
    assert not done.rescale
    again = decide(latency_hpa(), replicas, answer, now_s=now_s + 15.0, state=done.state)
    assert not again.rescale


@given(st.floats(-1e6, 1e6))
def test_a_shift_of_all_times_changes_nothing_but_the_times(shift_s):
    shift_s = round(shift_s)  # whole seconds, so that the shifted floats are the same nanoseconds
    def seen(shift):
        return [pod("web-0", start_time_s=-100.0 + shift, since_s=-60.0 + shift)]

    def decision(shift):
        answer = PodSamples({"web-0": Sample(900, shift + 0.0)})
        hpa = Hpa(WEB, 9, metrics=METRICS[1:2])
        return decide(hpa, 1, answer, seen=seen(shift), now_s=float(shift))

    assert decision(shift_s).trace == decision(0).trace
