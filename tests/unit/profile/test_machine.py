"""What others took of the CPUs, and what the machine is."""

from __future__ import annotations

import os
import time

import pytest

from tonnage.profile.machine import (
    CpuTimes,
    cpu_times,
    describe_machine,
    describe_versions,
    taken,
    timer_lag_p99_s,
)
from tonnage.profile.plan import share_cpus
from tonnage.profile.processes import cpu_s, memory_of, peak_bytes


def test_what_others_took_is_what_was_busy_and_not_ours() -> None:
    """Of ten seconds six were busy, four of them ours, and half a second was stolen."""
    before = CpuTimes(stolen_s=1.0, busy_s=10.0, total_s=100.0, own_s=3.0)
    after = CpuTimes(stolen_s=1.5, busy_s=16.0, total_s=110.0, own_s=7.0)
    assert taken(before, after) == (pytest.approx(0.05), pytest.approx(0.2))


def test_no_time_is_no_share() -> None:
    """Without a clock that moved nothing is known; ours alone leaves nothing for others."""
    still = CpuTimes(0.0, 0.0, 0.0, 0.0)
    assert taken(still, still) == (None, None)
    assert taken(still, CpuTimes(0.0, 1.0, 2.0, 1.5)) == (0.0, 0.0)


def test_this_machine_is_described() -> None:
    """The CPUs are those that were shared out; versions name what takes part."""
    cpus = share_cpus(os.sched_getaffinity(0), wanted=1)
    machine = describe_machine(cpus)
    assert machine.cpus_server == cpus.server
    assert machine.memory_bytes > 0
    assert machine.cpu
    assert {"tonnage", "python", "numpy", "onnxruntime"} <= set(describe_versions("onnx"))


def test_clocks_and_memory_of_a_process_can_be_read() -> None:
    """Of this one they are above zero and do not fall; of one that has ended they are zero."""
    pid = os.getpid()
    before_s = cpu_s(pid)
    end_s = time.process_time() + 0.02
    while time.process_time() < end_s:
        pass
    assert cpu_s(pid) > before_s > 0
    memory = memory_of([pid])
    assert 0 < memory.pss_bytes <= memory.rss_bytes
    assert peak_bytes([pid]) > 0
    assert cpu_s(2**22 + 1) == 0
    assert memory_of([2**22 + 1]).rss_bytes == 0
    times = cpu_times(tuple(os.sched_getaffinity(0)))
    assert 0 < times.busy_s < times.total_s
    assert timer_lag_p99_s(0.02) >= 0
