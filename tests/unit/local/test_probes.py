"""Probes decide as the kubelet's do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tonnage.local.probes import Kind, ProbeMachine, ProbeSettings, restart_backoff_s


def machine(startup: int | None = 2) -> ProbeMachine:
    probes = {
        Kind.READINESS: ProbeSettings("/health", 0.0, 5.0, 1.0, 3),
        Kind.LIVENESS: ProbeSettings("/livez", 0.0, 10.0, 1.0, 2),
    }
    if startup is not None:
        probes[Kind.STARTUP] = ProbeSettings("/health", 1.0, 2.0, 1.0, startup)
    return ProbeMachine(probes, 100.0)


def test_others_wait_for_startup():
    """Readiness and liveness are not probed before startup has passed, nor startup before its delay."""
    m = machine()
    assert m.due(100.5) == []
    assert m.due(101.0) == [Kind.STARTUP]
    m.record(Kind.STARTUP, True, 101.0)
    assert m.started
    assert not m.ready
    assert m.due(101.0) == [Kind.READINESS, Kind.LIVENESS]


def test_startup_that_fails_restarts():
    """After the threshold of consecutive failures the process must be restarted, and not before."""
    m = machine()
    m.record(Kind.STARTUP, False, 101.0)
    assert m.restart is None
    m.record(Kind.STARTUP, False, 103.0)
    assert m.restart == "startup probe failed 2 times"
    assert m.due(200.0) == []


def test_liveness_counts_consecutive_failures():
    """A success between two failures starts the count anew."""
    m = machine(None)
    for ok in (False, True, False):
        m.record(Kind.LIVENESS, ok, 110.0)
    assert m.restart is None
    m.record(Kind.LIVENESS, False, 120.0)
    assert m.restart == "liveness probe failed 2 times"


@given(st.lists(st.booleans(), max_size=30))
def test_readiness_follows_its_thresholds(results):
    """Ready after one success, not ready after three failures in a row, else as before."""
    m, expected, failures = machine(None), False, 0
    for ok in results:
        m.record(Kind.READINESS, ok, 0.0)
        failures = 0 if ok else failures + 1
        expected = True if ok else expected and failures < 3
        assert m.ready == expected
        assert m.restart is None


def test_backoff_doubles_to_five_minutes():
    """The first restart is at once, then the base, doubling, at most five minutes."""
    assert [restart_backoff_s(n, 10.0) for n in range(7)] == [0, 10, 20, 40, 80, 160, 300]
