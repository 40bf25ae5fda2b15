"""The search for the sustainable rate, run against made-up servers."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.profile.search import (
    FIRST_SHARE,
    STEPS_DOWN_MAX,
    Found,
    SearchLimits,
    Trial,
    Try,
    Verdict,
    next_step,
)

Server = Callable[[Try], Verdict]


def steady(capacity: float, generator: float = math.inf) -> Server:
    """A noiseless server behind a generator that cannot offer more than ``generator``."""

    def verdict(step: Try) -> Verdict:
        if step.rate_per_s > generator:
            return "generator_limited"
        return "held" if step.rate_per_s <= capacity else "failed"

    return verdict


def noisy(seed: int, wrong: float, capacity: float) -> Server:
    """A server of which a share of the verdicts is drawn by lot."""
    random = Random(seed)
    plain = steady(capacity)

    def verdict(step: Try) -> Verdict:
        if random.random() < wrong:
            return random.choice(("held", "failed", "generator_limited"))
        return plain(step)

    return verdict


def search(server: Server, limits: SearchLimits) -> tuple[Found, list[Trial]]:
    trials: list[Trial] = []
    while True:
        step = next_step(trials, limits)
        if isinstance(step, Found):
            return step, trials
        assert len(trials) < limits.trials_max, "a search ends"
        trials.append(Trial(step.rate_per_s, step.purpose, server(step)))


rates = st.floats(1.0, 1e6)
limit_sets = st.builds(
    lambda start, ceiling, tolerance, trials_max, growth: SearchLimits(
        start, ceiling, tolerance=tolerance, trials_max=trials_max, growth=growth
    ),
    st.floats(1e-3, 1e9),
    st.none() | rates,
    st.floats(0.001, 0.9),
    st.integers(1, 60),
    st.floats(1.05, 10.0),
)
servers = st.builds(steady, st.floats(0.1, 1e6), st.floats(0.1, 1e6) | st.just(math.inf)) | st.builds(
    noisy, st.integers(0, 2**32), st.floats(0, 1), st.floats(0.1, 1e6)
)


@given(server=servers, limits=limit_sets)
def test_any_search_ends_inside_its_limits(server: Server, limits: SearchLimits) -> None:
    """Whatever the server does, every rate is in range, and the search ends within trials_max."""
    _, trials = search(server, limits)
    assert 1 <= len(trials) <= limits.trials_max
    for trial in trials:
        assert limits.rate_min_per_s <= trial.rate_per_s <= limits.ceiling_per_s


@given(server=servers, limits=limit_sets)
def test_the_answer_held_and_lies_below_every_failure(server: Server, limits: SearchLimits) -> None:
    """The answer is a rate that held, lower than each that did not; None only if no such rate is known."""
    found, trials = search(server, limits)
    lost = [trial.rate_per_s for trial in trials if trial.verdict != "held"]
    usable = [
        t.rate_per_s for t in trials if t.verdict == "held" and t.rate_per_s < min(lost, default=math.inf)
    ]
    if found.sustainable_per_s is None:
        assert not usable
        assert not found.confirmed
    else:
        assert found.sustainable_per_s in usable
    assert found.reason


@given(server=servers, limits=limit_sets)
def test_confirmed_means_that_the_last_trial_held_for_longer(server: Server, limits: SearchLimits) -> None:
    """An answer is confirmed exactly when the last trial is a confirmation at it that held."""
    found, trials = search(server, limits)
    last = trials[-1]
    held = last.purpose == "confirm" and last.verdict == "held"
    assert found.confirmed == held
    if held:
        assert last.rate_per_s == found.sustainable_per_s


@given(server=servers, limits=limit_sets)
def test_the_generator_is_named_when_it_set_the_bound(server: Server, limits: SearchLimits) -> None:
    """generator_limited tells whether the lowest rate that did not hold is one that was never offered."""
    found, trials = search(server, limits)
    lost = [trial for trial in trials if trial.verdict != "held"]
    lowest = min((trial.rate_per_s for trial in lost), default=None)
    at_lowest = {trial.verdict for trial in lost if trial.rate_per_s == lowest}
    assert found.generator_limited == (at_lowest == {"generator_limited"})


@given(server=servers, limits=limit_sets)
def test_no_search_follows_a_confirmation(server: Server, limits: SearchLimits) -> None:
    """Confirmations come last, each lower than the one before, and are few."""
    _, trials = search(server, limits)
    purposes = [trial.purpose for trial in trials]
    confirms = [trial.rate_per_s for trial in trials if trial.purpose == "confirm"]
    assert purposes == sorted(purposes, reverse=True)
    assert len(confirms) <= 1 + STEPS_DOWN_MAX
    assert all(low < high for high, low in zip(confirms, confirms[1:], strict=False))


@given(capacity=rates, start=rates, tolerance=st.floats(0.005, 0.5), growth=st.floats(1.1, 5.0))
def test_a_steady_server_is_found_within_the_tolerance(
    capacity: float, start: float, tolerance: float, growth: float
) -> None:
    """With trials enough, a noiseless server's capacity is found from below, confirmed, to the tolerance."""
    limits = SearchLimits(start, tolerance=tolerance, growth=growth, trials_max=400)
    found, _ = search(steady(capacity), limits)
    assert found.confirmed
    assert not found.generator_limited
    assert found.sustainable_per_s is not None
    # a gap of `tolerance` over the failed rate leaves at least this share of any capacity in between
    assert capacity * (1 - tolerance) * (1 - 1e-6) <= found.sustainable_per_s <= capacity


