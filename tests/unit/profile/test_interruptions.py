"""Runs that the machine interrupted are told from runs that took long."""

from __future__ import annotations

from tonnage.profile.interruptions import undisturbed

ELAPSED = [0.001] * 9


def test_a_run_whose_clock_went_on_without_its_cpu_time_is_left_out():
    """Fifty milliseconds away from the CPU are the machine's."""
    assert undisturbed([*ELAPSED, 0.051], [0.001] * 10) == list(range(9))


def test_a_run_that_computed_for_long_stays():
    """What the model itself took is its tail."""
    assert undisturbed([*ELAPSED, 0.051], [*ELAPSED, 0.0505]) == list(range(10))


def test_a_model_that_waits_for_a_device_keeps_all_its_runs():
    """There time away from the CPU is the model's own."""
    assert undisturbed([*ELAPSED, 0.051], [0.0002] * 10) == list(range(10))


def test_several_threads_take_more_cpu_time_than_time():
    """A run in which they took less is one that was held up."""
    assert undisturbed([*ELAPSED, 0.003], [0.004] * 10) == list(range(9))


def test_most_of_the_runs_always_stay():
    """The typical run is not an interruption, however noisy the machine."""
    elapsed = [0.001 * (1 + index) for index in range(10)]
    assert len(undisturbed(elapsed, [0.001 * (1 + index // 2) for index in range(10)])) >= 5
