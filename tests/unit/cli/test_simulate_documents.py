"""The pages about the twin say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tonnage.twin.events import Priority
from tonnage.twin.inputs import load_texts, read
from tonnage.twin.measures import MEASURES

ROOT = Path(__file__).parents[3]
EXPERIMENTS = sorted(
    file for file in (ROOT / "examples" / "experiments").glob("*.yaml") if "kind: Simulation" in file.read_text()
)
PAGES = ROOT / "docs" / "experiments"


def test_the_order_of_simultaneous_events_is_documented():
    """Every priority, in its order."""
    text = (ROOT / "docs" / "concepts" / "twin.md").read_text()
    assert re.findall(r"^\| `([A-Z]+)` \|", text, re.MULTILINE) == [one.name for one in Priority]


def test_every_measure_is_documented():
    """The how-to names all that assertions can be about, and nothing else."""
    text = (ROOT / "docs" / "how-to" / "simulate.md").read_text()
    table = text[text.index("| about | measures |") : text.index("A moment misses")]
    assert set(re.findall(r"`([a-z0-9.]+)`", table)) == set(MEASURES)


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)
def test_every_experiment_can_be_read_and_has_its_page_and_plot(file):
    """A sound document, a page that runs it, a plot, numbers, and a line in the list."""
    assert read(load_texts([file])).scenario.objective is not None
    page = (PAGES / f"{file.stem}.md").read_text()
    assert f"examples/experiments/{file.name}" in page
    assert f"({file.stem}.svg)" in page
    assert re.search(r"<!-- numbers -->\n\|.*\|\n<!-- end of numbers -->", page, re.DOTALL)
    assert (PAGES / f"{file.stem}.svg").read_text().startswith("<svg")
    assert f"({file.stem}.md)" in (PAGES / "README.md").read_text()
