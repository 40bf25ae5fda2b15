"""The kept result of the long comparison is whole, is of the release in go.mod, and has no difference."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.upstream import build

RESULT = Path(__file__).parents[3] / "benchmarks" / "differential" / "results" / "hpa.json"
FLOORS = {"calculations": 1_000_000, "scenarios": 10_000}
RULES = ("E3", "E4", "E5", "E6", "E7", "E11", "E12", "E13", "E14", "E15", "E17", "E18", "E21")


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_the_long_comparison_found_no_difference(name: str) -> None:
    part = json.loads(RESULT.read_text())[name]
    assert part["complete"]
    assert part["cases"] >= FLOORS[name]
    assert part["differences"] == 0


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_it_was_made_with_the_release_that_is_compared_today(name: str) -> None:
    release = re.search(r"k8s\.io/kubernetes (v\S+)", (build.MODULE / "go.mod").read_text())
    assert release is not None
    assert json.loads(RESULT.read_text())[name]["versions"]["kubernetes"] == release[1]


def test_it_met_every_rule_that_a_decision_can_name() -> None:
    seen = json.loads(RESULT.read_text())["scenarios"]["seen"]
    assert all(seen[f"rule {rule}"] >= 1000 for rule in RULES)
    assert seen["scale to zero"] >= 100
    assert seen["scale from zero"] >= 100
    assert seen["step restart"] >= 1000
    assert seen["step hpa"] >= 1000
