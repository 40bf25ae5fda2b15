"""Endpoints, the scheduler's queue, the node autoscalers' choices, levels and looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.control_times import ControlTimes
from tonnage.twin.levels import Level
from tonnage.twin.models import node_autoscaler, scheduling_queue
from tonnage.twin.models.autoscaler import next_look
from tonnage.twin.models.endpoints import Endpoint, routed
from tonnage.twin.models.node_autoscaler import Option
from tonnage.twin.models.scheduling_queue import Waiting


def test_terminating_pods_are_not_endpoints():
    """A pod leaves with its deletionTimestamp, however ready it is."""
    assert routed([Endpoint("a", True, False), Endpoint("b", True, True), Endpoint("c", False, False)]) == {"a"}


def test_terminating_pods_that_serve_are_the_last_resort():
    """Without a ready one, kube-proxy sends to terminating pods that are still ready."""
    assert routed([Endpoint("b", True, True), Endpoint("c", False, True)]) == {"b"}
    assert routed([Endpoint("c", False, False)]) == frozenset()


def test_back_off_of_refused_pods():
    """1 s doubling to 10 s."""
    times = ControlTimes()
    found = [scheduling_queue.back_off_s(attempts, times) for attempts in range(7)]
    assert found == [0, 1, 2, 4, 8, 10, 10]


def test_the_queue_goes_by_priority_and_age():
    """Higher priority first, then the older; who backs off comes after all others."""
    old, young = Waiting("old", 0, 1.0, 0), Waiting("young", 0, 2.0, 0)
    important = Waiting("important", 5, 3.0, 0)
    backing_off = Waiting("backing-off", 9, 0.0, 3, ready_s=100.0)
    queue = [backing_off, young, important, old]
    order = []
    while queue:
        order.append(scheduling_queue.first(queue, 10.0))
        queue.remove(order[-1])
    assert [waiting.name for waiting in order] == ["important", "old", "young", "backing-off"]


OPTIONS = (
    Option("big", 4, 1, 8.0, 1.5, priority=1),
    Option("small", 4, 4, 1.0, 0.2, priority=0),
    Option("useless", 0, 0, 0.1, 0.0, priority=9),
)


@pytest.mark.parametrize(
    ("expander", "pool"),
    [("least-waste", "small"), ("price", "small"), ("priority", "big"), ("first", "big")],
)
def test_expanders(expander, pool):
    """Each by its own measure, never a pool that takes no pod."""
    chosen = node_autoscaler.best(OPTIONS, expander)
    assert chosen is not None
    assert chosen.pool == pool
    assert node_autoscaler.best(OPTIONS[2:], expander) is None


def test_a_gpu_node_is_judged_by_its_gpus():
    """Full CPUs do not keep a node whose GPUs are idle; without GPUs the larger of CPU and memory counts."""
    requested = {"cpu": 15000, "memory": 1, "nvidia.com/gpu": 1}
    allocatable = {"cpu": 16000, "memory": 100, "nvidia.com/gpu": 4}
    assert node_autoscaler.utilization(requested, allocatable, ["nvidia.com/gpu"]) == 0.25
    assert node_autoscaler.utilization(requested, allocatable, []) == 15 / 16


def test_waste_adds_cpu_and_memory():
    """Half of the CPU and a quarter of the memory used leave 0.5 and 0.75."""
    assert node_autoscaler.waste({"cpu": 500, "memory": 25}, {"cpu": 1000, "memory": 100}, 1) == 1.25


@given(st.floats(0, 100), st.floats(1, 60), st.floats(0, 10_000))
def test_looks_keep_their_rhythm(phase_s, period_s, after_s):
    """The next look lies strictly later, at most a period away, a whole number of periods from the first."""
    look_s = next_look(phase_s, period_s, after_s)
    if after_s < phase_s - 2e-9:
        assert look_s == phase_s
    else:
        assert 0 < look_s - after_s <= period_s * (1 + 1e-6)
        assert ((look_s - phase_s) / period_s) == pytest.approx(round((look_s - phase_s) / period_s), abs=1e-6)


@given(st.floats(0, 1000), st.floats(1, 60), st.integers(0, 100))
def test_a_look_is_followed_by_another_time(phase_s, period_s, count):
    """A look at its own time, rounded to the engine's nanoseconds, is not planned for the same instant again."""
    look_s = round((phase_s + count * period_s) * 1e9) / 1e9
    assert round(next_look(phase_s, period_s, look_s) * 1e9) > round(look_s * 1e9)


@given(st.lists(st.tuples(st.floats(0.001, 10), st.floats(-100, 100)), max_size=30), st.floats(0.1, 300))
def test_levels_are_steps(changes, at_s):
    """At any time it has the last value set; its integral is the sum of the rectangles."""
    level = Level(1.0)
    now_s, steps = 0.0, [(0.0, 1.0)]
    for gap_s, value in changes:
        now_s += gap_s
        level.set(now_s, value)
        steps.append((now_s, value))
    times = np.array([at_s])
    ends = [*[time_s for time_s, _ in steps[1:]], math.inf]
    area = sum(v * max(0.0, min(end, at_s) - start) for (start, v), end in zip(steps, ends, strict=True))
    assert level.integral(times)[0] == pytest.approx(area, abs=1e-6)
    value = [v for start, v in steps if start <= at_s + 1e-9][-1]
    assert level.at(times)[0] == value
