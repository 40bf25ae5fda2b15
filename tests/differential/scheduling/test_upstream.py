"""Our scheduler says what Kubernetes' own code says: random clusters, and every case that ever differed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.differential.scheduling.compare import Tally, play, play_devices, play_wide
from tests.differential.scheduling.devices import devices_world
from tests.differential.scheduling.oracle import Oracle
from tests.differential.scheduling.worlds import wide_world, world

pytestmark = [pytest.mark.upstream, pytest.mark.timeout(1200)]
CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
SEED, WORLDS = 37, 40


def test_random_clusters(oracle: Oracle) -> None:
    """Filters, reasons, scores, preemptions and their messages are the same on random clusters."""
    tally = Tally()
    for index in range(WORLDS):
        differences = play(world(SEED, index), oracle, tally)
        assert not differences, f"world {SEED}/{index}: {differences}"
    assert tally.placed > 100
    assert tally.hopeless > 100
    assert tally.preempting > 3


def test_wide_clusters(oracle: Oracle) -> None:
    """In clusters of 100 nodes and more, as many nodes are looked at, the same ones, in the same turn."""
    tally = Tally()
    for index in range(4):
        differences = play_wide(wide_world(SEED, index), oracle, tally)
        assert not differences, f"wide world {SEED}/{index}: {differences}"
    assert tally.placed > 20


def test_claimed_devices(oracle: Oracle) -> None:
    """Claims of devices, counted per class, are granted and refused as by the real allocator."""
    tally = Tally()
    for index in range(12):
        differences = play_devices(devices_world(SEED, index), oracle, tally)
        assert not differences, f"devices world {SEED}/{index}: {differences}"
    assert tally.reasons["DynamicResources: cannot allocate all claims"] > 20
    assert tally.placed > 20


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_kept_cases(oracle: Oracle, case: Path) -> None:
    """What once differed, or was worked out by hand, agrees."""
    kept: dict[str, Any] = json.loads(case.read_text())
    assert not play(kept, oracle, Tally())


def test_a_wrong_weight_is_noticed(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with a wrong weight it finds a difference at once."""
    monkeypatch.setattr(
        "tonnage.scheduling.scores.WEIGHTS",
        {
            "TaintToleration": 3,
            "NodeAffinity": 2,
            "NodeResourcesFit": 2,
            "PodTopologySpread": 2,
            "InterPodAffinity": 2,
            "NodeResourcesBalancedAllocation": 1,
            "ImageLocality": 1,
        },
    )
    found = [one.what for index in range(5) for one in play(world(SEED, index), oracle, Tally())]
    assert "totals" in found