@given(capacity=st.floats(10, 1e5), error=st.floats(1 / 4, 4))
def test_a_fair_estimate_needs_few_trials(capacity: float, error: float) -> None:
    """From an estimate within a factor of four, the defaults find the capacity in at most 14 trials."""
    found, trials = search(steady(capacity), SearchLimits(capacity * error))
    assert found.confirmed
    assert found.sustainable_per_s is not None
    assert found.sustainable_per_s >= capacity * 0.95 * (1 - 1e-6)
    assert len(trials) <= 14


@given(generator=rates, above=st.floats(1.0, 10.0), start=rates)
def test_a_generator_that_gives_up_first_makes_a_lower_bound(
    generator: float, above: float, start: float
) -> None:
    """When the server carries all that the generator offers, the answer is the generator's rate, marked."""
    limits = SearchLimits(start, trials_max=200)
    found, _ = search(steady(generator * above, generator), limits)
    assert found.generator_limited
    assert found.confirmed
    assert found.sustainable_per_s is not None
    assert generator * 0.95 * (1 - 1e-6) <= found.sustainable_per_s <= generator
    assert "generator" in found.reason


@given(generator=st.floats(0.01, 0.99))
def test_a_generator_too_slow_for_any_rate_leaves_no_answer(generator: float) -> None:
    """A generator that cannot even offer the lowest rate is named as the reason of an empty answer."""
    found, _ = search(steady(100, generator), SearchLimits(100))
    assert found.sustainable_per_s is None
    assert found.generator_limited


@given(ceiling=rates, above=st.floats(1.0, 100.0), start=st.floats(0.1, 1e6))
def test_the_highest_rate_is_the_answer_where_it_holds(ceiling: float, above: float, start: float) -> None:
    """A server faster than rate_max gets exactly rate_max, confirmed, and the reason says so."""
    found, trials = search(steady(ceiling * above), SearchLimits(start, ceiling, trials_max=200))
    assert found.sustainable_per_s == ceiling
    assert found.confirmed
    assert trials[-1] == Trial(ceiling, "confirm", "held")
    assert "highest rate to try" in found.reason


@given(capacity=st.floats(0.0, 0.999), start=rates)
def test_an_objective_that_never_holds_ends_at_the_lowest_rate(capacity: float, start: float) -> None:
    """Below rate_min nothing is tried, and the answer is none."""
    found, trials = search(steady(capacity), SearchLimits(start, trials_max=40))
    assert found.sustainable_per_s is None
    assert not found.confirmed
    assert trials[-1].rate_per_s == 1.0
    assert "lowest rate to try" in found.reason


@given(capacity=rates, share=st.floats(0.9, 1.0))
def test_a_failed_confirmation_is_repeated_lower(capacity: float, share: float) -> None:
    """A server that carries a little less for long is found by stepping down by the tolerance."""
    lasting = max(1.0, capacity * share)
    limits = SearchLimits(capacity, trials_max=60)

    def server(step: Try) -> Verdict:
        return steady(lasting if step.purpose == "confirm" else capacity)(step)

    found, _ = search(server, limits)
    assert found.confirmed
    assert found.sustainable_per_s is not None
    assert lasting * 0.95 * (1 - 1e-6) <= found.sustainable_per_s <= lasting


def test_confirmations_that_all_fail_leave_the_best_rate_unconfirmed() -> None:
    """After four steps down the search gives up and says how many longer runs there were."""

    def server(step: Try) -> Verdict:
        return "failed" if step.purpose == "confirm" else steady(100)(step)

    found, trials = search(server, SearchLimits(100))
    confirms = [trial.rate_per_s for trial in trials if trial.purpose == "confirm"]
    assert confirms == pytest.approx([confirms[0] * 0.95**step for step in range(5)])
    assert found.sustainable_per_s == 75.0
    assert not found.confirmed
    assert "none of 5 longer runs held" in found.reason


def test_a_confirmation_below_a_rate_of_the_search_ends_the_search() -> None:
    """The step down may pass a rate that held in the search; the answer is the one that was confirmed."""
    trials = [
        Trial(98, "search", "held"),
        Trial(100, "search", "held"),
        Trial(102, "search", "failed"),
        Trial(100, "confirm", "failed"),
        Trial(95, "confirm", "held"),
    ]
    found = next_step(trials, SearchLimits(200))
    assert isinstance(found, Found)
    assert (found.sustainable_per_s, found.confirmed) == (95, True)
    assert found.reason == "the objective did not hold at 100/s"


