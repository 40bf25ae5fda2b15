"""Restart back-off and the end of a container."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.twin.control_times import ControlTimes
from tonnage.twin.models import kubelet
from tonnage.twin.pod_life import Termination

TIMES = ControlTimes()


def waits(run_s, count):
    """Waits before each restart of a container that runs for so long each time [s]."""
    entry, now_s, found = None, 0.0, []
    for _ in range(count):
        ended_s = now_s + run_s
        start_s = kubelet.may_start_at(entry, ended_s, TIMES)
        found.append(start_s - ended_s)
        entry = kubelet.restarted(entry, ended_s, start_s, TIMES)
        now_s = start_s
    return found


def test_the_back_off_doubles_from_ten_seconds_to_five_minutes():
    """The first restart is at once, then 10, 20, 40, 80, 160, 300 s."""
    assert waits(1.0, 9) == [0, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_container_that_ran_ten_minutes_is_forgiven():
    """More than 600 s after its last restart, not 600 s exactly, the back-off begins anew."""
    assert waits(601.0, 3) == [0, 0, 0]
    assert waits(600.0, 3) == [0, 10, 20]


def test_a_longer_wait_counts_as_running():
    """The time since the last restart counts, and not the time without a crash."""
    entry = kubelet.BackOff(160.0, 1000.0)
    assert kubelet.may_start_at(entry, 1599.0, TIMES) == 1759.0
    assert kubelet.may_start_at(entry, 1601.0, TIMES) == 1601.0


@pytest.mark.parametrize(
    ("pre_stop_s", "grace_s", "signal_s", "kill_s"),
    [
        (0.0, 30.0, 0.0, 30.0),
        (5.0, 30.0, 5.0, 30.0),
        (29.0, 30.0, 29.0, 31.0),
        (60.0, 30.0, 30.0, 32.0),
        (5.0, 0.0, 0.0, 2.0),
    ],
)
def test_the_hook_runs_within_the_grace_period(pre_stop_s, grace_s, signal_s, kill_s):
    """SIGTERM comes after the hook, SIGKILL at the end of the grace, but two seconds are always left."""
    found = kubelet.ending(Termination(pre_stop_s=pre_stop_s), grace_s)
    assert (found.signal_s, found.kill_s) == (signal_s, kill_s)


@given(st.floats(0, 100), st.floats(0, 100))
def test_sigterm_always_leaves_two_seconds(pre_stop_s, grace_s):
    """Whatever the hook takes."""
    found = kubelet.ending(Termination(pre_stop_s=pre_stop_s), grace_s)
    assert found.kill_s - found.signal_s >= kubelet.GRACE_S_MIN - 1e-9
