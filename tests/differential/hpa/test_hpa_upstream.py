"""Our autoscaler decides as Kubernetes' own Go code does: a sample; the long run is in benchmarks/differential."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.differential.hpa import admissions, calculations, cases, oracle, scenarios
from tonnage.hpa.calculator import Tolerances

SEED = 2
CALCULATIONS = 5_000
SCENARIOS = 40
DOCUMENTS = 1_500

# cold, the Go side takes minutes to build
pytestmark = [pytest.mark.upstream, pytest.mark.timeout(1800)]


def test_every_calculation_gives_upstreams_numbers_and_errors(program: Path) -> None:
    questions = [calculations.calculation(SEED, index) for index in range(CALCULATIONS)]
    answers = oracle.ask(program, "calculator", questions)
    pairs = zip(questions, answers, strict=True)
    different = {index: found for index, pair in enumerate(pairs) if (found := calculations.difference(*pair))}
    assert not different
    methods = Counter(question["method"] for question in questions)
    assert set(methods) == set(calculations.METHODS)
    assert sum(bool(answer["error"]) for answer in answers) < CALCULATIONS / 4


def test_every_reconciliation_of_random_hours_is_upstreams(program: Path) -> None:
    lives = [scenarios.live(SEED, index) for index in range(SCENARIOS)]
    answers = oracle.ask(program, "controller", [life.scenario for life in lives])
    pairs = zip(lives, answers, strict=True)
    different = {index: found for index, pair in enumerate(pairs) if (found := scenarios.difference(*pair))}
    assert not different
    seen = Counter(step.rule for life in lives for _, done in life.passes for step in done.trace)
    assert {"E3", "E4", "E5", "E6", "E7", "E11", "E12", "E13", "E14", "E15", "E17", "E18", "E21"} <= set(seen)
    assert sum(done.rescale for life in lives for _, done in life.passes) > SCENARIOS


def test_every_document_is_taken_or_refused_as_the_api_server_does(program: Path) -> None:
    documents = [admissions.document(SEED, index) for index in range(DOCUMENTS)]
    answers = oracle.ask(program, "object", documents)
    pairs = zip(documents, answers, strict=True)
    different = {index: found for index, pair in enumerate(pairs) if (found := admissions.difference(*pair))}
    assert not different
    taken = sum(answer["object"] is not None for answer in answers)
    assert DOCUMENTS / 5 < taken < DOCUMENTS * 4 / 5


@pytest.mark.parametrize("name", sorted(cases.kept("calculator")) or [None])
def test_a_kept_calculation_gives_upstreams_numbers(program: Path, name: str | None) -> None:
    if name is None:
        pytest.skip("no calculation was ever kept")
    question = cases.kept("calculator")[name]
    [answer] = oracle.ask(program, "calculator", [question])
    assert calculations.difference(question, answer) is None


@pytest.mark.parametrize("name", sorted(cases.kept("controller")) or [None])
def test_a_kept_scenario_is_decided_as_upstream_does(program: Path, name: str | None) -> None:
    if name is None:
        pytest.skip("no scenario was ever kept")
    life = scenarios.replay(cases.kept("controller")[name])
    [answer] = oracle.ask(program, "controller", [life.scenario])
    assert scenarios.difference(life, answer) is None


def test_a_scenario_that_was_written_down_is_lived_through_again_alike() -> None:
    life = scenarios.live(SEED, 0)
    again = scenarios.replay(life.scenario)
    assert again.passes == life.passes
    assert again.memories == life.memories


def test_a_rule_that_is_a_little_wrong_is_noticed(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = [calculations.calculation(SEED, index) for index in range(1_000)]
    answers = oracle.ask(program, "calculator", questions)
    life = scenarios.live(SEED, 0)
    [transcript] = oracle.ask(program, "controller", [life.scenario])

    def allow_without_ends(self: Tolerances, ratio: float) -> bool:
        return (1.0 - self.down) < ratio < (1.0 + self.up)

    monkeypatch.setattr(Tolerances, "allow", allow_without_ends)
    pairs = zip(questions, answers, strict=True)
    assert any(calculations.difference(*pair) for pair in pairs)
    monkeypatch.undo()
    transcript["passes"][7]["at_ns"] += 1
    found = scenarios.difference(life, transcript)
    assert found is not None
    assert found.startswith("pass 7 at ")


def test_the_go_side_fails_loudly_on_a_question_that_it_does_not_understand(program: Path) -> None:
    nonsense: list[Any] = [{"method": "resource", "target": "a lot"}]
    with pytest.raises(RuntimeError, match="cannot unmarshal string"):
        oracle.ask(program, "calculator", nonsense)