def test_a_failure_below_a_success_wins() -> None:
    """With a failure at 80 the rates 100 and 120 that held count for nothing: 50 to 80 is searched."""
    trials = [
        Trial(50, "search", "held"),
        Trial(100, "search", "held"),
        Trial(80, "search", "failed"),
        Trial(120, "search", "held"),
    ]
    assert next_step(trials, SearchLimits(100)) == Try(65, "search")


def test_a_server_failure_outweighs_the_generator_at_one_rate() -> None:
    """Where both the server and the generator lost at a rate, the server set the bound."""
    trials = [
        Trial(100, "search", "generator_limited"),
        Trial(100, "search", "failed", "p99 over 50 ms"),
        Trial(96, "search", "held"),
        Trial(96, "confirm", "held"),
    ]
    found = next_step(trials, SearchLimits(100))
    assert found == Found(96, True, False, "the objective did not hold at 100/s: p99 over 50 ms")


def test_the_last_trial_is_kept_for_a_confirmation() -> None:
    """When trials run out, the best rate so far is confirmed, and the reason names the gap that is left."""
    found, trials = search(steady(1000), SearchLimits(100, trials_max=4))
    assert [trial.purpose for trial in trials] == ["search", "search", "search", "confirm"]
    assert (found.sustainable_per_s, found.confirmed) == (112.5, True)
    assert found.reason == "no higher rate was tried"
    found, _ = search(steady(70), SearchLimits(100, trials_max=3))
    assert found.confirmed
    assert "rates between 50/s and that one are open" in found.reason


def test_one_trial_gives_an_unconfirmed_answer() -> None:
    """A single trial that holds is reported as what it is."""
    found, _ = search(steady(1000), SearchLimits(100, trials_max=1))
    assert (found.sustainable_per_s, found.confirmed) == (50, False)
    assert "limit of 1 trials" in found.reason


def test_the_first_trial_is_a_share_of_the_estimate() -> None:
    """The search starts at half of the estimate."""
    assert next_step([], SearchLimits(300)) == Try(300 * FIRST_SHARE, "search")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start_per_s": 0.0}, "start_per_s: must be a finite number above 0, got 0.0"),
        ({"start_per_s": math.nan}, "start_per_s: must be a finite number above 0, got nan"),
        ({"rate_min_per_s": 0.0}, "rate_min_per_s: must be above 0 and at most 1e+09, got 0.0"),
        (
            {"rate_max_per_s": 0.5},
            "rate_max_per_s: must be finite and at least rate_min_per_s (1), got 0.5",
        ),
        (
            {"rate_max_per_s": math.inf},
            "rate_max_per_s: must be finite and at least rate_min_per_s (1), got inf",
        ),
        ({"tolerance": 0.0}, "tolerance: must be above 0 and below 1, got 0.0"),
        ({"tolerance": 1.0}, "tolerance: must be above 0 and below 1, got 1.0"),
        ({"trials_max": 0}, "trials_max: must be at least 1, got 0"),
        ({"growth": 1.0}, "growth: must be a finite number above 1, got 1.0"),
    ],
)
def test_limits_out_of_range_are_refused(fields: dict[str, Any], message: str) -> None:
    """Each limit names itself, what must hold and what it got."""
    with pytest.raises(ValueError) as caught:
        SearchLimits(**{"start_per_s": 10.0, **fields})
    assert str(caught.value) == message


def test_the_highest_rate_is_searched_once_and_confirmed_once() -> None:
    """At rate_max there is nothing more to look for, so no trial is repeated there."""
    _, trials = search(steady(1000), SearchLimits(100, 100))
    at_most = [trial.purpose for trial in trials if trial.rate_per_s == 100]
    assert at_most == ["search", "confirm"]


def test_a_rate_that_both_held_and_failed_is_not_the_answer() -> None:
    """A failure at the rate itself takes back both its success and its confirmation."""
    trials = [
        Trial(90, "search", "held"),
        Trial(100, "search", "held"),
        Trial(100, "search", "failed"),
    ]
    assert next_step(trials, SearchLimits(100)) == Try(95, "search")
    assert next_step([*trials, Trial(100, "confirm", "held")], SearchLimits(100)) == Try(95, "confirm")


def test_the_reason_speaks_of_the_confirmed_rate() -> None:
    """A confirmation far below the failure says which rates were left open."""
    trials = [
        Trial(50, "search", "held"),
        Trial(99, "search", "held"),
        Trial(100, "search", "failed"),
        Trial(50, "confirm", "held"),
    ]
    found = next_step(trials, SearchLimits(100))
    assert isinstance(found, Found)
    assert found.sustainable_per_s == 50
    assert "rates between 50/s and that one" in found.reason
