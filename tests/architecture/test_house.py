"""The house keeps its own rules: rooms are named, files are short, clocks stay at the edges."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import click
import pytest

from tonnage.cli.main import COMMANDS, cli
from tonnage.server.metrics import exposition
from tonnage.server.metrics.block import Block
from tonnage.spec.load import load_model_service

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tonnage"
FILES = sorted(SOURCE.rglob("*.py"))


def test_every_room_is_in_the_architecture():
    """ARCHITECTURE.md names every room."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = [folder.name for folder in SOURCE.iterdir() if folder.is_dir() and folder.name != "__pycache__"]
    assert [room for room in rooms if f"`{room}/`" not in text] == []


def test_files_are_short():
    """No file is over 400 lines, but for the ones that are to be split."""
    debts = {"profile/parts.py": 460}
    for file in FILES:
        name = str(file.relative_to(SOURCE))
        assert len(file.read_text().splitlines()) <= debts.get(name, 400), name


@pytest.mark.parametrize("file", [f for f in FILES if "server" in f.parts or "batching" in f.parts])
def test_the_wall_clock_decides_nothing(file):
    """No code of the server reads the wall clock, so that a clock jump cannot hurt it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in {("time", "time"), ("datetime", "now")}, node.lineno


@pytest.mark.parametrize("file", [f for f in (SOURCE / "twin" / "models").glob("*.py") if f.stem != "__init__"])
def test_what_imitates_says_what_it_imitates(file):
    """Each imitated controller names its source and what it leaves out."""
    text = ast.get_docstring(ast.parse(file.read_text())) or ""
    assert "Source:" in text
    assert "Deviations:" in text


def test_every_command_is_documented():
    """Each command loads, has a help text, and stands in the README or the docs."""
    docs = "".join(file.read_text() for file in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.help
        assert f"tonnage {name}" in docs or name == "completion"


def test_every_metric_is_documented():
    """The page of metrics and its reference name the same metrics."""
    page, _ = exposition.expose(Block.create(1).slots, model="m", now_s=1.0, window_s=30.0, accept="")
    exposed = set(
        re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram|summary)", page.decode(), re.MULTILINE)
    )
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    named = set(re.findall(r"`((?:tonnage|inference)_[a-z0-9_]+)`", text))
    assert {name for name in exposed if not name.endswith("_created")} - named == set()


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("service.yaml")))
def test_examples_are_valid(file):
    """Every example is a document without a problem."""
    assert load_model_service(file).name


def test_the_readme_request_is_json():
    """The request in the README is one that a server can read."""
    match = re.search(r"infer -d '(.*?)'\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert match is not None
    assert json.loads(match[1])["inputs"][0]["name"] == "content"


def test_lock_files_name_no_host():
    """Lock files hold versions and hashes, and no address."""
    for file in ROOT.glob("requirements*.lock"):
        assert "://" not in file.read_text()
