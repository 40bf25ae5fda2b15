"""The kubelet's prober, by upstream's own cases and by its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.models import prober
from tonnage.twin.models.prober import ProbeState
from tonnage.twin.pod_life import Probe

KINDS = ("startup", "readiness", "liveness")
THREE = Probe(failure_threshold=3)


def fresh(kind, container=1):
    """A worker that has just seen a container."""
    return prober.seen(ProbeState(prober.initial(kind)), kind, container)


def fed(kind, probe, outcomes, state=None):
    """Standings after each outcome."""
    state = state or fresh(kind)
    standings = []
    for passed in outcomes:
        state = prober.step(state, kind, probe, passed)
        standings.append(state.standing)
    return state, standings


def gate(kind, state=None, probe=THREE, **facts):
    """What a tick does; a running container that has started as its probe expects, unless told otherwise."""
    given_ = {"running_s": 100.0, "started": kind != "startup", "deleting": False} | facts
    return prober.gate(state or fresh(kind), kind, probe, **given_)


def test_before_any_probe():
    """Not ready, alive, not known to have started (worker.go newWorker)."""
    assert [prober.initial(kind) for kind in KINDS] == ["unknown", "failure", "success"]


@pytest.mark.parametrize("kind", KINDS)
def test_do_probe(kind):
    """TestDoProbe: no container waits, a running one is probed, in deletion only readiness goes on."""
    assert gate(kind, running_s=None) == "wait"
    assert gate(kind) == "probe"
    assert gate(kind, deleting=True) == ("probe" if kind == "readiness" else "stop")


@pytest.mark.parametrize("kind", KINDS)
def test_initial_delay(kind):
    """TestInitialDelay: whole seconds since the container's start count."""
    probe = Probe(initial_delay_s=10)
    assert gate(kind, probe=probe, running_s=9.999) == "wait"
    assert gate(kind, probe=probe, running_s=10.0) == "probe"


def test_failure_threshold():
    """TestFailureThreshold: two failures change nothing, the third does, one success brings it back."""
    outcomes = [True] * 3 + [False] * 5
    _, standings = fed("readiness", THREE, outcomes * 2)
    once = ["success"] * 5 + ["failure"] * 3
    assert standings == once * 2


def test_success_threshold():
    """TestSuccessThreshold: so many successes in a row are needed."""
    _, standings = fed("readiness", Probe(success_threshold=3, failure_threshold=1), [True] * 2 + [False] + [True] * 3)
    assert standings == ["failure"] * 5 + ["success"]


def test_startup_success_holds_the_worker():
    """TestStartupProbeSuccessThreshold: it probes no more until there is a new container."""
    state, standings = fed("startup", THREE, [True])
    assert standings == ["success"]
    assert gate("startup", state) == "wait"
    again = prober.seen(state, "startup", 2)
    assert again.standing == "unknown"
    assert gate("startup", again) == "probe"


def test_startup_failure_threshold():
    """TestStartupProbeFailureThreshold: unknown until the threshold, then failed and on hold."""
    state, standings = fed("startup", THREE, [False] * 3)
    assert standings == ["unknown", "unknown", "failure"]
    assert state.on_hold


def test_a_failed_liveness_probe_holds():
    """TestOnHoldOnLivenessOrStartupCheckFailure: until a new container, which is taken to be alive."""
    state, _ = fed("liveness", Probe(failure_threshold=1), [False])
    assert gate("liveness", state) == "wait"
    again = prober.seen(state, "liveness", 2)
    assert (again.standing, gate("liveness", again)) == ("success", "probe")


def test_the_run_of_results_starts_anew_after_a_hold():
    """TestResultRunOnLivenessCheckFailure: the next container gets all its attempts."""
    state, _ = fed("liveness", THREE, [True])
    runs = [state.run]
    for _ in range(3):
        state = prober.step(state, "liveness", THREE, passed=False)
        runs.append(state.run)
    assert runs == [1, 1, 2, 0]
    _, standings = fed("liveness", THREE, [False] * 3, prober.seen(state, "liveness", 2))
    assert standings == ["success", "success", "failure"]


def test_started_decides_who_probes():
    """TestLivenessProbeDisabledByStarted, TestStartupProbeDisabledByStarted."""
    assert gate("liveness", started=False) == "wait"
    assert gate("readiness", started=False) == "wait"
    assert gate("startup", started=True) == "wait"


@given(
    st.sampled_from(KINDS),
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.booleans(), max_size=20),
    st.booleans(),
)
def test_a_settled_worker_never_changes(kind, failures, successes, outcomes, passed):
    """What the twin skips would have changed nothing, however long it went on."""
    probe = Probe(failure_threshold=failures, success_threshold=successes if kind == "readiness" else 1)
    state, _ = fed(kind, probe, outcomes)
    if prober.settled(state, kind, probe, passed):
        standing = state.standing
        for _ in range(10):
            if not state.on_hold:
                state = prober.step(state, kind, probe, passed)
            assert state.standing == standing


@given(st.integers(1, 30), st.floats(0, 100), st.floats(0, 1000))
def test_ticks_keep_their_phase(period_s, anchor_s, after_s):
    """The next tick is a whole number of periods after the anchor, and at most a period away."""
    tick_s = prober.next_tick(anchor_s, period_s, max(after_s, anchor_s))
    periods = (tick_s - anchor_s) / period_s
    assert periods == pytest.approx(round(periods), abs=1e-6)
    assert -1e-6 <= tick_s - max(after_s, anchor_s) <= period_s + 1e-6
