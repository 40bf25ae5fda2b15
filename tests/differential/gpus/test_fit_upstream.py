"""``gpus fit`` says what Kubernetes' own scheduler does: where pods go, all of them or not, why not, what helps."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from tests.differential.gpus.agreeing import Seen, play
from tests.differential.gpus.fleets import fleet
from tests.differential.scheduling.oracle import Oracle

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(1200)]
SEED, FLEETS = 41, 25


def test_random_fleets(oracle: Oracle) -> None:
    """On random clusters the nodes, the words, all or nothing, and each change that helps are upstream's too."""
    seen = Seen()
    for index in range(FLEETS):
        assert play(fleet(SEED, index), oracle, seen) == []
    assert seen.alone == seen.workloads
    assert seen.fitting > 10
    assert seen.workloads - seen.fitting > 10
    assert sum(seen.changes.values()) > 20


def test_a_wrong_weight_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of nodes can fail: with a wrong weight it finds a difference."""
    from tonnage.scheduling import scores

    monkeypatch.setattr(scores, "WEIGHTS", MappingProxyType({**scores.WEIGHTS, "NodeResourcesFit": -1}))
    found = [text for index in range(8) for text in play(fleet(SEED, index), oracle, Seen())]
    assert any("is not among" in text for text in found)


def test_a_change_that_was_not_tried_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison of changes can fail: if every edit counted as helping, upstream would disagree."""
    from tonnage.gpus.case import Case

    monkeypatch.setattr(Case, "with_edits", lambda case, edits: {})
    found = [text for index in range(8) for text in play(fleet(SEED, index), oracle, Seen())]
    assert any("it does not help to" in text for text in found)
